/** The database of a receiver was put back from a copy: what runs again and what does not (docs/handlers.md). */
import t from 'tap'
import { Disk, pair } from './pair.ts'

function receiver() {
  const { clock, wire, a, b } = pair(7)
  wire.open(a, b)
  const putBack = (disk: Disk) => {
    b.kill()
    b.disk = disk
    b.start()
    wire.open(a, b)
  }
  const states = () => a.outbox.list.map(({ state, reason }) => (state === 'dead' ? reason : state))
  return { clock, a, b, putBack, states }
}

t.test('a copy from before the message', async t => {
  const { clock, a, b, putBack, states } = receiver()
  a.send('x', 'zero')
  clock.run(100)
  const copy = new Disk(b.disk)
  a.send('x', 'one')
  clock.run(200)
  t.same(states(), ['done', 'done'])
  putBack(new Disk(copy))
  a.send('x', 'two')
  clock.run(400)
  t.same(b.order, ['x zero', 'x one', 'x two'], 'what its sender knows to be done does not come again')

  t.comment('its sender knows that it has begun, but not how it ended')
  b.took = () => 1_000
  a.send('x', 'three')
  clock.run(500)
  t.same(states().at(-1), 'started')
  putBack(copy)
  clock.run(2_000)
  t.same(states().at(-1), 'unknown')
  t.equal(b.order.filter(text => text === 'x three').length, 1, 'and it is not run again')
})

t.test('a copy in which the message runs', async t => {
  const { clock, a, b, putBack, states } = receiver()
  b.took = () => 100
  a.send('x', 'one')
  clock.run(50)
  const copy = new Disk(b.disk)
  t.same(
    [...copy.received.values()].map(({ state }) => state),
    ['started']
  )
  clock.run(300)
  t.same(states(), ['done'])
  putBack(copy)
  clock.run(600)
  t.same(b.order, ['x one'], 'it is not run again')
  t.same(states(), ['done'], 'and its sender knows better')
})

t.test('a copy in which the message waits', async t => {
  const { clock, a, b, putBack, states } = receiver()
  b.took = () => 100
  a.send('x', 'one')
  a.send('x', 'two')
  clock.run(50)
  const copy = new Disk(b.disk)
  t.same(
    [...copy.received.values()].map(({ state }) => state),
    ['started', 'received']
  )
  clock.run(400)
  t.same(states(), ['done', 'done'])
  putBack(copy)
  clock.run(900)
  t.same(b.order, ['x one', 'x two', 'x two'], 'it runs again: nothing that is left says that it had')
  t.same(states(), ['done', 'done'])
})
