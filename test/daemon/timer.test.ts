import { mock } from 'node:test'
import t from 'tap'
import { Timer } from '../../src/daemon/timer.ts'

function timer(t: { teardown(fn: () => void): void }) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const state = { now: 0, due: Number.POSITIVE_INFINITY, expired: [] as number[], next: [] as number[] }
  const made = new Timer(
    () => state.now,
    () => state.due,
    () => {
      state.expired.push(state.now)
      state.due = state.next.shift() ?? Number.POSITIVE_INFINITY
    }
  )
  const pass = (ms: number) => {
    for (let i = 0; i < ms; i++) {
      state.now++
      mock.timers.tick(1)
    }
  }
  return { made, state, pass }
}

t.test('it calls when the least deadline has passed, then waits for the next', async t => {
  const { made, state, pass } = timer(t)
  made.arm()
  pass(100)
  t.same(state.expired, [], 'none')
  state.due = 110.5
  state.next = [120]
  made.arm()
  made.arm()
  pass(10)
  t.same(state.expired, [], 'not early')
  pass(100)
  t.same(state.expired, [111, 120])
})

t.test('a deadline may come nearer, go away, or be past', async t => {
  const { made, state, pass } = timer(t)
  state.due = 50
  made.arm()
  state.due = 10
  made.arm()
  pass(20)
  t.same(state.expired, [10])
  state.due = 30
  made.arm()
  state.due = Number.POSITIVE_INFINITY
  made.arm()
  pass(50)
  t.same(state.expired, [10])
  state.due = 5
  made.arm()
  pass(2)
  t.equal(state.expired.length, 2, 'at once')
  state.due = 80
  made.arm()
  made.stop()
  pass(100)
  t.equal(state.expired.length, 2, 'stopped')
})

t.test('a deadline beyond what a timer can count does not fire at once', async t => {
  const { made, state, pass } = timer(t)
  state.due = 2 ** 40
  made.arm()
  pass(10)
  t.same(state.expired, [])
  made.stop()
})
