/** What a circle can tell of clocks and of who sees whom, by real announcements and sessions. */
import t from 'tap'
import { type Computer as C, World } from './circle-world.ts'

const SLOT = 900_000

t.test('a clock that is wrong is seen by the announcements alone', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const hear = () => a.circle.heard(b.announcement, '192.0.2.9', 'announce', 'eth0')
  const clocks = () => a.circle.explaining.clocks()
  hear()
  t.same(clocks(), [], 'it is right')

  b.wrongMs = 2 * SLOT + 60_000
  hear()
  const [far] = clocks()
  t.match(far, { name: 'b', far: true })
  t.ok(far!.ahead > 900 && far!.ahead <= 1860, `${far!.ahead} s ahead at least, of 1860`)

  b.wrongMs = -5 * 3_600_000
  hear()
  const [behind] = clocks()
  t.match(behind, { name: 'b', far: true })
  t.ok(behind!.ahead <= (-4 * 3_600_000) / 1000 && behind!.ahead >= -18_000, `${behind!.ahead} s`)

  b.wrongMs = 0
  hear()
  t.same(clocks(), [], 'it is mended')

  b.wrongMs = 3 * 86_400_000
  hear()
  t.same(clocks(), [], 'by days: that it is its announcement is not known')
})

t.test('why, of one that is heard with a wrong clock, and who sees whom', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const why = (name: string) =>
    world.done(a.circle.explaining.why(name, new AbortController().signal, () => {}))
  t.match(await why('b'), { State: 'reachable', Evidence: 'direct', Advice: [] })
  await world.pass(10_000)
  const rows = a.circle.explaining.matrix().Rows
  t.same(
    rows.filter(row => row.Observer === a.self).map(row => [row.PeerName, row.State]),
    [
      ['b', 'reachable'],
      ['c', 'reachable']
    ]
  )
  t.same(
    [...new Set(rows.map(row => row.ObserverName))],
    ['a', 'b', 'c'],
    'ours first, then what the others told'
  )
  t.ok(rows.every(row => row.Observer !== row.Peer))

  b.wrongMs = 8 * SLOT
  const announcement = b.announcement
  b.crash()
  await world.until(() => !a.sees(b), 'it is gone')
  await world.pass(10)
  a.circle.heard(announcement, '192.0.2.9', 'announce', 'eth0')
  const lost = await why('b')
  t.match(lost, {
    State: 'unreachable',
    Heard: [{ Interface: 'eth0', Address: '192.0.2.9', Followed: false }]
  })
  t.ok(lost.ClockAheadUSec >= 6300e6 && lost.ClockBehindUSec === 0, `${lost.ClockAheadUSec}`)
  t.ok(lost.Advice.some(text => /clock of b is .* ahead of this one, so that its announcements/.test(text)))

  await world.done(a.circle.remove(c.self))
  await t.rejects(why('c'), { code: 'NoSuchPeer', message: /^c was a member/ })
  await t.rejects(why('a'), { code: 'InvalidValue' })
  await world.until(() => c.circle.record.Level === 0, 'c knows')
  await t.rejects(world.done(c.circle.explaining.why('a', new AbortController().signal, () => {})), {
    code: 'NotAllowed'
  })
})
