/**
 * Eleven daemons of one circle on lo, idle: what one with ten peers costs, and one of them on battery.
 * `node test/bench/fleet.ts [checkout|bundle] [SECONDS]`, in a network namespace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Bus, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { bundled, checkout, type Form, place, RunningDaemon, usage } from './program.ts'
import { median } from './ratio.ts'

const DAEMONS = 11
/** After the last has joined: first announcements, compilation and garbage collection are over. */
const SETTLE_MS = 40_000

export interface Idle {
  /** MB. */
  readonly rss: number
  readonly anon: number
  /** ms on a processor in a second. */
  readonly cpu: number
  /** In a second. */
  readonly wakeUps: number
  /** Sent and received by links and probes, for each peer in a second. */
  readonly bytes: number
}

/** Medians over the daemons; the first of them, which has buses, and the second, which is on battery, by themselves. */
export async function idleFleet(
  form: Form,
  seconds: number
): Promise<{ all: Idle; onBus: Idle; onBattery: Idle }> {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-bench-'))
  const undo: (() => Promise<unknown>)[] = []
  const test = { teardown: (fn: () => Promise<unknown>) => undo.push(fn) } as {
    teardown(fn: () => Promise<void>): void
  }
  try {
    const [session, system, unplugged] = await Promise.all([
      TestBus.up(test),
      TestBus.up(test, 'system'),
      TestBus.up(test, 'system')
    ])
    const upower = await dischargingOn(unplugged.address)
    undo.unshift(() => upower.close())
    const daemons: RunningDaemon[] = []
    undo.unshift(() => Promise.all(daemons.map(daemon => daemon.stop())))
    for (let number = 0; number < DAEMONS; number++) {
      const buses = [{ session: session.address, system: system.address }, { system: unplugged.address }][
        number
      ]
      daemons.push(await RunningDaemon.start(form, place(join(folder, `${number}`), buses)))
      await joinCircle(daemons)
    }
    await Promise.all(daemons.map(everybodyReachable))
    await delay(SETTLE_MS)
    const bytesBefore = await Promise.all(daemons.map(bytes))
    const before = daemons.map(({ pid }) => usage(pid))
    await delay(seconds * 1000)
    const after = daemons.map(({ pid }) => usage(pid))
    const bytesAfter = await Promise.all(daemons.map(bytes))
    const idle = after.map(({ rss, anon, cpu, wakeUps }, n): Idle => {
      return {
        rss,
        anon,
        cpu: (cpu - before[n]!.cpu) / seconds,
        wakeUps: (wakeUps - before[n]!.wakeUps) / seconds,
        bytes: (bytesAfter[n]! - bytesBefore[n]!) / seconds / (DAEMONS - 1)
      }
    })
    const middle = (of: keyof Idle) => median(idle.map(one => one[of]))
    const all = {
      rss: middle('rss'),
      anon: middle('anon'),
      cpu: middle('cpu'),
      wakeUps: middle('wakeUps'),
      bytes: middle('bytes')
    }
    return { all, onBus: idle[0]!, onBattery: idle[1]! }
  } finally {
    for (const fn of undo) await fn()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A UPower that says so, on that bus. */
async function dischargingOn(address: string): Promise<Bus> {
  const bus = new Bus({ kind: 'system', address, log: () => {} })
  bus.serve(async () => ({ signature: 'v', body: [new Variant('b', true)] }))
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  bus.start()
  await up
  await bus.requestName('org.freedesktop.UPower')
  return bus
}

async function bytes(daemon: RunningDaemon): Promise<number> {
  const client = await daemon.client()
  const { Total } = await client.call('Energy', {})
  client.close()
  const { LinkBytesSent, LinkBytesReceived, DatagramBytesSent, DatagramBytesReceived } = Total
  return LinkBytesSent + LinkBytesReceived + DatagramBytesSent + DatagramBytesReceived
}

/** The last of them makes a circle, or joins that of the first. */
async function joinCircle(daemons: readonly RunningDaemon[]): Promise<void> {
  const [first, last] = [await daemons[0]!.client(), await daemons.at(-1)!.client()]
  const Device = `d${daemons.length}`
  if (daemons.length === 1) await first.call('Init', { Device })
  else await last.call('Join', { Ticket: (await first.call('MakeTicket', {})).Ticket, Device })
  first.close()
  last.close()
}

async function everybodyReachable(daemon: RunningDaemon): Promise<void> {
  const client = await daemon.client()
  const reachable = new Set<string>()
  for await (const { Object: path, Properties } of client.stream('Watch', {})) {
    if (path.includes('/peer/') && 'Reachable' in Properties) {
      if (Properties['Reachable']) reachable.add(path)
      else reachable.delete(path)
    }
    if (reachable.size === DAEMONS - 1) break
  }
  client.close()
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-bundle-'))
  const form = process.argv[2] === 'checkout' ? checkout : await bundled(folder)
  console.log(form.name, await idleFleet(form, Number(process.argv[3] ?? 30)))
  rmSync(folder, { recursive: true, force: true })
}
