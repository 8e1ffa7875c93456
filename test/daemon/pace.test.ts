import t from 'tap'
import { Pace } from '../../src/daemon/surfaces/pace.ts'
import { FakeClock } from './fake-clock.ts'

function paced() {
  const clock = new FakeClock()
  const told: [number, string, object][] = []
  const pace = new Pace(50, (path, changed) => told.push([clock.time, path, changed]), clock)
  return { clock, pace, told }
}

t.test('a quiet object is told at once, a busy one in its time, and always the last value', async t => {
  const { clock, pace, told } = paced()
  pace.change('/a', { X: 1 })
  clock.run(1010)
  pace.change('/a', { X: 2, Y: 1 })
  pace.change('/b', { X: 1 })
  pace.change('/a', { X: 3 })
  clock.run(1200)
  t.same(told, [
    [1000, '/a', { X: 1 }],
    [1010, '/b', { X: 1 }],
    [1050, '/a', { X: 3, Y: 1 }]
  ])
  t.same(clock.timers, [], 'no timer when all is quiet')
  pace.change('/a', { X: 4 })
  t.same(told.at(-1), [1200, '/a', { X: 4 }])
})

t.test('a change every millisecond: 20 a second, none lost at the end', async t => {
  const { clock, pace, told } = paced()
  for (let n = 0; n < 1000; n++) {
    pace.change('/a', { N: n })
    pace.change('/b', { N: n })
    clock.run(clock.time + 1)
  }
  clock.run(3000)
  for (const path of ['/a', '/b']) {
    const its = told.filter(([, p]) => p === path)
    t.ok(its.length >= 20 && its.length <= 21, `${its.length} times`)
    t.same(its.at(-1)?.[2], { N: 999 })
    t.ok(its.every(([at], i) => i === 0 || at - (its[i - 1]?.[0] ?? 0) >= 50))
  }
})

t.test('flush, drop, clear', async t => {
  const { clock, pace, told } = paced()
  for (const path of ['/a', '/b', '/c']) {
    pace.change(path, { X: 1 })
    pace.change(path, { X: 2 })
  }
  told.length = 0
  pace.flush('/a')
  pace.flush('/a')
  t.same(told, [[1000, '/a', { X: 2 }]])
  pace.drop('/b')
  clock.run(1040)
  pace.change('/b', { X: 3 })
  t.same(told.at(-1), [1040, '/b', { X: 3 }], 'a dropped object begins anew')
  pace.clear()
  clock.run(2000)
  t.equal(told.length, 2)
  t.same(clock.timers, [])
})
