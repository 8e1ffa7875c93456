/** Which announcements a circle follows: after a removal, and on networks that are not trusted. */
import t from 'tap'
import { type Computer as C, World } from './circle-world.ts'

/** Addresses that it dials from now on. */
function dials(of: C): string[] {
  const dialled: string[] = []
  const around = of.around as { connect: C['around']['connect'] }
  const { connect } = around
  around.connect = (address, signal) => {
    dialled.push(address)
    return connect(address, signal)
  }
  return dialled
}
const ELSEWHERE = '198.51.100.7'
const there = `tcp://${ELSEWHERE}:24747`

t.test('whoever acknowledged the new key over a session is not followed under the old one', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const old = b.announcement
  const announced = { a: a.announced, b: b.announced }
  await world.done(a.circle.remove(c.self))
  await world.until(() => a.circle.recognises(b.announcement), 'b has the new key')
  t.ok(a.announced > announced.a && b.announced > announced.b, 'both announce anew at once')
  await world.pass(1_000)
  b.crash()
  await world.until(() => !a.sees(b), 'it is gone')
  const dialled = dials(a)
  a.circle.heard(old, ELSEWHERE)
  await world.pass(1_000)
  t.notOk(dialled.includes(there), 'played back, or made by the removed device: nobody goes there')
})

t.test('one that was away for the removal is followed under the old key, once in ten minutes', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const old = b.announcement
  b.crash()
  await world.until(() => !a.sees(b), 'it is away')
  await world.done(a.circle.remove(c.self))
  t.notOk(a.circle.recognises(old), 'nobody answers under the old key')
  const dialled = dials(a)
  a.circle.heard(old, ELSEWHERE)
  await world.pass(1_000)
  t.ok(dialled.includes(there))
  const again = '198.51.100.8'
  a.circle.heard(old, again)
  await world.pass(1_000)
  t.notOk(dialled.includes(`tcp://${again}:24747`))

  world.reaches = (from, to) => from === a && to === b
  b.start()
  const fresh = b.announcement
  await world.meet(a, b)
  await world.until(() => a.circle.recognises(b.announcement), 'it has the new key')
  await world.pass(1_000)
  b.crash()
  await world.pass(660_000)
  const last = '198.51.100.9'
  a.circle.heard(fresh, last)
  await world.pass(1_000)
  t.notOk(dialled.includes(`tcp://${last}:24747`), 'no more, since it has the new one')
})

t.test('where we only listen an announcement leads to no new address', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const heard = b.announcement
  const remembered = () => a.peer(b.self)?.Addresses.includes(b.uri) === true
  await world.until(remembered, 'it was told where b is')
  b.crash()
  await world.until(() => !a.sees(b), 'it is gone')
  await world.pass(120_000)
  const dialled = dials(a)
  a.circle.heard(heard, ELSEWHERE, 'listen')
  await world.pass(500)
  t.notOk(dialled.includes(there))
  dialled.length = 0
  a.circle.heard(heard, b.address, 'listen')
  await world.pass(500)
  t.same(dialled, [b.uri], 'a remembered one is dialled at once')
  a.circle.heard(heard, ELSEWHERE, 'announce')
  await world.pass(500)
  t.ok(dialled.includes(there))
})
