/** An interface goes down and up a hundred times, with real NetworkManager beneath. */
import { flap } from './flapping.ts'
import { scenario } from './scenario.ts'

const FLAPS = 50

scenario('an interface flaps', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await h1.start()
  await h2.startCounted()
  await h1.coterie('init --name home')
  await h1.dialable()
  await h2.coterie('join - --yes', await h1.coterie('invite --ticket'))
  const right = async () => {
    await h2.addressed(h2.address('a'))
    await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
    await h2.coterie('ping h1')
  }
  await right()

  t.comment('what is made at the first of them is no leak')
  await flap(h2, FLAPS)
  await right()
  const before = await h2.counters()
  await flap(h2, FLAPS)
  await right()
  const after = await h2.counters()
  const more = (of: 'descriptors' | 'timers' | 'heap') => after[of] - before[of]
  t.ok(more('descriptors') <= 6, `${after.descriptors} descriptors, ${more('descriptors')} more than before`)
  t.ok(more('timers') <= 15, `${after.timers} timers, ${more('timers')} more than before`)
  t.ok(more('heap') < 2 ** 20, `${after.heap} bytes in use, ${more('heap')} more than before`)
  t.equal(h2.daemon.listeners.filter(l => l['Address'] === h2.address('a')).length, 1)
  t.same(
    (await h2.listening()).filter(address => address.startsWith(h2.address('a'))).length,
    1,
    'one listener'
  )
})
