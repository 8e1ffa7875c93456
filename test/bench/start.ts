/** From the start of the process to READY=1, against a Node that does nothing. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Form, place, RunningDaemon } from './program.ts'
import { type Contender, compare, type Figure } from './ratio.ts'

/** What the daemon loads of Node's own, and nothing else. */
const MODULES = 'child_process crypto dgram fs/promises module net os timers/promises util worker_threads'

export interface Start {
  /** Time of the main thread on a processor, ms. */
  readonly cpu: readonly Figure[]
  /** By the clock, ms; the first of them is a Node that ends at once. */
  readonly wall: readonly Figure[]
}

/** The daemon is in a circle already and has a database to open. */
export async function start(forms: readonly Form[], folder: string, rounds: number): Promise<Start> {
  const places = new Map(forms.map(form => [form, place(join(folder, `start-${form.name}`))]))
  for (const [form, where] of places) {
    const daemon = await RunningDaemon.start(form, where)
    const client = await daemon.client()
    await client.call('Init', {})
    client.close()
    await daemon.stop()
  }
  const cpu = await compare(
    [
      { name: 'bare node', round: () => idleNode('') },
      { name: 'node with the modules of its own that the daemon uses', round: () => idleNode(MODULES) },
      ...[...places].map(
        ([form, where]): Contender => ({
          name: `coteried, ${form.name}`,
          async round() {
            const daemon = await RunningDaemon.start(form, where)
            const time = mainThread(daemon.pid)
            await daemon.stop()
            return time
          }
        })
      )
    ],
    rounds
  )
  const wall = await compare(
    [
      { name: 'bare node', round: async () => clocked(() => execFileSync(process.execPath, ['-e', ''])) },
      ...[...places].map(
        ([form, where]): Contender => ({
          name: `coteried, ${form.name}`,
          async round() {
            let daemon: RunningDaemon | undefined
            const time = await clocked(async () => {
              daemon = await RunningDaemon.start(form, where)
            })
            await daemon?.stop()
            return time
          }
        })
      )
    ],
    rounds
  )
  return { cpu, wall }
}

async function clocked(act: () => unknown): Promise<number> {
  const begin = performance.now()
  await act()
  return performance.now() - begin
}

/** ms on a processor so far. */
const mainThread = (pid: number) => Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6

async function idleNode(modules: string): Promise<number> {
  const names = JSON.stringify(modules.split(' ').filter(Boolean))
  const script = `for (const name of ${names}) require('node:' + name); console.log(); setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  // until it sleeps
  await delay(50)
  const time = mainThread(child.pid!)
  child.kill()
  await once(child, 'exit')
  return time
}
