/**
 * The second tier of tests: `node test/campaign/run.ts [REPETITIONS]` (20). Boxes with systemd, membership
 * histories, and figures into docs/performance.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Lab } from '../lab/lab.ts'
import { labMissing } from '../lab/missing.ts'
import { place, type Series, table } from './figures.ts'
import { downAndUp, endings, joins, neverMet, removals, stranger } from './measure.ts'

const top = new URL('../..', import.meta.url).pathname
const times = Number(process.argv[2] ?? 20)
const missing = labMissing()
if (missing || !Number.isInteger(times) || times < 1) {
  console.error(missing ?? 'usage: node test/campaign/run.ts [REPETITIONS]')
  process.exit(2)
}

let failed = 0
const all: Series[] = []
for (const measure of [downAndUp, neverMet, endings, stranger, joins, removals]) {
  const undo: (() => unknown)[] = []
  try {
    const lab = await Lab.up({ teardown: fn => undo.push(fn) }, { h1: 'a', h2: 'a', h3: 'a' })
    await lab.circle(...lab.all('h1', 'h2'))
    const measured = await measure(lab, times)
    all.push(...measured)
    console.log(`\n${table(measured)}`)
  } catch (error) {
    failed++
    console.error(`${measure.name}: ${(error as Error).message}`)
  } finally {
    for (const fn of undo) await fn()
  }
}

const path = `${top}docs/performance.md`
const text = `Measured by \`npm run campaign\` in network namespaces with real NetworkManagers, ${times} repetitions on
${new Date().toISOString().slice(0, 10)}. A session counts when both ends show the other one \`reachable\`.

${table(all)}`
const before = existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n'
if (failed === 0) writeFileSync(path, place(before, 'Lab', text))

const boxes = spawnSync(
  'node',
  ['test/run.ts', 'test/campaign/boxes.test.ts', 'test/campaign/keys.test.ts'],
  {
    cwd: top,
    stdio: 'inherit'
  }
)
const histories = spawnSync('node', ['test/campaign/histories.ts'], { cwd: top, stdio: 'inherit' })
process.exitCode = failed || boxes.status || histories.status ? 1 : 0
