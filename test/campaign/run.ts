/**
 * The second tier of tests: `node test/campaign/run.ts [REPETITIONS] [MEASURE …]` (20, all). Figures into
 * docs/performance.md, and when no measure is named boxes with systemd and membership histories too. COTERIE_LABS
 * says how many labs may run at once for one measure, where the computer is busy with other things.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { Lab, type Lan } from '../lab/lab.ts'
import { labMissing } from '../lab/missing.ts'
import { alarms, flaps, idleOnBattery, idleOnMains } from './endurance.ts'
import { serf, syncthing } from './field.ts'
import { place, rows, rowsIn, type Series, table } from './figures.ts'
import { kills } from './kills.ts'
import { downAndUp, endings, joins, neverMet, removals, stranger } from './measure.ts'
import { address, battery, cable, moves, pair, sleep } from './presence.ts'
import { installed } from './resting.ts'
import { messages } from './started.ts'
import { jetstream, queued } from './throughput.ts'

interface Measure {
  /** Where its figures stand. */
  readonly section: 'Lab' | 'Presence' | 'Others' | 'Messages' | 'Installed'
  readonly run: (lab: Lab, times: number) => Promise<Series[]>
  /** Computers of the lab; h1 and h2 are in a circle for those of the first section. */
  readonly places: { readonly [host: string]: Lan }
  /** In so many labs at once, each with its share: for what is mostly waiting. */
  readonly labs?: number
  /** A program that must be there. */
  readonly needs?: string
}
const three = { h1: 'a', h2: 'a', h3: 'a' } as const
const lab = (run: Measure['run']): Measure => ({ section: 'Lab', run, places: three })
const presence = (run: Measure['run'], places: Measure['places'] = three, labs = 1): Measure => ({
  section: 'Presence',
  run,
  places,
  labs
})
const post = (run: Measure['run'], needs = ''): Measure => ({ section: 'Messages', run, places: {}, needs })
const measures: { readonly [name: string]: Measure } = {
  down: lab(downAndUp),
  met: lab(neverMet),
  endings: lab(endings),
  stranger: lab(stranger),
  joins: lab(joins),
  removals: lab(removals),
  cable: presence(cable, three, 5),
  pair: presence(pair, { h1: 'a', h2: 'a' }, 5),
  address: presence(address),
  moves: presence(moves, three, 5),
  sleep: presence(sleep, three, 5),
  flaps: presence(flaps, { h1: 'a', h2: 'a' }),
  battery: presence(battery, three, 5),
  idle: presence(idleOnMains, { h1: 'a' }),
  'idle-battery': presence(idleOnBattery, { h1: 'a' }),
  serf: { section: 'Others', run: serf, places: {}, needs: 'serf' },
  syncthing: { section: 'Others', run: syncthing, places: {}, needs: 'syncthing' },
  alarms: presence(alarms, { h1: 'a', h2: 'a', h3: 'a', h4: 'a' }),
  messages: post(messages, 'serf'),
  queued: post(queued),
  jetstream: post(jetstream, 'nats-server'),
  kills: post(kills),
  installed: { section: 'Installed', run: installed, places: {}, needs: 'systemd-nspawn' }
}
/** What runs at once: those that wait more than they work, or whose figures another one cannot spoil. */
const together = [
  ['battery', 'serf', 'syncthing'],
  ['idle', 'idle-battery']
]

const top = new URL('../..', import.meta.url).pathname
const path = `${top}docs/performance.md`
const words = process.argv.slice(2)
const times = /^\d+$/.test(words[0] ?? '') ? Number(words.shift()) : 20
const unknown = words.filter(word => !measures[word])
const missing = labMissing()
if (missing || unknown.length > 0 || times < 1) {
  const names = Object.keys(measures).join(' ')
  const usage = `usage: node test/campaign/run.ts [REPETITIONS] [MEASURE …]\nmeasures: ${names}`
  console.error(missing ?? (unknown.length ? `there is no ${unknown.join(', ')}\n${usage}` : usage))
  process.exit(2)
}

/** With fewer repetitions figures are only printed. */
const LEAST = 10
const STAGGER_MS = 5_000
let failed = 0
const wanted = words.length > 0 ? words : Object.keys(measures)
const left = new Set(wanted)
for (const name of wanted) {
  const group = (together.find(names => names.includes(name)) ?? [name]).filter(n => left.delete(n))
  await Promise.all(group.map(measured))
}
if (words.length === 0) {
  const tests = [
    'boxes',
    'keys',
    'apart',
    'handlers',
    'packages',
    'life',
    'walls',
    'wrong',
    'without-systemd',
    'first-minutes',
    'panels',
    'gnome',
    'tray'
  ].map(name => `test/campaign/${name}.test.ts`)
  const packages = ['scripts/package.ts', '--twice']
  for (const args of [packages, ['test/run.ts', ...tests], ['test/campaign/histories.ts']])
    if (spawnSync('node', args, { cwd: top, stdio: 'inherit' }).status !== 0) failed++
}
process.exitCode = failed ? 1 : 0

async function measured(name: string): Promise<void> {
  const { section, needs, labs = 1 } = measures[name]!
  if (needs && spawnSync('sh', ['-c', `command -v ${needs}`]).status !== 0) {
    console.log(`\n${name}: skipped, ${needs} is not installed`)
    return
  }
  const began = performance.now()
  try {
    const count = Math.min(labs, times, Number(process.env['COTERIE_LABS'] || labs))
    const shares = Array.from({ length: count }, (_, n) => Math.floor((times + n) / count))
    // one after the other: what starts at once starts slowly
    const parts = await Promise.all(
      shares.map(async (share, n) => {
        await delay(n * STAGGER_MS)
        return inLab(measures[name]!, share)
      })
    )
    const [first, ...more] = parts as [Series[], ...Series[][]]
    for (const [n, series] of first.entries()) for (const part of more) series.values.push(...part[n]!.values)
    if (times >= LEAST) write(section, first)
    const seconds = Math.round((performance.now() - began) / 1000)
    console.log(`\n${name}, ${seconds} s\n${table(rows(first, today()))}`)
  } catch (error) {
    failed++
    console.error(`${name}: ${(error as Error).message}`)
  }
}

async function inLab({ section, places, run }: Measure, share: number): Promise<Series[]> {
  const undo: (() => unknown)[] = []
  try {
    const lab = await Lab.up({ teardown: fn => undo.push(fn) }, places)
    if (section === 'Lab') await lab.circle(...lab.all('h1', 'h2'))
    return await run(lab, share)
  } finally {
    for (const fn of undo) await fn()
  }
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** At once, so that a measure that fails later takes nothing away. */
function write(section: Measure['section'], all: readonly Series[]): void {
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n'
  const own = new Map([...rowsIn(before, section), ...rows(all, today())])
  const said = {
    Lab: 'A session counts when both ends show the other one `reachable`.',
    Presence: `${cpus().length} cores for all computers of a lab.`,
    Others: `The same events in the same labs, on computers without NetworkManager.`,
    Messages: `${cpus().length} cores for both computers, which have no NetworkManager; daemons as packages have them.`,
    Installed: `The package in booted boxes, as the service of a user: systemd 252 (Debian 12) and 257 (Debian 13), ${cpus().length} cores.`
  }[section]
  const places = section === 'Installed' ? '' : ' in network namespaces'
  const managers = ['Others', 'Messages', 'Installed'].includes(section) ? '' : ' with real NetworkManagers'
  const text = `Measured by \`npm run campaign\`${places}${managers}. ${said}\n\n${table(own)}`
  writeFileSync(path, place(before, section, text))
}
