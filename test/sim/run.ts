/**
 * `npm run sim`: circles of 100, 1,000 and 10,000 devices in simulated time, each with the core that the daemon has.
 * A table of what was seen, also into docs/performance.md; fails when a target is missed.
 * `node test/sim/run.ts [DEVICES [PART …]]` (10000, all of: thousand loss many).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { place } from '../campaign/figures.ts'
import { Crowd } from './crowd.ts'
import { joined, mostRounds, mostSessions, rates, sessions, sum, until, whole, wrong } from './picture.ts'
import type { Unit } from './unit.ts'

interface Row {
  readonly what: string
  readonly seen: string
  readonly target?: string
  readonly met?: boolean
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DEVICES = Number(process.argv[2] ?? 10_000)
const PARTS = process.argv.slice(3)
const wanted = (part: string): boolean => PARTS.length === 0 || PARTS.includes(part)
const SEED = 4_711
const rows: Row[] = []
const began = performance.now()

function row(what: string, seen: string, target?: string, met?: boolean): void {
  rows.push(target === undefined ? { what, seen } : { what, seen, target, met: met === true })
  const verdict = met === undefined ? '' : met ? 'met' : 'MISSED'
  const seconds = ((performance.now() - began) / 1_000).toFixed(0).padStart(4)
  console.log(`${seconds} s  ${what}: ${seen}${target === undefined ? '' : ` (${target})`} ${verdict}`)
}

const commas = (n: number): string => Math.round(n).toLocaleString('en')
const per = (n: number): string => n.toFixed(n < 10 ? 2 : 0)
const seconds = (ms: number): string => (ms === Infinity ? 'never' : `${(ms / SECOND).toFixed(1)} s`)
const gigabytes = (): number => process.memoryUsage().rss / 2 ** 30
let most = 0
const noteMemory = (): void => {
  most = Math.max(most, gigabytes())
}

/** A crowd whose sessions are those it will keep. */
function settled(devices: number, loss = 0): Crowd {
  const crowd = new Crowd({ devices, seed: SEED, skew: 1e-4, loss, latencyMs: 50, jitterMs: 20 })
  crowd.start()
  crowd.run(120 * SECOND)
  noteMemory()
  return crowd
}

function idleAndChange(crowd: Crowd): { packets: number; bytes: number } {
  const devices = crowd.units.length
  const n = commas(devices)
  const rate = rates(crowd, 2 * MINUTE)
  row(`${n}, idle: sent by a device`, `${per(rate.packets)} packets/s, ${per(rate.bytes)} B/s`)
  const counts = sessions(crowd)
  const limit = mostSessions(devices)
  row(
    `${n}: sessions of a device, mean / most`,
    `${per(sum(counts) / devices)} / ${Math.max(...counts)}`,
    `≤ ${limit}, and those in use`,
    sum(counts) / devices <= limit
  )
  const hops: number[] = []
  const times: number[] = []
  let heard = 0
  const before = sum(crowd.units.map(unit => unit.sent.bytes))
  for (const [i, unit] of crowd.units.filter((_, i) => i % Math.floor(devices / 5) === 0).entries()) {
    if (i >= 5) break
    crowd.follow(unit)
    crowd.move(unit)
    crowd.run(5 * SECOND)
    hops.push(crowd.followed.hops)
    times.push(crowd.followed.lastAt - crowd.followed.since)
    heard += crowd.followed.heard
  }
  const bytes = (sum(crowd.units.map(unit => unit.sent.bytes)) - before) / devices / 5 - rate.bytes * 5
  row(
    `${n}: rounds until a change is with all, of 5 changes the most`,
    `${Math.max(...hops)}; ${seconds(Math.max(...times))}`,
    `≤ ${mostRounds(devices)}`,
    heard === 5 * devices && Math.max(...hops) <= mostRounds(devices)
  )
  row(`${n}: sent by a device for a change`, `${commas(bytes)} B`)
  return rate
}

/** Devices whose pictures are looked at. */
function sample(crowd: Crowd): Unit[] {
  const step = Math.max(1, Math.floor(crowd.units.length / 40))
  return crowd.units.filter((_, i) => i % step === 0)
}

/** How long until the sample shows what is so, and sessions join all. */
function right(crowd: Crowd, limit = 5 * MINUTE): number {
  const some = sample(crowd)
  const first = some.slice(0, 3)
  return until(
    crowd,
    SECOND,
    limit,
    () => wrong(crowd, first).length === 0 && wrong(crowd, some).length === 0
  )
}

function comesBack(crowd: Crowd): void {
  const n = commas(crowd.units.length)
  const unit = crowd.units[7]!
  unit.stop()
  crowd.run(10 * SECOND)
  const other = crowd.units[99]!
  const missed = 20
  for (let i = 0; i < missed; i++) crowd.move(crowd.units[100 + i]!)
  crowd.run(20 * SECOND)
  unit.start(
    2_000,
    crowd.records.filter(record => record.incarnation === 1_000)
  )
  const before = unit.received
  const time = right(crowd, MINUTE)
  row(
    `${n}: one that missed ${missed} changes is back: received until all agree`,
    `${commas(unit.received - before)} B, ${seconds(time)}`
  )
  other.stop()
  crowd.run(10 * SECOND)
  other.start(3_000)
  const neighbour = crowd.units[101]!
  other.tell(mesh => mesh.offer(other.now, neighbour.id, [neighbour.address], 'static'))
  const empty = other.received
  const filled = until(crowd, SECOND, 2 * MINUTE, () => wrong(crowd, [other]).length === 0)
  const each = (other.received - empty) / crowd.units.length
  row(
    `${n}: one that knows nobody but one: until it knows all`,
    `${seconds(filled)}, ${commas(other.received - empty)} B, ${per(each)} B a member`
  )
}

function sleepers(crowd: Crowd, share: number, within: number): void {
  const n = commas(crowd.units.length)
  const some = crowd.units.filter((_, i) => i % Math.round(1 / share) === 1)
  for (const [i, unit] of some.entries())
    crowd.wheel.after(crowd.random() * within, () => unit.sleep(i % 2 === 0))
  crowd.run(within)
  const fell = right(crowd)
  noteMemory()
  row(
    `${n}: ${commas(some.length)} fall asleep in ${seconds(within)}, half of them without a word: until all know`,
    seconds(fell),
    'all know',
    fell < Infinity
  )
  row(`${n}: sessions join all that are awake`, `${whole(crowd)}`, 'yes', whole(crowd))
  for (const unit of some) crowd.wheel.after(crowd.random() * within, () => unit.wake())
  crowd.run(within)
  const woke = right(crowd)
  noteMemory()
  row(`${n}: they wake in ${seconds(within)}: until all know`, seconds(woke), 'all know', woke < Infinity)
}

function parts(crowd: Crowd, share: number): void {
  const n = commas(crowd.units.length)
  for (const unit of crowd.units) crowd.parts[unit.number] = crowd.random() < share ? 1 : 0
  const apart = right(crowd)
  noteMemory()
  row(`${n}: cut into parts of ${commas(sum([...crowd.parts]))} and the rest: until all know`, seconds(apart))
  row(`${n}: sessions join each part`, `${whole(crowd)}`, 'yes', whole(crowd))
  crowd.parts.fill(0)
  const together = right(crowd)
  noteMemory()
  row(`${n}: one again: until all know`, seconds(together), 'all know', together < Infinity)
  row(`${n}: sessions join all`, `${whole(crowd)}`, 'yes', whole(crowd))
}

/** One way of every twentieth link carries nothing. */
function oneWay(crowd: Crowd): void {
  const n = commas(crowd.units.length)
  let cut = 0
  for (const unit of crowd.units)
    for (const { other } of unit.ends.values()) {
      if (crowd.random() >= 0.025) continue
      crowd.cuts.add(unit.number * crowd.units.length + other.unit.number)
      cut++
    }
  crowd.run(3 * MINUTE)
  const some = sample(crowd)
  let lies = 0
  for (const unit of some)
    for (const [id, { state }] of unit.mesh!.peers()) {
      const other = crowd.unit(id)
      // who is there for others may be shown as it is for us
      if (state !== 'reachable' && joined(crowd, unit, other)) lies++
      if (state === 'reachable' && unit.mesh!.session(id) !== undefined && !joined(crowd, unit, other)) lies++
    }
  row(
    `${n}: ${commas(cut)} links carry one way only: wrong pictures after 3 min`,
    `${lies} of ${commas(some.length * crowd.units.length)}`,
    '0',
    lies === 0
  )
  row(`${n}: sessions that carry both ways join all`, `${whole(crowd)}`, 'yes', whole(crowd))
  crowd.cuts.clear()
  crowd.run(2 * MINUTE)
}

function alarms(devices: number, loss: number, hours: number): void {
  const crowd = settled(devices, loss)
  crowd.calm()
  const packets = rates(crowd, hours * HOUR)
  const spent = devices * hours
  const rate = crowd.alarms / spent
  const bound =
    crowd.alarms === 0 ? ` (95 % sure: ≤ ${(3 / spent).toExponential(1)})` : ` ${crowd.firstAlarms[0]}`
  row(
    `${commas(devices)} at ${100 * loss} % loss each way, 50 ± 20 ms, ${commas(spent)} device-hours: false alarms per device-hour`,
    `${rate === 0 ? 0 : rate.toExponential(1)}${bound}; ${per(packets.packets)} packets/s`,
    loss === 0.05 ? '≤ 1e-4' : undefined,
    rate <= 1e-4
  )
}

const hundred = idleAndChange(settled(100))
if (wanted('thousand')) {
  const thousand = settled(1_000)
  idleAndChange(thousand)
  sleepers(thousand, 0.5, 10 * SECOND)
  parts(thousand, 0.5)
  oneWay(thousand)
}
if (wanted('loss')) {
  alarms(500, 0.05, 6)
  alarms(500, 0.1, 1)
}
if (wanted('many')) {
  const crowd = settled(DEVICES)
  const many = idleAndChange(crowd)
  row(
    `packets and bytes of an idle device, ${commas(DEVICES)} / 100`,
    `${per(many.packets / hundred.packets)} and ${per(many.bytes / hundred.bytes)}`,
    '≤ 2',
    many.packets <= 2 * hundred.packets && many.bytes <= 2 * hundred.bytes
  )
  comesBack(crowd)
  sleepers(crowd, 0.05, 3 * SECOND)
  parts(crowd, 0.03)
}
const { user, system } = process.cpuUsage()
const minutes = (user + system) / 1_000 / MINUTE
row(
  'memory of the whole simulation, at most',
  `${most.toFixed(1)} GB, ${((most * 2 ** 20) / DEVICES).toFixed(0)} KB a device`,
  '≤ 16 GB',
  most <= 16
)
row('time of a processor', `${minutes.toFixed(1)} minutes`, '≤ 15', minutes <= 15)

const table = [
  '| what | seen | target | met |',
  '|---|---|---|---|',
  ...rows.map(
    ({ what, seen, target = '', met }) =>
      `| ${what} | ${seen} | ${target} | ${met === undefined ? '–' : met ? 'yes' : '**no**'} |`
  )
]
const document = new URL('../../docs/performance.md', import.meta.url)
if (DEVICES === 10_000 && PARTS.length === 0)
  writeFileSync(
    document,
    place(
      readFileSync(document, 'utf8'),
      'Simulation',
      `Measured by \`npm run sim\`, seed ${SEED}.\n\n${table.join('\n')}`
    )
  )
process.exitCode = rows.some(({ met }) => met === false) ? 1 : 0
