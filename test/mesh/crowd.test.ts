/** Circles that are too large for a full mesh, up to a thousand devices. Counters decide, no clocks. */
import t from 'tap'
import { encodeSummary, encodeWants, encodeWords } from '../../src/wire/census.ts'
import { Kind } from '../../src/wire/frame.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { Crowd } from '../sim/crowd.ts'
import { mostRounds, rates, sessions, whole, wrong } from '../sim/picture.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

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

t.test(
  'a thousand devices: an idle one has little more to do than one of a hundred',
  { timeout: FILE_MS },
  async t => {
    const figures = [100, 1_000].map(devices => {
      const crowd = new Crowd({ devices, seed: devices, skew: 1e-4 })
      crowd.start()
      crowd.run(2 * MINUTE)
      crowd.calm()
      const rate = rates(crowd, 4 * MINUTE)
      t.same(crowd.firstAlarms, [], 'nobody is accused')
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
      t.ok(hops <= mostRounds(devices), `in ${hops} hops`)
      return rate
    })
    const [hundred, thousand] = figures
    t.ok(thousand!.packets <= 2 * hundred!.packets, `${thousand!.packets} packets/s, ${hundred!.packets}`)
    t.ok(thousand!.bytes <= 2 * hundred!.bytes, `${thousand!.bytes} B/s, ${hundred!.bytes}`)
  }
)

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
  const crowd = new Crowd({ devices: 100, seed: 5, skew: 1e-4 })
  crowd.start()
  crowd.run(90 * SECOND)
  const sleepers = crowd.units.filter(() => crowd.random() < 0.5)
  // who has a session with other sleepers only tells nobody who could pass it on
  const heard = sleepers.filter(
    (unit, i) => i % 5 > 0 && [...unit.ends.values()].some(({ other }) => !sleepers.includes(other.unit))
  )
  for (const [i, unit] of sleepers.entries()) unit.sleep(i % 5 > 0)
  crowd.run(2 * MINUTE)
  t.same(wrong(crowd), [], 'asleep')
  t.ok(whole(crowd))
  const awake = crowd.units.find(unit => unit.awake)!
  const states = [...awake.mesh!.peers().values()].map(({ state }) => state)
  t.equal(states.filter(state => state === 'asleep').length, heard.length)
  t.ok(heard.length >= sleepers.length * 0.7)
  for (const unit of sleepers) unit.wake()
  crowd.run(2 * MINUTE)
  t.same(wrong(crowd), [], 'awake')
  t.ok(whole(crowd))
})

t.test('a circle in two parts finds together again', async t => {
  const crowd = new Crowd({ devices: 150, seed: 6 })
  crowd.start()
  crowd.run(90 * SECOND)
  for (const unit of crowd.units) crowd.parts[unit.number] = crowd.random() < 0.3 ? 1 : 0
  crowd.run(3 * MINUTE)
  t.same(wrong(crowd), [], 'in two parts')
  crowd.parts.fill(0)
  crowd.run(2 * MINUTE)
  t.same(wrong(crowd), [], 'in one')
  t.ok(whole(crowd))
  t.ok(Math.max(...sessions(crowd)) <= 16)
})

t.test('members come and go: what is known of the others is kept', async t => {
  const crowd = new Crowd({ devices: 40, seed: 9 })
  crowd.start()
  crowd.run(90 * SECOND)
  const [unit] = crowd.units
  const far = crowd.units.find(other => other !== unit && !unit!.mesh!.session(other.id))!
  const gone = [...unit!.ends.values()].slice(0, 3).map(({ other }) => other.unit)
  const members = crowd.members.ids.filter(id => !gone.some(other => other.id === id))
  const before = unit!.mesh!.peers().get(far.id)!
  unit!.tell(mesh => {
    mesh.offer(unit!.now, far.id, ['tcp://192.0.2.9:1'], 'known')
    mesh.setMembers(unit!.now, members)
  })
  t.equal(unit!.mesh!.peers().size, 36)
  t.equal(unit!.mesh!.peers().get(gone[0]!.id), undefined)
  t.same(unit!.mesh!.peers().get(far.id), before)
  crowd.run(30 * SECOND)
  for (const { other } of unit!.ends.values()) t.notOk(gone.includes(other.unit))
  unit!.tell(mesh => mesh.ping(unit!.now, far.id, 1))
  t.ok(unit!.mesh!.candidates(unit!.now, far.id).some(({ address }) => address === 'tcp://192.0.2.9:1'))
  crowd.run(30 * SECOND)
  t.ok(whole(crowd))
  crowd.parts[unit!.number] = 1
  crowd.run(MINUTE)
  const reachable = [...unit!.mesh!.peers().values()].filter(({ state }) => state === 'reachable')
  t.same(reachable, [], 'one without any session believes nobody to be there')
})

t.test('one that lies of others harms nobody who knows better', async t => {
  const crowd = new Crowd({ devices: 60, seed: 7 })
  crowd.start()
  crowd.run(90 * SECOND)
  crowd.calm()
  const [liar, victim] = [crowd.units[0]!, crowd.units[30]!]
  const knowing = [...victim.ends.values()].map(({ other }) => other.unit)
  const words = (version: number) =>
    encodeWords([{ key: crowd.members.keys[victim.number]!, incarnation: 1_000, version, reason: 3 }])
  const before = crowd.units.reduce((all, unit) => all + unit.sent.packets, 0)
  let shown = 0
  for (let second = 0; second < 60; second++) {
    for (const { other } of liar.ends.values())
      other.unit.tell(mesh => mesh.receive(other.unit.now, other.session, Kind.Gossip, words(2 * second + 1)))
    crowd.run(SECOND)
    for (const unit of knowing) if (unit.mesh!.peers().get(victim.id)!.state !== 'reachable') shown++
  }
  t.equal(shown, 0, 'who has a session with it never believes it')
  crowd.run(MINUTE)
  t.same(wrong(crowd), [], 'nor does anybody a minute later')
  t.equal(crowd.records[victim.number]!.incarnation, 1_000, 'its own word is as it was')
  const packets = crowd.units.reduce((all, unit) => all + unit.sent.packets, 0) - before
  t.ok(packets < 60 * 120 * 8, `${packets} packets`)
})

t.test('what was not asked for, and what makes no sense, is counted and dropped', async t => {
  const crowd = new Crowd({ devices: 40, seed: 8 })
  crowd.start()
  crowd.run(90 * SECOND)
  const [unit] = crowd.units
  const [session] = unit!.ends.keys()
  const give = (body: Uint8Array) => unit!.tell(mesh => mesh.receive(unit!.now, session!, Kind.Gossip, body))
  give(encodeWants([crowd.members.keys[0]!]))
  give(Uint8Array.of(6, 0, 4, 0, 1, 0, 0, 0))
  give(Uint8Array.of(7, 0, 0))
  give(new Uint8Array())
  give(encodeSummary(1, 2))
  give(encodeSummary(1, 2))
  crowd.run(10 * SECOND)
  t.equal(unit!.counts.get('wants-unasked'), 1)
  t.equal(unit!.counts.get('entries-unasked'), 1)
  t.equal(unit!.counts.get('malformed'), 2)
  t.same(wrong(crowd), [])
})
