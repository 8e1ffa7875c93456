import t from 'tap'
import { Turns } from '../../src/daemon/joining/turns.ts'

t.test('four at once, then four a second; one a second of one source', async t => {
  const turns = new Turns<number>()
  for (let n = 0; n < 10; n++) turns.wait(`source ${n}`, n)
  t.same(turns.next(0), [0, 1, 2, 3])
  t.same(turns.next(0), [])
  t.same(turns.next(249), [])
  t.same(turns.next(250), [4])
  t.same(turns.next(1_250), [5, 6, 7, 8])
  t.same(turns.next(60_000), [9])
  for (let n = 0; n < 3; n++) turns.wait('one', n)
  t.same(turns.next(60_000), [0])
  t.same(turns.next(60_999), [])
  t.same(turns.next(61_000), [1])
  t.same(turns.next(63_000), [2], 'no turns are saved up')
})

t.test('who had none for the longest time comes first', async t => {
  const turns = new Turns<string>()
  for (const [ms, source] of ['a', 'b', 'c', 'd'].entries()) {
    turns.wait(source, source)
    t.same(turns.next(ms), [source])
  }
  for (const source of ['b', 'a', 'new', 'a']) turns.wait(source, source)
  t.same(turns.next(253), ['new'], 'the others had their turn this second')
  t.same(turns.next(1_003), ['a', 'b'], 'and then in the order of their last turns')
  t.same(turns.next(2_002), [])
  t.same(turns.next(2_003), ['a'])
})

t.test('a flood from one source keeps nobody waiting', async t => {
  const turns = new Turns<string>()
  for (let ms = 0; ms < 10_000; ms += 10) {
    turns.wait('flood', 'flood')
    turns.next(ms)
  }
  turns.wait('honest', 'honest')
  t.same(turns.next(10_000), ['honest', 'flood'])
})

t.test('those that left have no turn, and cost none', async t => {
  const turns = new Turns<string>()
  for (let n = 0; n < 100; n++) turns.wait(`source ${n}`, 'gone')
  turns.wait('honest', 'honest')
  turns.forget(one => one === 'gone')
  t.same(turns.next(0), ['honest'])
})
