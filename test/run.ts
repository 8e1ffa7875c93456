/**
 * Runs the tests and counts them: `node test/run.ts [lab | FILE | FOLDER …]`. A test is a test point at the top of a
 * file: a `t.test(…)` or a bare assertion there. The last line is `N passed, N failed`, with `, N skipped`
 * behind it where there were such.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import { Parser } from 'tap-parser'
import { labMissing } from './lab/missing.ts'

interface Outcome {
  passed: number
  skipped: string[]
  /** A line each. */
  failures: string[]
  /** What is known about them. */
  story: string
}
/** What a file may take; the longest takes 115 s of one processor. */
const LIMIT_MS = 600_000

const top = new URL('..', import.meta.url).pathname
process.chdir(top)
const args = process.argv.slice(2)
const all = globSync('test/**/*.test.ts')
  .filter(file => !file.startsWith('test/campaign/'))
  .sort()
const isLab = (file: string) => /^test\/(lab|campaign)\//.test(file)
const files = args.length === 0 ? all : args[0] === 'lab' ? all.filter(isLab) : args.flatMap(named)

/** The files of a folder, or the one file. */
function named(path: string): string[] {
  const place = relative(top, path)
  const inside = all.filter(file => file.startsWith(`${place}/`))
  return inside.length > 0 ? inside : [place]
}

const running = new Set<ChildProcess>()
let interrupted = false
const finished: Outcome[] = []
const started = performance.now()
/** What a campaign measures does not like company. */
const waits = (file: string) => isLab(file) && !file.startsWith('test/campaign/')
const [queue, labs] = [files.filter(file => !waits(file)), files.filter(waits)]
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    interrupted = true
    queue.length = labs.length = 0
    for (const child of running) child.kill('SIGTERM')
  })

const missing = labMissing()
const lanes = Array.from({ length: Math.min(2, availableParallelism()) }, () =>
  worker(() => queue.shift() ?? labs.shift())
)
// A lab waits most of the time, for deadlines of networks: there is always one of them beside the others.
lanes.push(worker(() => labs.shift()))
await Promise.all(lanes)
const seconds = ((performance.now() - started) / 1000).toFixed(0)
const failures = finished.flatMap(o => o.failures)
const skipped = finished.flatMap(o => o.skipped)
if (interrupted) failures.push('interrupted')
if (files.length === 0) failures.push('there is no such test file')
if (missing && process.env['COTERIE_LAB'] === 'required' && files.some(isLab))
  failures.push(`the lab must run here: ${missing}`)
if (skipped.length) console.log(`\nskipped:\n${skipped.map(s => `  ${s}`).join('\n')}`)
if (failures.length) console.log(`\nfailed:\n${failures.map(f => `  ${f}`).join('\n')}`)
const passed = finished.reduce((sum, o) => sum + o.passed, 0)
console.log(`\n${files.length} files, ${seconds} s`)
console.log(
  `${passed} passed, ${failures.length} failed${skipped.length ? `, ${skipped.length} skipped` : ''}`
)
process.exitCode = failures.length ? 1 : 0

async function worker(next: () => string | undefined): Promise<void> {
  for (let file = next(); file !== undefined; file = next()) {
    const began = performance.now()
    const outcome =
      isLab(file) && missing
        ? { passed: 0, skipped: [`${file}: ${missing}`], failures: [], story: '' }
        : await runFile(file)
    finished.push(outcome)
    const mark = outcome.failures.length ? 'FAIL' : outcome.passed ? 'ok  ' : 'skip'
    const took = ((performance.now() - began) / 1000).toFixed(1).padStart(6)
    console.log(`${mark} ${took} s  ${file}${outcome.passed ? ` (${outcome.passed})` : ''}`)
    for (const text of [...outcome.failures, outcome.story].filter(Boolean))
      console.log(text.replaceAll(/^/gm, '       '))
  }
}

/** The file's own process group gets SIGTERM at the limit, and SIGKILL 10 s later. */
function runFile(file: string): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, skipped: [], failures: [], story: '' }
  const env = { ...process.env, TAP_TIMEOUT: String(LIMIT_MS / 1000) }
  const child = spawn('node', [file], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env })
  running.add(child)
  let late = ''
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // it is gone
    }
  }
  const timer = setTimeout(() => {
    late = `${file}: took over ${LIMIT_MS / 1000} s`
    child.kill('SIGTERM')
    setTimeout(() => kill('SIGKILL'), 10_000).unref()
  }, LIMIT_MS)

  const deeper: string[] = []
  const parser = new Parser({ name: file })
  parser.on('assert', point => {
    const name = `${file} > ${point.name || 'unnamed'}`
    if (point.skip || point.todo) outcome.skipped.push(`${name}${reason(point.skip || point.todo)}`)
    else if (point.ok) outcome.passed++
    else {
      outcome.failures.push(name)
      if (!deeper.length) deeper.push([point.name, ...detail(point)].join('\n'))
    }
  })
  const descend = (p: Parser, names: string[]) =>
    p.on('child', c => {
      const inner = [...names, c.name]
      c.on(
        'assert',
        (point: { ok: boolean; skip?: unknown; todo?: unknown; name: string; diag?: unknown }) => {
          if (point.ok || point.skip || point.todo) return
          deeper.push([[...inner, point.name].join(' > '), ...detail(point)].join('\n'))
        }
      )
      descend(c, inner)
    })
  descend(parser, [])
  const complete = new Promise<void>(resolve => {
    parser.on('complete', result => {
      if (result.plan.skipAll) outcome.skipped.push(`${file}${reason(result.plan.skipReason)}`)
      else if (result.count === 0) outcome.failures.push(`${file}: ran no test`)
      for (const failure of result.failures)
        if ('tapError' in failure && failure.tapError) outcome.failures.push(`${file}: ${failure.tapError}`)
      resolve()
    })
  })
  child.stdout.on('data', chunk => parser.write(chunk)).on('end', () => parser.end())
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => (stderr = (stderr + text).slice(-12_000)))
  return new Promise(resolve => {
    child.on('error', error => {
      outcome.failures.push(`${file}: ${error.message}`)
      parser.end()
    })
    child.on('close', async (code, signal) => {
      clearTimeout(timer)
      await complete
      kill('SIGKILL')
      running.delete(child)
      if (late) outcome.failures.push(late)
      else if ((code !== 0 || signal) && !outcome.failures.length)
        outcome.failures.push(`${file}: ended with ${signal ?? code}`)
      if (outcome.failures.length) outcome.story = [...deeper, stderr.trim()].filter(Boolean).join('\n')
      resolve(outcome)
    })
  })
}

function reason(text: string | boolean | undefined): string {
  return typeof text === 'string' && text ? `: ${text}` : ''
}

/** What tap says about a failed point, without its stack and source. */
function detail(point: { diag?: unknown }): string[] {
  const diag = (point.diag ?? {}) as { [key: string]: unknown }
  const lines: string[] = []
  const at = diag['at'] as { fileName?: string; lineNumber?: number } | undefined
  if (at?.fileName) lines.push(`  at ${at.fileName}:${at.lineNumber}`)
  for (const key of ['diff', 'found', 'wanted', 'error', 'message', 'tapError'])
    if (diag[key] !== undefined && !(key !== 'diff' && diag['diff'] && key !== 'error'))
      lines.push(
        `  ${key}: ${typeof diag[key] === 'string' ? diag[key] : JSON.stringify(diag[key])}`.replaceAll(
          '\n',
          '\n    '
        )
      )
  return lines
}
