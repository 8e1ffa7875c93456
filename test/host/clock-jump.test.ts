import t from 'tap'
import { ClockJump, readUptime } from '../../src/host/clock-jump.ts'

/** A computer with two clocks; `awake` moves both, `asleep` one. */
function computer(granularity = 10) {
  const clocks = { mono: 50_000, boot: 90_000 as number | undefined }
  const rounded = () => clocks.boot && Math.floor(clocks.boot / granularity) * granularity
  const jump = new ClockJump({ now: () => clocks.mono, uptime: rounded })
  const awake = (ms: number) => {
    clocks.mono += ms
    if (clocks.boot !== undefined) clocks.boot += ms
  }
  const asleep = (ms: number) => {
    if (clocks.boot !== undefined) clocks.boot += ms
  }
  return { clocks, jump, awake, asleep }
}

t.test('a sleep is told once, with its length', async t => {
  const { jump, awake, asleep } = computer()
  t.equal(jump.look(), 0)
  awake(1_234_567)
  t.equal(jump.look(), 0, 'time that passes is no sleep')
  asleep(8 * 3_600_000)
  awake(5)
  t.ok(Math.abs(jump.look() - 8 * 3_600_000) <= 20)
  t.equal(jump.look(), 0)
  awake(15_000)
  t.equal(jump.look(), 0)
})

t.test('short ones add up; coarse clocks do not', async t => {
  const { jump, awake, asleep } = computer()
  const told: number[] = []
  for (let i = 0; i < 5; i++) {
    asleep(700)
    awake(1_000)
    told.push(jump.look())
  }
  t.equal(told.filter(ms => ms > 0).length, 1)
  const coarse = computer(1_000)
  for (let i = 0; i < 5_000; i++) {
    coarse.awake(i * 0.77)
    if (coarse.jump.look() !== 0) t.fail('whole seconds are no sleep')
  }
})

t.test('nobody knows, or talks nonsense', async t => {
  const { jump, clocks, awake, asleep } = computer()
  clocks.boot = undefined
  t.equal(jump.look(), 0)
  clocks.boot = 500_000
  awake(10)
  t.equal(jump.look(), 0, 'there is nothing to compare with')
  clocks.boot = 3
  t.equal(jump.look(), 0, 'back')
  asleep(60_000)
  t.equal(jump.look() > 50_000, true, 'from there on')
})

t.test('this computer', async t => {
  const begun = performance.now()
  const first = readUptime()!
  t.ok(first > 0)
  const jump = new ClockJump({ now: () => performance.now() })
  // the wall clock is not asked
  const { now } = Date
  for (const year of [1970, 2038, 2106, 2026]) {
    Date.now = () => Date.UTC(year, 0, 19)
    t.equal(jump.look(), 0, `the year ${year}`)
  }
  Date.now = now
  t.ok(readUptime()! - first <= performance.now() - begun + 20)
})
