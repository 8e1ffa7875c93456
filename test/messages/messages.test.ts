/** Outbox and inbox of two devices, one situation at a time. */
import t from 'tap'
import { Disk, pair, type Side } from './pair.ts'

const states = (side: Side): string[] => side.outbox.list.map(({ state, reason }) => `${state} ${reason}`)

t.test('a sender whose database was put back: what it sends then arrives too, each once', async t => {
  const { clock, wire, a, b } = pair()
  wire.open(a, b)
  a.send('x', 'before')
  clock.run(100)
  const backup = new Disk(a.disk)
  for (const text of ['one', 'two']) a.send('x', text)
  clock.run(200)
  a.kill()
  a.disk = backup
  a.start()
  wire.open(a, b)
  for (const text of ['three', 'four', 'five']) a.send('x', text)
  clock.run(1_000)
  t.same([...b.order].sort(), ['x before', 'x five', 'x four', 'x one', 'x three', 'x two'])
  t.ok(a.outbox.list.every(({ state }) => state === 'done'))
})

t.test('a message that ran after the copy that was put back is not run again, and shown', async t => {
  const { clock, wire, a, b } = pair()
  a.send('x', 'ran')
  clock.run(50)
  const backup = new Disk(a.disk)
  wire.open(a, b)
  clock.run(200)
  a.send('x', 'tells that the first is settled')
  clock.run(400)
  a.kill()
  a.disk = backup
  a.start()
  wire.open(a, b)
  clock.run(1_000)
  t.same(b.order, ['x ran', 'x tells that the first is settled'])
  t.same(states(a), ['dead unknown'])
})

t.test('exit 75: again after a while, until it ends', async t => {
  const { clock, wire, a, b } = pair()
  let runs = 0
  b.exit = () => (++runs < 3 ? 75 : 0)
  wire.open(a, b)
  a.send('x', 'stubborn', 86_400_000)
  clock.run(1_000)
  t.same(states(a), ['later none'])
  for (let at = 1_000; at < 400_000; at += 1_000) {
    clock.run(at)
    b.expire()
  }
  t.equal(runs, 3)
  t.same(states(a), ['done none'])
})

t.test('what nobody hands over in time becomes a dead letter, and is kept for a month', async t => {
  const { clock, a, b } = pair()
  a.send('x', 'late', 60_000)
  clock.run(60_100)
  a.expire()
  clock.run(61_000)
  t.same(states(a), ['dead expired'])
  t.same(b.runs, [])
  clock.run(31 * 86_400_000)
  a.expire()
  t.same(states(a), [])
})

t.test('receipts that went to a session which the sender had left come on the next one', async t => {
  const { clock, wire, a, b } = pair()
  wire.open(a, b)
  wire.lost = b
  a.send('x', 'one')
  clock.run(1_000)
  t.same([states(a), b.order], [['queued none'], ['x one']])
  wire.lost = undefined
  b.opened()
  clock.run(2_000)
  t.same([states(a), b.runs.length], [['done none'], 1])
})

t.test('taken back: at once when nobody has it, else as the receiver says', async t => {
  const { clock, wire, a, b } = pair()
  b.choose = () => ({ key: 'one', retry: false })
  b.took = () => 500
  a.send('x', 'never sent')
  clock.run(50)
  t.ok(a.outbox.cancel(clock.now, clock.now, a.accepted[0]!.id))
  t.same(states(a), ['dead cancelled'])
  wire.open(a, b)
  a.send('x', 'runs')
  a.send('x', 'waits')
  while (a.outbox.list.at(-1)?.state !== 'received') clock.step(Infinity)
  t.ok(a.outbox.cancel(clock.now, clock.now, a.accepted[2]!.id))
  a.carry()
  clock.run(clock.now + 1_000)
  t.same(b.order, ['x runs'])
  t.equal(a.outbox.get(a.accepted[2]!.id)?.reason, 'cancelled')
})

t.test('ten thousand for one who was away, in order', async t => {
  const { clock, wire, a, b } = pair()
  b.kill()
  for (let i = 0; i < 10_000; i++) a.send('x', `${i}`)
  clock.run(60_000)
  b.start()
  wire.open(a, b)
  clock.run(600_000)
  t.equal(b.order.length, 10_000)
  t.same(
    b.order.slice(0, 50),
    Array.from({ length: 50 }, (_, i) => `x ${i}`)
  )
  t.ok(b.order.every((each, i) => each === `x ${i}`))
})

t.test('a removed member gets nothing more, and what it sent does not begin', async t => {
  const { clock, wire, a, b } = pair()
  wire.open(a, b)
  b.choose = () => ({ key: 'one', retry: false })
  for (const text of ['first', 'second']) a.send('x', text)
  while (b.inbox.list.length < 2) clock.step(Infinity)
  b.inbox.remove(a.id)
  b.carry()
  a.outbox.remove(clock.now, clock.now, b.id)
  a.carry()
  wire.cut()
  clock.run(clock.now + 1_000)
  t.same(b.order, ['x first'])
  t.same(new Set(states(a)), new Set(['dead removed']))
})
