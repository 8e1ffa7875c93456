/**
 * Sessions against raw TCP and node:tls, in two processes on 127.0.0.1: round trips, small messages one way,
 * bulk, handshakes, memory. `node test/bench/session.ts [rounds]` prints a table of ratios.
 */
import { fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Aead } from '../../src/crypto/aead.ts'
import { tcpLink } from '../../src/net/tcp.ts'
import { Kind } from '../../src/wire/frame.ts'
import { aeads, dialSocket, dialTls, gate, sessionOn, tlsOptions } from './ends.ts'
import { type Contender, compare, type Figure, median, table } from './ratio.ts'

const SMALL = 64
/** Fills a record together with its frame. */
const BULK = 65_505

type Ports = { readonly [name: string]: number }

export interface Benchmark {
  readonly title: string
  readonly unit: string
  readonly figures: readonly Figure[]
}

export async function sessionBenchmarks(rounds: number): Promise<Benchmark[]> {
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
    const each = async (make: (aead: Aead) => Promise<Contender>) => Promise.all(aeads().map(make))
    const session = async (aead: Aead) => sessionOn(await dialSocket(ports[aead.name]!), true, aead)

    const trips = [rawTrips('raw TCP', await raw('tcp', 'e')), rawTrips('node:tls', await raw('tls', 'e'))]
    trips.push(...(await each(async aead => sessionTrips(`session, ${aead.name}`, await session(aead)))))

    const small = [
      rawSmall('raw TCP, coalesced', await raw('tcp', 's')),
      rawSmall('node:tls', await raw('tls', 's'))
    ]
    small.push(...(await each(async aead => sessionSmall(`session, ${aead.name}`, await session(aead)))))

    const bulk = [rawBulk('raw TCP', await raw('tcp', 's')), rawBulk('node:tls', await raw('tls', 's'))]
    bulk.push(...(await each(async aead => sessionBulk(`session, ${aead.name}`, await session(aead)))))

    const dialling = gate('one', () => {})
    const handshakes: Contender[] = [
      serial('node:tls, mutual Ed25519', async () => {
        const socket = await dialTls(ports['tls']!, tls)
        socket.destroy()
      }),
      serial('session', async () => {
        const opened = await dialling.dial(tcpLink(await dialSocket(ports['gate']!), true)!)
        opened.destroy()
      })
    ]

    const memory = async (name: string, open: () => Promise<{ destroy(): void }>): Promise<Contender> => {
      const rss = async () => {
        peer.send('memory')
        return (await answer<{ rss: number }>()).rss
      }
      return {
        name,
        async round() {
          const before = await rss()
          const opened = []
          for (let index = 0; index < 500; index++) opened.push(await open())
          const after = await rss()
          for (const end of opened) end.destroy()
          return (after - before) / 500 / 1024
        }
      }
    }
    return [
      { title: 'round trip of 64 bytes, p50', unit: 'µs', figures: await compare(trips, rounds) },
      { title: 'messages of 64 bytes, one way', unit: '/s', figures: await compare(small, rounds) },
      { title: 'bulk', unit: 'MB/s', figures: await compare(bulk, rounds) },
      { title: 'handshakes, one after another', unit: '/s', figures: await compare(handshakes, rounds) },
      {
        title: 'memory of an idle end, first 500 of a process',
        unit: 'KiB',
        figures: await compareOnce([
          await memory('session', async () =>
            dialling.dial(tcpLink(await dialSocket(ports['gate']!), true)!)
          ),
          await memory('raw TCP', () => raw('tcp', 'e'))
        ])
      }
    ]
  } finally {
    peer.disconnect()
  }
}

/** Growth of memory shows only the first time. */
async function compareOnce(contenders: readonly Contender[]): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, round } of contenders) {
    const value = await round()
    figures.push({ name, median: value, ratio: value / (figures[0]?.median ?? value) })
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

function sessionTrips(name: string, session: ReturnType<typeof sessionOn>): Contender {
  const body = new Uint8Array(SMALL).fill(1)
  return trips(name, back => {
    session.onFrame = back
    return () => session.send(Kind.Gossip, body)
  })
}

function trips(name: string, prepare: (back: () => void) => () => void): Contender {
  return {
    name,
    round: () =>
      new Promise(resolve => {
        const times: number[] = []
        let start = 0
        const go = prepare(() => {
          times.push(performance.now() - start)
          if (times.length === 3000) resolve(median(times) * 1000)
          else again()
        })
        const again = () => {
          start = performance.now()
          go()
        }
        again()
      })
  }
}

/** Sends `count` pieces, waiting whenever `send` says so, and then for the word that all have come. */
async function pour(
  count: number,
  send: () => boolean,
  drained: (then: () => void) => void,
  arrived: Promise<void>
): Promise<number> {
  const start = performance.now()
  for (let index = 0; index < count; index++) {
    if (!send()) await new Promise<void>(resolve => drained(resolve))
  }
  await arrived
  return (performance.now() - start) / 1000
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
    async round() {
      const seconds = await rawPour(socket, count * body.length, count, () => socket.write(body))
      return (count * body.length) / seconds / 1e6
    }
  }
}

function sessionPour(session: ReturnType<typeof sessionOn>, kind: number, body: Uint8Array, count: number) {
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

function sessionSmall(name: string, session: ReturnType<typeof sessionOn>): Contender {
  const body = new Uint8Array(SMALL).fill(2)
  const count = 300_000
  return { name, round: async () => count / (await sessionPour(session, Kind.Message, body, count)) }
}

function sessionBulk(name: string, session: ReturnType<typeof sessionOn>): Contender {
  const body = new Uint8Array(BULK).fill(3)
  const count = 3000
  return {
    name,
    round: async () => (count * BULK) / (await sessionPour(session, Kind.Data, body, count)) / 1e6
  }
}

function serial(name: string, once: () => Promise<void>): Contender {
  const count = 150
  return {
    name,
    async round() {
      const start = performance.now()
      for (let index = 0; index < count; index++) await once()
      return count / ((performance.now() - start) / 1000)
    }
  }
}

if (import.meta.main) {
  for (const { title, unit, figures } of await sessionBenchmarks(Number(process.argv[2] ?? 7))) {
    console.log(table(title, unit, figures))
  }
  process.exit()
}
