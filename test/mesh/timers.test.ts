import t from 'tap'
import type { Timer } from '../../src/mesh/timers.ts'
import { Timers, timer } from '../../src/mesh/timers.ts'
import { fc } from '../draws.ts'

t.test('what is due fires in order of time, once', async t => {
  const timers = new Timers()
  const fired: string[] = []
  const named = (name: string) => timer(now => fired.push(`${name} ${now}`))
  const [a, b, c] = [named('a'), named('b'), named('c')]
  t.equal(timers.next, Infinity)
  timers.set(a, 30)
  timers.set(b, 10)
  timers.set(c, 20)
  timers.advance(a, 40)
  t.equal(timers.next, 10)
  timers.clear(c)
  timers.expire(25)
  t.same(fired, ['b 25'])
  t.equal(timers.next, 30)
  timers.advance(a, 26)
  timers.expire(26)
  t.same(fired, ['b 25', 'a 26'])
  t.equal(timers.next, Infinity)
  t.equal(timers.size, 0)
})

t.test('what has slack fires early with something that is due, and never late', async t => {
  const timers = new Timers()
  const fired: string[] = []
  const named = (name: string) => timer(now => fired.push(`${name} ${now}`))
  const [strict, loose, far] = [named('strict'), named('loose'), named('far')]
  timers.set(strict, 10)
  timers.set(loose, 15, 5)
  timers.set(far, 30, 10)
  t.equal(timers.next, 10)
  timers.expire(9)
  t.same(fired, [])
  timers.expire(10)
  t.same(fired, ['strict 10', 'loose 10'])
  timers.expire(25)
  t.same(fired.length, 2, 'alone it waits for its time')
  timers.expire(30)
  t.same(fired.at(-1), 'far 30')
  timers.set(loose, 50, 20)
  timers.advance(loose, 40)
  timers.set(strict, 35)
  timers.expire(35)
  t.same(fired.at(-1), 'strict 35', 'moved, it has the slack it was moved with')
})

t.test('a timer may set itself again', async t => {
  const timers = new Timers()
  let fired = 0
  const again: Timer = timer(now => {
    fired++
    timers.set(again, now + 10)
  })
  timers.set(again, 0)
  timers.expire(5)
  t.equal(fired, 1)
  t.equal(timers.next, 15)
  timers.set(again, Infinity)
  t.equal(timers.size, 0)
})

t.test('the next is always the least of those that are set', async t => {
  const step = fc.record({
    which: fc.nat(9),
    what: fc.constantFrom('set' as const, 'advance' as const, 'clear' as const, 'expire' as const),
    at: fc.nat(100)
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const timers = new Timers()
      const all = Array.from({ length: 10 }, () => timer(() => {}))
      const model = new Map<number, number>()
      for (const { which, what, at } of steps) {
        if (what === 'set') {
          timers.set(all[which]!, at)
          model.set(which, at)
        } else if (what === 'advance') {
          timers.advance(all[which]!, at)
          model.set(which, Math.min(at, model.get(which) ?? Infinity))
        } else if (what === 'clear') {
          timers.clear(all[which]!)
          model.delete(which)
        } else {
          timers.expire(at)
          for (const [key, due] of model) if (due <= at) model.delete(key)
        }
        if (timers.size !== model.size) return false
        if (timers.next !== Math.min(Infinity, ...model.values())) return false
      }
      return true
    }),
    { numRuns: 500 }
  )
  t.pass()
})
