/** What goes before what: a little of one tag is not held up by much of another, and of each tag nothing overtakes. */
import t from 'tap'
import { Turns } from '../../src/messages/turns.ts'
import { pair } from './pair.ts'

t.test('tags in turn, each in order', async t => {
  const turns = new Turns()
  for (const seq of [1, 2, 3, 7]) turns.add('much', seq)
  turns.add('little', 4)
  for (const seq of [6, 5, 6]) turns.add('mixed', seq)
  const taken: number[] = []
  turns.offer(seq => {
    if (seq === 3) return 'gone'
    taken.push(seq)
    return 'sent'
  })
  t.same(taken, [1, 4, 5, 2, 6, 7])
  turns.offer(() => {
    t.fail('all were taken')
    return 'over'
  })

  for (const seq of [8, 9]) turns.add('full', seq)
  for (const seq of [10, 11, 12]) turns.add('free', seq)
  taken.length = 0
  turns.offer(seq => {
    if (seq < 10) return 'full'
    if (seq === 12) return 'over'
    taken.push(seq)
    return 'sent'
  })
  t.same(taken, [10, 11])
  turns.offer(seq => {
    taken.push(seq)
    return 'sent'
  })
  t.same(taken, [10, 11, 8, 12, 9])
})

t.test('a question behind ten thousand others', async t => {
  const { clock, wire, a, b } = pair()
  for (let i = 0; i < 10_000; i++) a.send('bulk', `${i}`.padEnd(8_000))
  clock.run(60_000)
  wire.open(a, b)
  clock.run(75_000)
  t.ok(b.order.length < 2_000, `the receiver is at it: ${b.order.length}`)
  t.ok(b.inbox.list.length > 5_000, `and has much to do: ${b.inbox.list.length}`)
  a.send('quick', 'question')
  while (a.outbox.list.find(({ tag }) => tag === 'quick')?.state !== 'done') clock.step(Infinity)
  t.ok(clock.now < 75_500, `done ${clock.now - 75_000} ms later`)
  clock.run(900_000)
  const bulk = b.order.filter(each => each.startsWith('bulk'))
  t.equal(bulk.length, 10_000)
  t.ok(
    bulk.every((each, i) => each.trim() === `bulk ${i}`),
    'the others in order'
  )
})

t.test('of a tag nothing overtakes, whatever is not taken in for want of room', async t => {
  for (let seed = 1; seed <= 2; seed++) {
    const { clock, dice, wire, a, b } = pair(seed)
    const tags = ['one', 'two', 'three']
    b.took = () => dice.nat(8)
    for (let i = 0; i < 300; i++) {
      const size = dice.nat(3) === 0 ? 1_000_000 : dice.nat(2_000)
      a.send(dice.pick(tags), `${i}`.padEnd(size))
    }
    clock.run(10_000)
    wire.open(a, b)
    for (let i = 0; i < 20; i++) {
      clock.run(clock.now + dice.nat(200))
      wire.open(a, b)
    }
    clock.run(clock.now + 60_000)
    t.equal(b.order.length, 300)
    for (const tag of tags) {
      const numbers = b.order
        .filter(each => each.startsWith(`${tag} `))
        .map(each => Number(each.split(' ')[1]))
      t.same(
        numbers,
        [...numbers].sort((x, y) => x - y),
        `seed ${seed}: ${tag}`
      )
    }
  }
})
