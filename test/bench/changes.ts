/** How long a change of a peer takes to a D-Bus client and to a reader on the socket. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { Client } from '../../src/cli/client.ts'
import { type BusMessage, plain } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { client } from '../daemon/surface.ts'
import { type Contender, compare, type Figure, median } from './ratio.ts'

/** Between two, so that everybody sleeps, and no change waits for the pace of signals. */
const PAUSE_MS = 60
const TIMES = 25

const nowUSec = () => Number(process.hrtime.bigint() / 1000n)
type Test = { teardown(fn: () => Promise<void>): void }

export interface Changes {
  /** p50 in µs; the first is a GetId round trip. */
  readonly bus: readonly Figure[]
  /** The first is the round trip of a raw echo on a UNIX socket. */
  readonly socket: readonly Figure[]
}

/** `echo` sends back what it gets. */
export async function changes(t: Test, folder: string, echo: string, rounds: number): Promise<Changes> {
  const daemon = await TestBus.up(t)
  const path = join(folder, 'surfaces/socket')
  const peer = fork(new URL('surfaces-peer.ts', import.meta.url), [daemon.address, path])
  await once(peer, 'message')
  const bus = await client(t, daemon.address)
  const reader = await Client.open(path)
  const raw = connect(echo)
  try {
    let arrived = (_usec: number) => {}
    bus.match({ sender: INTERFACE, pathNamespace: ROOT }, (message: BusMessage) => {
      const [, changed] = plain(message.body) as [string, { LatencyUSec?: number }]
      if (message.member === 'PropertiesChanged') arrived(nowUSec() - (changed.LatencyUSec ?? 0))
    })
    let read = (_usec: number) => {}
    void (async () => {
      for await (const { Properties } of reader.stream('Watch', {})) {
        if ('LatencyUSec' in Properties) read(nowUSec() - (Properties['LatencyUSec'] as number))
      }
    })().catch(() => {})
    const dbus = 'org.freedesktop.DBus'
    const getId = { destination: dbus, path: '/org/freedesktop/DBus', interface: dbus, member: 'GetId' }

    const onBus = (): Promise<number> =>
      new Promise(resolve => {
        arrived = resolve
        peer.send('change')
      })
    const onSocket = (): Promise<number> =>
      new Promise(resolve => {
        read = resolve
        peer.send('change')
      })
    const call = () => clocked(() => bus.call(getId))
    const trip = () =>
      clocked(() => {
        raw.write('x'.repeat(300))
        return once(raw, 'data')
      })
    return {
      bus: await compare(
        [sparse('GetId, there and back', call), sparse('change → D-Bus client', onBus)],
        rounds
      ),
      socket: await compare(
        [sparse('raw UNIX echo, there and back', trip), sparse('change → reader on the socket', onSocket)],
        rounds
      )
    }
  } finally {
    reader.close()
    raw.destroy()
    peer.disconnect()
  }
}

const sparse = (name: string, once: () => Promise<number>): Contender => ({
  name,
  async round() {
    const times: number[] = []
    for (let n = 0; n < TIMES; n++) {
      await delay(PAUSE_MS)
      times.push(await once())
    }
    return median(times)
  }
})

async function clocked(act: () => Promise<unknown>): Promise<number> {
  const begin = nowUSec()
  await act()
  return nowUSec() - begin
}
