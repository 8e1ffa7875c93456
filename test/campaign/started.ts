/**
 * From the call that sends a message to the moment its handler has started, as the handler's first line says it; and
 * the same of a user event of serf, in the same run.
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Computer } from '../integration/daemon.ts'
import type { Lab } from '../lab/lab.ts'
import type { Space } from '../lab/space.ts'
import { figure, percentile, type Series } from './figures.ts'
import { couple, handler, Pipeline } from './post.ts'

/** Of one repetition. */
const SENDS = 20
const COMMANDS = 3
const EVENTS = 5
/** What a transaction of one message takes in the log of the database. */
const WRITTEN = 3 * 4_120
const TARGET = { p50: 8, p95: 30 }

/** bash has the time without starting a program. */
const script = (file: string) => `#!/bin/bash\necho "$EPOCHREALTIME" >> ${file}\n`
const lines = (file: string) =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []

/** Milliseconds since 1970, of the clock that bash reads, when performance.now() was 0. */
function origin(): number {
  const before = Date.now()
  let now = before
  while (now === before) now = Date.now()
  return now - performance.now()
}

/** Waits for the line of that number, and gives the time it tells. */
async function told(file: string, number: number): Promise<number> {
  const until = performance.now() + 20_000
  while (lines(file).length < number) {
    if (performance.now() > until) throw new Error(`no handler wrote line ${number} of ${file}`)
    await delay(5)
  }
  return Number(lines(file)[number - 1]) * 1_000
}

/** Sends over the socket, one at a time, as somebody does who has nothing else to do; milliseconds. */
export async function sendToStarted(from: Computer, to: Computer, times: number): Promise<number[]> {
  const out = join(to.directory, 'started')
  if (!existsSync(out)) await handler(to, 'message/started', script(out))
  const line = await Pipeline.open(from.socket)
  const took: number[] = []
  for (let n = 0; n < times; n++) {
    await delay(50 + Math.random() * 150)
    const before = lines(out).length
    const start = origin()
    const began = performance.now()
    const { Messages } = await line.call('Send', { Peers: [to.name], Tag: 'started' })
    await line.call('WaitMessage', { Id: Messages[0]!.Id, TimeoutUSec: 20e6 })
    took.push((await told(out, before + 1)) - start - began)
  }
  line.close()
  return took
}

/** The same with the command line: its start counts. */
async function commandToStarted(from: Computer, to: Computer, times: number): Promise<number[]> {
  const out = join(to.directory, 'started')
  const took: number[] = []
  for (let n = 0; n < times; n++) {
    await delay(50 + Math.random() * 150)
    const before = lines(out).length
    const start = origin()
    const began = performance.now()
    await from.coterie(['send', to.name, 'started'])
    took.push((await told(out, before + 1)) - start - began)
  }
  return took
}

/** What it takes to have on disk what one transaction writes; milliseconds. */
function synced(folder: string, times: number): number[] {
  const file = openSync(join(folder, 'probe'), 'w')
  const bytes = Buffer.alloc(WRITTEN)
  const took = Array.from({ length: times }, () => {
    const began = performance.now()
    writeSync(file, bytes)
    fdatasyncSync(file)
    return performance.now() - began
  })
  closeSync(file)
  return took
}

/** Two agents on computers of their own. */
class Serf {
  readonly #file: string
  readonly #space: Space

  private constructor(file: string, space: Space) {
    this.#file = file
    this.#space = space
  }

  static async open(lab: Lab): Promise<Serf> {
    const [one, other] = [await lab.plain(12), await lab.plain(13)]
    const file = join(other.folder, 'started')
    const program = join(other.folder, 'handler')
    writeFileSync(program, script(file), { mode: 0o700 })
    const agent = (name: string, ...more: string[]) => ['serf', 'agent', `-node=${name}`, ...more]
    one.space.spawn(agent(one.name), { stdio: 'ignore' })
    other.space.spawn(
      agent(
        other.name,
        `-event-handler=user:started=${program}`,
        `-retry-join=${one.address}`,
        '-retry-interval=1s'
      ),
      { stdio: 'ignore' }
    )
    const both = async () =>
      (await one.space.try(['serf', 'members'])).stdout.split('\n').filter(l => l.includes('alive'))
        .length === 2
    for (const until = performance.now() + 30_000; !(await both()); await delay(200))
      if (performance.now() > until) throw new Error('the agents of serf do not see each other')
    return new Serf(file, one.space)
  }

  /** An event is told at once, and not gathered with others of its name, when it says so. */
  async started(times: number): Promise<number[]> {
    const took: number[] = []
    for (let n = 0; n < times; n++) {
      await delay(200 + Math.random() * 200)
      const before = lines(this.#file).length
      const start = origin()
      const began = performance.now()
      this.#space.spawn(['serf', 'event', '-coalesce=false', 'started', `${before}`], { stdio: 'ignore' })
      took.push((await told(this.#file, before + 1)) - start - began)
    }
    return took
  }
}

/** Twenty messages, three by the command line and five events of serf are a repetition. */
export async function messages(lab: Lab, times: number): Promise<Series[]> {
  const undo: (() => unknown)[] = []
  const trips = figure('round trip of a ping over that session', 'short')
  const disk = figure('write and fdatasync of what a transaction writes, that disk', 'short')
  const command = figure('`coterie send` typed → handler started', 'short')
  const version = execFileSync('serf', ['version'], { encoding: 'utf8' }).split('\n')[0]
  const event = figure(`serf ${version}: \`serf event\` typed → handler started`, 'short')
  const socket: number[] = []
  try {
    const [one, other] = await couple({ teardown: fn => undo.push(fn) }, lab)
    const serf = await Serf.open(lab)
    await sendToStarted(one, other, 10)
    for (let n = 0; n < times; n++) {
      for (let part = 0; part < 4; part++) {
        socket.push(...(await sendToStarted(one, other, SENDS / 4)))
        disk.values.push(...synced(one.directory, SENDS / 4))
      }
      const { LatencyUSec } = await one.aside('Ping', { Peer: other.name, Count: 3 })
      trips.values.push(...LatencyUSec.map(usec => usec / 1_000))
      command.values.push(...(await commandToStarted(one, other, COMMANDS)))
      event.values.push(...(await serf.started(EVENTS)))
    }
    const extra = (p: number) => percentile(trips.values, p) + 2 * percentile(disk.values, p)
    const what =
      'call on the socket → handler started, plain process; target: 8 / 30 ms, a round trip and two fdatasync'
    const target = { p50: TARGET.p50 + extra(0.5), p95: TARGET.p95 + extra(0.95) }
    const result: Series = { what, unit: 'short', target, values: socket }
    return [result, command, trips, disk, event]
  } finally {
    for (const fn of undo.reverse()) await fn()
  }
}
