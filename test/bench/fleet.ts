/**
 * Eleven daemons of one circle on lo, idle: what one with ten peers costs. `node test/bench/fleet.ts
 * [checkout|bundle] [SECONDS]`, in a network namespace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
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
}

/** Medians over the daemons; the first of them, which has buses, by itself. */
export async function idleFleet(form: Form, seconds: number): Promise<{ all: Idle; onBus: Idle }> {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-bench-'))
  const undo: (() => Promise<unknown>)[] = []
  const test = { teardown: (fn: () => Promise<unknown>) => undo.push(fn) } as {
    teardown(fn: () => Promise<void>): void
  }
  try {
    const [session, system] = await Promise.all([TestBus.up(test), TestBus.up(test, 'system')])
    const daemons: RunningDaemon[] = []
    undo.unshift(() => Promise.all(daemons.map(daemon => daemon.stop())))
    for (let number = 0; number < DAEMONS; number++) {
      const buses = number === 0 ? { session: session.address, system: system.address } : {}
      daemons.push(await RunningDaemon.start(form, place(join(folder, `${number}`), buses)))
      await joinCircle(daemons)
    }
    await Promise.all(daemons.map(everybodyReachable))
    await delay(SETTLE_MS)
    const before = daemons.map(({ pid }) => usage(pid))
    await delay(seconds * 1000)
    const idle = daemons.map(({ pid }, n): Idle => {
      const { rss, anon, cpu, wakeUps } = usage(pid)
      return {
        rss,
        anon,
        cpu: (cpu - before[n]!.cpu) / seconds,
        wakeUps: (wakeUps - before[n]!.wakeUps) / seconds
      }
    })
    const middle = (of: keyof Idle) => median(idle.map(one => one[of]))
    return {
      all: { rss: middle('rss'), anon: middle('anon'), cpu: middle('cpu'), wakeUps: middle('wakeUps') },
      onBus: idle[0]!
    }
  } finally {
    for (const fn of undo) await fn()
    rmSync(folder, { recursive: true, force: true })
  }
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
