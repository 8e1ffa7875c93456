/**
 * Sessions against raw TCP and node:tls, in two processes on 127.0.0.1: round trips, small messages one way,
 * bulk, handshakes, memory. `node test/bench/session.ts [rounds] [part of a title]` prints a table of ratios.
 */
import { fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Session } from '../../src/daemon/sessions/session.ts'
import { tcpLink } from '../../src/net/tcp.ts'
import { BULK, Kind } from '../../src/wire/frame.ts'
import { aeads, dialSession, dialSocket, dialTls, sessionOn, tlsOptions } from './ends.ts'
import { type Guests, nobody } from './guests.ts'
import { type Contender, compare, type Figure, table } from './ratio.ts'
import { pour, SMALL, serial, trips } from './rounds.ts'

type Ports = { readonly [name: string]: number }

export interface Benchmark {
  readonly title: string
  readonly unit: string
  readonly figures: readonly Figure[]
}

/** Those whose title contains `which`. */
export async function sessionBenchmarks(
  rounds: number,
  which = '',
  guests: Guests = nobody
): Promise<Benchmark[]> {
  const peer = fork(new URL('session-peer.ts', import.meta.url), { execArgv: ['--expose-gc'] })
  const answer = <Answer>() => new Promise<Answer>(resolve => peer.once('message', resolve as never))
  try {
    const { ports } = await answer<{ ports: Ports }>()
    const tls = tlsOptions()
    const raw = async (name: 'tcp' | 'tls', mode: string) => {
      const socket = name === 'tcp' ? await dialSocket(ports['tcp']!) : await dialTls(ports['tls']!, tls)
      socket.write(mode)
      return socket
    }
    const sessions = (make: (name: string, session: Session) => Contender) =>
      Promise.all(
        aeads().map(async aead =>
          make(`session, ${aead.name}`, sessionOn(await dialSocket(ports[aead.name]!), true, aead))
        )
      )
    const against = async (
      mode: string,
      rawOne: (name: string, socket: Socket) => Contender,
      ours: (name: string, session: Session) => Contender
    ) => [
      rawOne('raw TCP', await raw('tcp', mode)),
      rawOne('node:tls', await raw('tls', mode)),
      ...(await sessions(ours))
    ]
    const open = async () => dialSession(tcpLink(await dialSocket(ports['handshake']!), true)!)
    const rss = async () => {
      peer.send('memory')
      return (await answer<{ rss: number }>()).rss
    }

    const cpu = async () => {
      const { user, system } = process.cpuUsage()
      peer.send('cpu')
      return user + system + (await answer<{ cpu: number }>()).cpu + (await guests.cpu())
    }

    const all: [title: string, unit: string, run: () => Promise<Figure[]>][] = [
      [
        'memory of an idle end, of the first 1,000',
        'KiB',
        () => compareOnce([growth('raw TCP', () => raw('tcp', 'e'), rss), growth('session', open, rss)])
      ],
      [
        'round trip of 64 bytes, p50',
        'µs',
        async () =>
          compare([...(await against('e', rawTrips, sessionTrips)), ...(await guests.trips())], rounds, cpu)
      ],
      [
        'messages of 64 bytes, one way',
        '/s',
        async () =>
          compare([...(await against('s', rawSmall, sessionSmall)), ...(await guests.small())], rounds, cpu)
      ],
      [
        'bulk',
        'MB/s',
        async () =>
          compare([...(await against('s', rawBulk, sessionBulk)), ...(await guests.bulk())], rounds, cpu)
      ],
      [
        'handshakes, one after another',
        '/s',
        async () =>
          compare(
            [
              serial('node:tls, mutual Ed25519', () => dialTls(ports['tls']!, tls)),
              serial('session', open),
              ...(await guests.handshakes())
            ],
            rounds,
            cpu
          )
      ]
    ]
    const benchmarks: Benchmark[] = []
    for (const [title, unit, run] of all) {
      if (title.includes(which)) benchmarks.push({ title, unit, figures: await run() })
    }
    return benchmarks
  } finally {
    peer.disconnect()
  }
}

function growth(
  name: string,
  open: () => Promise<{ destroy(): void }>,
  rss: () => Promise<number>
): Contender {
  const count = 1000
  return {
    name,
    async round() {
      const before = await rss()
      const opened = []
      for (let index = 0; index < count; index++) opened.push(await open())
      const after = await rss()
      for (const end of opened) end.destroy()
      return (after - before) / count / 1024
    }
  }
}

/** Growth of memory shows only the first time. */
async function compareOnce(contenders: readonly Contender[]): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, round } of contenders) {
    const value = await round()
    figures.push({ name, median: value, ratio: value / (figures[0]?.median ?? value), values: [value] })
  }
  return figures
}

function rawTrips(name: string, socket: Socket): Contender {
  const body = Buffer.alloc(SMALL, 1)
  return trips(name, back => {
    let have = 0
    socket.removeAllListeners('data')
    socket.on('data', chunk => {
      have += chunk.length
      if (have < SMALL) return
      have = 0
      back()
    })
    return () => socket.write(body)
  })
}

function sessionTrips(name: string, session: Session): Contender {
  const body = new Uint8Array(SMALL).fill(1)
  return trips(name, back => {
    session.onFrame = back
    return () => session.send(Kind.Gossip, body)
  })
}

function rawPour(socket: Socket, total: number, count: number, send: () => boolean): Promise<number> {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(total)
  socket.write(head)
  const arrived = new Promise<void>(resolve => socket.once('data', () => resolve()))
  return pour(count, send, then => socket.once('drain', then), arrived)
}

function rawSmall(name: string, socket: Socket): Contender {
  const count = 600_000
  const body = new Uint8Array(SMALL).fill(2)
  return {
    name,
    operations: count,
    async round() {
      let buffer = Buffer.allocUnsafeSlow(16_384)
      let at = 0
      let left = count
      const seconds = await rawPour(socket, count * SMALL, count, () => {
        buffer.set(body, at)
        at += SMALL
        left--
        if (at < buffer.length && left > 0) return true
        const full = buffer.subarray(0, at)
        buffer = Buffer.allocUnsafeSlow(16_384)
        at = 0
        return socket.write(full)
      })
      return count / seconds
    }
  }
}

function rawBulk(name: string, socket: Socket): Contender {
  const count = 3000
  const body = Buffer.alloc(65_536, 3)
  return {
    name,
    operations: count,
    async round() {
      const seconds = await rawPour(socket, count * body.length, count, () => socket.write(body))
      return (count * body.length) / seconds / 1e6
    }
  }
}

function sessionPour(session: Session, kind: number, body: Uint8Array, count: number) {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(count * body.length)
  session.send(Kind.Log, head)
  const arrived = new Promise<void>(resolve => {
    session.onFrame = () => resolve()
  })
  const send = () => {
    session.send(kind, body)
    return session.backlog < 131_072
  }
  return pour(
    count,
    send,
    then => {
      session.onDrain = then
    },
    arrived
  )
}

function sessionSmall(name: string, session: Session): Contender {
  const body = new Uint8Array(SMALL).fill(2)
  const count = 300_000
  return {
    name,
    operations: count,
    round: async () => count / (await sessionPour(session, Kind.Message, body, count))
  }
}

function sessionBulk(name: string, session: Session): Contender {
  const body = new Uint8Array(BULK).fill(3)
  const count = 3000
  return {
    name,
    operations: count,
    round: async () => (count * BULK) / (await sessionPour(session, Kind.Stream, body, count)) / 1e6
  }
}

if (import.meta.main) {
  for (const { title, unit, figures } of await sessionBenchmarks(
    Number(process.argv[2] ?? 7),
    process.argv[3]
  )) {
    console.log(table(title, unit, figures))
  }
  process.exit()
}
