/** Circles that are too large for a full mesh, up to a thousand devices. Counters decide, no clocks. */
import t from 'tap'
import { Crowd } from '../sim/crowd.ts'
import type { Unit } from '../sim/unit.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** Pairs of which one shows what is not so: a device that runs as gone, or the other way round. */
function wrong(crowd: Crowd, seeing: readonly Unit[] = crowd.units): string[] {
  const found: string[] = []
  for (const unit of seeing) {
    if (!unit.running || !unit.awake) continue
    for (const [id, { state, reason }] of unit.mesh!.peers()) {
      const other = crowd.units[crowd.members.number(id)]!
      const up = other.running && other.awake && crowd.way(unit, other) && crowd.way(other, unit)
      if (up !== (state === 'reachable'))
        found.push(`${unit.number} shows ${other.number} ${state} ${reason}`)
    }
  }
  return found
}

/** Whether sessions lead from one to all that run. */
function whole(crowd: Crowd): boolean {
  const up = crowd.units.filter(unit => unit.running && unit.awake)
  const seen = new Set([up[0]!])
  for (const unit of seen)
    for (const end of unit.ends.values()) if (end.other.unit.awake) seen.add(end.other.unit)
  return seen.size === up.length
}

const sessions = (crowd: Crowd): number[] => crowd.units.filter(u => u.running).map(unit => unit.ends.size)
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

/** Packets and bytes of one device in a second, while nothing happens. */
function idle(crowd: Crowd, ms: number): { packets: number; bytes: number } {
  const count = (what: 'packets' | 'bytes') => sum(crowd.units.map(unit => unit.sent[what]))
  const before = { packets: count('packets'), bytes: count('bytes') }
  crowd.run(ms)
  const per = (crowd.units.length * ms) / 1_000
  return { packets: (count('packets') - before.packets) / per, bytes: (count('bytes') - before.bytes) / per }
}

t.test('sixteen have a full mesh, seventeen a view', async t => {
  for (const devices of [16, 17]) {
    const crowd = new Crowd({ devices, seed: devices })
    crowd.start()
    crowd.run(2 * MINUTE)
    t.same(wrong(crowd), [])
    const most = Math.max(...sessions(crowd))
    if (devices === 16) t.equal(Math.min(...sessions(crowd)), 15)
    else t.ok(most <= 8, `${most} sessions`)
  }
})

t.test('a thousand devices: an idle one has little more to do than one of a hundred', async t => {
  const figures = [100, 1_000].map(devices => {
    const crowd = new Crowd({ devices, seed: devices, skew: 1e-4 })
    crowd.start()
    crowd.run(2 * MINUTE)
    crowd.alarms.length = 0
    const rates = idle(crowd, 4 * MINUTE)
    t.same(crowd.alarms, [], 'nobody is accused')
    t.same(wrong(crowd, crowd.units.slice(0, 20)), [], 'all see all')
    const most = Math.max(...sessions(crowd))
    t.ok(most <= Math.ceil(Math.log2(devices)) + 5, `${most} sessions at most`)
    t.ok(whole(crowd))

    const [unit] = crowd.units
    crowd.follow(unit!)
    crowd.move(unit!)
    crowd.run(5 * SECOND)
    const { heard, hops } = crowd.followed
    t.equal(heard, devices, 'a change reaches all')
    t.ok(hops <= 1.5 * Math.ceil(Math.log2(devices) / 2) + 4, `in ${hops} hops`)
    return rates
  })
  const [hundred, thousand] = figures
  t.ok(thousand!.packets <= 2 * hundred!.packets, `${thousand!.packets} packets/s, ${hundred!.packets}`)
  t.ok(thousand!.bytes <= 2 * hundred!.bytes, `${thousand!.bytes} B/s, ${hundred!.bytes}`)
})

t.test('a peer nobody has a session with is dialled when it is asked for, and let go again', async t => {
  const crowd = new Crowd({ devices: 200, seed: 3 })
  crowd.start()
  crowd.run(3 * MINUTE)
  const [unit] = crowd.units
  const far = crowd.units.find(
    other => other !== unit && ![...unit!.ends.values()].some(end => end.other.unit === other)
  )!
  const view = unit!.mesh!.peers().get(far.id)!
  t.match(view, { state: 'reachable', latencyUSec: 0, path: '' }, 'by what others say')
  unit!.tell(mesh => t.ok(mesh.ping(unit!.now, far.id, 7)))
  crowd.run(SECOND)
  t.same(unit!.pongs, [7])
  t.match(unit!.mesh!.peers().get(far.id), { state: 'reachable', path: 'direct' })
  t.ok(unit!.mesh!.session(far.id))
  crowd.run(3 * MINUTE)
  t.equal(unit!.mesh!.session(far.id), undefined)
  t.match(unit!.mesh!.peers().get(far.id), { state: 'reachable', path: '' })
  t.same(wrong(crowd, [unit!, far]), [])
})

t.test('devices stop, are killed and come back: all see what is so', async t => {
  const crowd = new Crowd({ devices: 100, seed: 4, loss: 0.01 })
  crowd.start()
  crowd.run(MINUTE)
  const gone = crowd.units.filter(({ number }) => number % 7 === 3)
  for (const [i, unit] of gone.entries()) i % 2 === 0 ? unit.stop() : unit.kill()
  crowd.run(MINUTE)
  t.same(wrong(crowd), [], 'gone')
  for (const unit of gone) unit.start(2_000 + crowd.now)
  crowd.run(MINUTE)
  t.same(wrong(crowd), [], 'back')
})

t.test('half of all fall asleep, most with a word, and wake later', async t => {
  const crowd = new Crowd({ devices: 200, seed: 5, skew: 1e-4 })
  crowd.start()
  crowd.run(2 * MINUTE)
  const sleepers = crowd.units.filter(() => crowd.random() < 0.5)
  for (const [i, unit] of sleepers.entries()) unit.sleep(i % 5 > 0)
  crowd.run(3 * MINUTE)
  t.same(wrong(crowd), [], 'asleep')
  t.ok(whole(crowd))
  const awake = crowd.units.find(unit => unit.awake)!
  const states = [...awake.mesh!.peers().values()].map(({ state }) => state)
  t.equal(states.filter(state => state === 'asleep').length, sleepers.filter((_, i) => i % 5 > 0).length)
  crowd.run(MINUTE)
  for (const unit of sleepers) unit.wake()
  crowd.run(3 * MINUTE)
  t.same(wrong(crowd), [], 'awake')
  t.ok(whole(crowd))
})

t.test('a circle in two parts finds together again', async t => {
  const crowd = new Crowd({ devices: 200, seed: 6 })
  crowd.start()
  crowd.run(2 * MINUTE)
  for (const unit of crowd.units) crowd.parts[unit.number] = crowd.random() < 0.3 ? 1 : 0
  crowd.run(5 * MINUTE)
  t.same(wrong(crowd), [], 'in two parts')
  crowd.parts.fill(0)
  crowd.run(3 * MINUTE)
  t.same(wrong(crowd), [], 'in one')
  t.ok(whole(crowd))
  t.ok(Math.max(...sessions(crowd)) <= 16)
})
