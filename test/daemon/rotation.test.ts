import t from 'tap'
import { Rotation } from '../../src/daemon/network/rotation.ts'
import { Kernel } from '../observer/kernel.ts'

const MINUTE = 60_000
const SLOT = 15 * MINUTE
const START = 100_000 * SLOT + MINUTE
/** When it rotates in 50 minutes, by the clock that stands still or runs on; `clock` may set the wall clock. */
async function rotations(seed: number, set?: { at: number; to: number }): Promise<number[]> {
  const kernel = new Kernel(seed)
  const { clock } = kernel
  const times: number[] = []
  await kernel.during(START, async () => {
    const rotation = new Rotation(() => times.push(clock.now))
    rotation.start()
    if (set !== undefined) {
      clock.after(set.at, () => {
        const { now } = clock
        Date.now = () => set.to + clock.now - now
      })
    }
    await clock.settle(50 * MINUTE)
    rotation.stop()
  })
  return times
}

t.test('once in each slot, within 20 s of its beginning, at no moment that could be known', async t => {
  const [one, other] = [await rotations(1), await rotations(2)]
  for (const times of [one, other]) {
    t.equal(times.length, 3)
    for (const [i, time] of times.entries()) {
      const late = time - ((i + 1) * SLOT - MINUTE)
      t.ok(late >= 0 && late <= 20_000, `${late.toFixed(0)} ms`)
    }
  }
  t.not(one[0]! % SLOT, other[0]! % SLOT)
  t.not(one[0]! % SLOT, one[1]! % SLOT)
})

t.test('a clock that is set, forward or back, is noticed within a minute', async t => {
  for (const to of [START + 10 * 365 * 96 * SLOT, START - 10 * SLOT]) {
    const at = 5 * MINUTE + 5
    const [first] = await rotations(1, { at, to })
    t.ok(first! >= at && first! <= at + MINUTE, `${first! - at} ms after it`)
  }
})

t.test('after a sleep, in which timers stand still, too', async t => {
  const at = 5 * MINUTE + 5
  const [first] = await rotations(1, { at, to: START + at + 8 * 60 * MINUTE })
  t.ok(first! >= at && first! <= at + MINUTE)
})
