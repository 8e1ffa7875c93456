/**
 * `npm run bench`: everything that has a target in one run, into docs/performance.md. Competitors are installed
 * first; the rest happens in a network namespace of its own, where nothing is announced to anybody.
 * `node test/bench/run.ts [ROUNDS]` (5).
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { place } from '../campaign/figures.ts'
import { inside, missing } from '../namespace.ts'
import { calls } from './calls.ts'
import { changes } from './changes.ts'
import { install } from './competitors.ts'
import { idleFleet } from './fleet.ts'
import { inviteGuests, nobody } from './guests.ts'
import { bundled, checkout, place as placeOf, RunningDaemon, usage } from './program.ts'
import { table } from './ratio.ts'
import { resolving } from './resolving.ts'
import { sessionBenchmarks } from './session.ts'
import { start } from './start.ts'
import { type Results, verdicts } from './targets.ts'

const ABSENT = 'COTERIE_BENCH_ABSENT'
const IDLE_SECONDS = 40

process.env[ABSENT] ??= install()
if (missing) {
  console.error(`npm run bench ${missing}`)
  process.exit(2)
}
if (inside({ plan: () => {}, setTimeout: () => {} }, import.meta.url)) {
  await measure(Number(process.argv[2] ?? 5))
  // all that was started is stopped; a competitor's library may keep a handle of its own open
  process.exit()
}

async function measure(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-bench-'))
  const undo: (() => Promise<void>)[] = []
  const test = { teardown: (fn: () => Promise<void>) => void undo.push(fn) }
  const absent = process.env[ABSENT]
  if (absent) console.log(`without secret-stream and libp2p, which could not be installed: ${absent}`)
  const say = (title: string, unit: string, figures: Parameters<typeof table>[2]) =>
    console.log(`${table(title, unit, figures)}\n`)
  try {
    const forms = [checkout, await bundled(join(folder, 'bundle'))]
    const results: Results = { sessions: [], idle: [], absent: absent ?? '', resolving: resolving() }

    const guests = absent ? nobody : await inviteGuests()
    results.sessions = await sessionBenchmarks(rounds, '', guests)
    guests.close()
    for (const { title, unit, figures } of results.sessions) say(title, unit, figures)

    const path = join(folder, 'echo.sock')
    const echo = fork(new URL('echo.ts', import.meta.url), [path])
    undo.push(async () => echo.disconnect())
    await once(echo, 'message')
    results.changes = await changes(test, folder, path, rounds)
    say('a change, p50', 'µs', results.changes.bus)
    say('a change on the socket, p50', 'µs', results.changes.socket)

    const daemon = await RunningDaemon.start(forms[1]!, placeOf(join(folder, 'calls')))
    const cpu = async () => (usage(echo.pid!).cpu + usage(daemon.pid).cpu + usage(process.pid).cpu) * 1000
    results.calls = await calls(path, daemon.place.socket, rounds, cpu)
    await daemon.stop()
    say('a call, p50', 'µs', results.calls.one)
    say('calls, 32 on their way', '/s', results.calls.many)
    const { clients, answered, errors } = results.calls.clients
    console.log(`${clients} clients: ${answered} answers, ${errors} errors\n`)

    results.start = await start(forms, folder, Math.max(rounds, 7))
    say('start → ready, main thread', 'ms', results.start.cpu)
    say('start → ready, by the clock', 'ms', results.start.wall)

    for (const form of forms) {
      const idle = await idleFleet(form, IDLE_SECONDS)
      results.idle.push({ form: form.name, ...idle })
      console.log(form.name, idle)
    }
    write(verdicts(results), rounds)
  } finally {
    for (const fn of undo.reverse()) await fn()
    rmSync(folder, { recursive: true, force: true })
  }
}

function write(rows: string, rounds: number): void {
  const path = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
  const text = `Measured by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${availableParallelism()} cores shared with
other work, Node ${process.versions.node}, kernel ${release().split('-')[0]}, medians of ${rounds} interleaved rounds. Ratios
are within the run; times by the clock move with what else the machine does.

${rows}`
  writeFileSync(path, place(existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n', 'Bench', text))
}
