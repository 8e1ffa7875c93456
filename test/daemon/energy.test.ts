import t from 'tap'
import { Activity, type ActivityRecord } from '../../src/api/api.ts'
import { empty } from '../../src/api/types.ts'
import { activity, Energy } from '../../src/daemon/energy.ts'
import type { Power } from '../../src/host/power.ts'
import type { LinkCounts } from '../../src/mesh/mesh.ts'
import { Tally } from '../../src/net/tally.ts'

function world() {
  const none = empty(Activity) as ActivityRecord
  const state = {
    now: 0,
    counts: none,
    power: { onBattery: false, by: '' } as Power,
    metered: false,
    links: [] as LinkCounts[]
  }
  const energy = new Energy({
    now: () => state.now,
    counts: () => state.counts,
    power: () => state.power,
    metered: () => state.metered,
    links: () => state.links
  })
  /** One wake-up a second of 2 packets; the daemon is awake for each, or for none. */
  const pass = (seconds: number, sampled = true) => {
    for (let i = 0; i < seconds; i++) {
      state.now += 1000
      const { WakeUps, LinkWrites } = state.counts
      state.counts = { ...none, WakeUps: WakeUps + 1, LinkWrites: LinkWrites + 2 }
      if (sampled) energy.sample()
    }
  }
  return { energy, state, pass }
}

t.test('lately is the last minute, as far as there were samples', async t => {
  const { energy, pass } = world()
  pass(30)
  t.match(energy.report(), {
    UpUSec: 30e6,
    LatelyUSec: 30e6,
    Total: { WakeUps: 30 },
    Lately: { WakeUps: 30 }
  })
  pass(270)
  const after = energy.report()
  t.match(after, { UpUSec: 300e6, Total: { WakeUps: 300, LinkWrites: 600 } })
  t.ok(after.LatelyUSec >= 60e6 && after.LatelyUSec <= 70e6, `${after.LatelyUSec}`)
  t.equal(after.Lately.WakeUps, after.LatelyUSec / 1e6)
  t.equal(after.Lately.LinkWrites, 2 * after.Lately.WakeUps)
  pass(600, false)
  const rested = energy.report()
  t.ok(rested.LatelyUSec >= 600e6 && rested.LatelyUSec <= 610e6, 'as long as it rested')
  pass(61, false)
  t.equal(energy.report().LatelyUSec, 61e6, 'who asks is a reason to be awake')
})

t.test('power and links', async t => {
  const { energy, state } = world()
  const plain = { Power: 'mains', PowerSource: '', Metered: false, KeepaliveUSec: 15e6 }
  t.match(energy.report(), { ...plain, Links: 0, SlowLinks: 0 })
  state.metered = true
  t.match(energy.report(), { ...plain, Metered: true, KeepaliveUSec: 60e6 })
  state.power = { onBattery: true, by: 'UPower' }
  state.links = [
    { all: 2, slow: 2, beyond: 1, longest: 22_500 },
    { all: 3, slow: 1, beyond: 2, longest: 15_000 }
  ]
  t.match(energy.report(), {
    Power: 'battery',
    PowerSource: 'UPower',
    KeepaliveUSec: 60e6,
    Links: 5,
    SlowLinks: 3,
    FarLinks: 3,
    FarKeepaliveUSec: 22_500_000
  })
})

t.test('all counters', async t => {
  const tally = new Tally()
  tally.linkWrites = 1
  tally.multicastBytesHeard = 2
  const counts = activity(tally, { fires: 3 }, [{ signals: 4 }, { signals: 5 }])
  t.match(counts, { LinkWrites: 1, MulticastBytesHeard: 2, TimerFires: 3, Signals: 9 })
  t.same(Object.keys(counts), Object.keys(Activity.fields))
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(resolve, 1)
  await promise
  const { WakeUps } = activity(tally, { fires: 3 }, [])
  t.ok(WakeUps > counts.WakeUps, 'it has slept')
})
