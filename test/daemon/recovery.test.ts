import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { readRecoveryCode, recoveryCode } from '../../src/crypto/recovery.ts'
import { shareText, splitCode } from '../../src/crypto/shares.ts'
import type { Use } from '../../src/daemon/circle/recovery.ts'
import { type Computer as C, START_MS, World } from './circle-world.ts'
import { fill } from './gates.ts'

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => (error instanceof ApiError ? error.code : String(error.stack))
  )
const HOUR = 3_600_000

/** Three devices, the first with the code; the second is an admin. */
async function home() {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  await b.join(await a.invite(2))
  const c = world.computer('c')
  await c.join(await a.invite())
  await world.meet(a, b, c)
  const use = (computer: C, more: Partial<Use> = {}) =>
    world.done(
      computer.circle.recovery.use({
        Code: a.recoveryCode,
        Shares: [],
        remove: [],
        beforeMs: undefined,
        lost: false,
        preview: false,
        ...more
      })
    )
  return { world, a, b, c, use }
}
const levels = (computer: C) =>
  Object.fromEntries(computer.circle.devices().map(({ Name, Level }) => [Name, Level]))
const told = (changes: Awaited<ReturnType<Awaited<ReturnType<typeof home>>['use']>>) =>
  changes.map(({ name, change }) => `${name} ${change}`).sort()

t.test('a code is verified by the recovery key in the genesis', async t => {
  const { world, a, c } = await home()
  const verify = (Code: string, Shares: string[] = []) =>
    code((async () => c.circle.recovery.key({ Code, Shares }))())
  t.equal(await verify(a.recoveryCode), 'no error', 'on any member')
  t.equal(await verify(a.recoveryCode.toLowerCase().replaceAll('-', ' ')), 'no error')
  t.equal(await verify(recoveryCode(fill(7, 20))), 'WrongRecoveryCode')
  t.equal(await verify(a.recoveryCode.slice(1)), 'InvalidValue')
  t.equal(await verify(''), 'InvalidValue')
  const [one, two, three] = splitCode(readRecoveryCode(a.recoveryCode), fill(9, 24)).map(shareText)
  t.equal(await verify('', [one!, three!]), 'no error')
  t.equal(await verify('', [three!, two!]), 'no error')
  t.equal(await verify('', [one!]), 'InvalidValue')
  t.equal(await verify('', [one!, one!]), 'InvalidValue')
  t.equal(await verify(a.recoveryCode, [one!, two!]), 'InvalidValue')
  const [foreign] = splitCode(fill(3, 20), fill(9, 24)).map(shareText)
  t.equal(await verify('', [foreign!, two!]), 'WrongRecoveryCode')
  t.same(levels(a), { a: 1, b: 2, c: 10 })
  await world.pass(1)
})

t.test('a member becomes a first device and removes the old one; all learn it, with a new key', async t => {
  const { world, a, b, c, use } = await home()
  t.same(told(await use(c, { remove: ['a'], preview: true })), ['a removed', 'c level'])
  t.same(levels(c), { a: 1, b: 2, c: 10 }, 'a preview changes nothing')
  const operations = c.disk.table('operation').length
  t.same(told(await use(c, { remove: ['a'] })), ['a removed', 'c level'])
  t.equal(c.disk.table('operation').length, operations + 2)
  const learnt = () => levels(b)['c'] === 1 && a.circle.record.Level === 0
  await world.until(learnt, 'they learn it', 1_000)
  t.same(levels(b), { b: 2, c: 1 })
  await world.pass(1_000)
  t.ok(b.circle.recognises(c.announcement))
  t.notOk(a.circle.recognises(c.announcement), 'the discovery key is new')
  t.equal(world.links(a, b) + world.links(a, c), 0)
  await world.done(c.circle.remove(b.self))
  t.same(levels(c), { c: 1 }, 'it may remove an admin now')
})

t.test('it works offline; who was away learns it by the ordinary exchange', async t => {
  const { world, a, b, c, use } = await home()
  await world.pass(10_000)
  a.crash()
  b.crash()
  await use(c, { remove: ['a'] })
  b.start()
  await world.meet(b, c)
  t.same(levels(b), { b: 2, c: 1 })
  a.start()
  await world.pass(30_000)
  t.equal(world.links(a, b) + world.links(a, c), 0, 'the removed one gets nothing')
  t.same(levels(a), { a: 1, b: 2, c: 10 })
})

t.test('a thief removed the others; the cut brings them back', async t => {
  const { world, a, b, c, use } = await home()
  await world.pass(2 * HOUR)
  const theft = START_MS + world.clock.now - HOUR
  await world.done(a.circle.remove(b.self))
  await world.until(() => b.circle.record.Level === 0, 'b knows')
  await world.done(a.circle.remove(c.self))
  await world.until(() => c.circle.record.Level === 0, 'c knows')
  const thief = world.computer('thief')
  await thief.join(await a.invite(2))

  t.same(
    told(await use(c, { remove: ['a'], preview: true })),
    ['a removed', 'c returns'],
    'the code stands above what removed this device; the other stays removed without a cut'
  )
  t.same(told(await use(c, { remove: ['a'], beforeMs: theft })), ['a removed', 'b returns', 'c returns'])
  t.same(levels(c), { b: 2, c: 1 })
  await world.until(() => b.circle.record.Level === 2, 'b is let in again', 120_000)
  t.same(levels(b), { b: 2, c: 1 })
  await world.meet(b, c)
  await world.pass(60_000)
  t.equal(world.links(thief, b) + world.links(thief, c) + world.links(a, b) + world.links(a, c), 0)
})

t.test('what cannot be done, and what is done twice', async t => {
  const { world, a, b, c, use } = await home()
  t.equal(await code(use(c, { remove: ['c'] })), 'InvalidValue', 'not oneself')
  t.equal(await code(use(c, { remove: ['x'] })), 'NoSuchPeer')
  t.equal(await code(use(c, { Code: recoveryCode(fill(7, 20)) })), 'WrongRecoveryCode')
  c.disk.full = true
  t.equal(await code(use(c, { remove: ['a'] })), 'NoSpace')
  c.disk.full = false
  t.same(levels(c), { a: 1, b: 2, c: 10 }, 'a full disk changes nothing')
  t.same(told(await use(c)), ['c level'], 'a living first device stays one')
  t.same(levels(c), { a: 1, b: 2, c: 1 })
  t.equal(await code(use(c)), 'InvalidValue', 'a second time there is nothing to do')
  t.equal(await code(use(a)), 'InvalidValue')
  await world.until(() => levels(a)['c'] === 1 && levels(b)['c'] === 1, 'they learn it')

  world.reaches = () => false
  world.drop(a, b)
  world.drop(a, c)
  world.drop(b, c)
  t.same(told(await use(b, { remove: ['a'] })), ['a removed', 'b level'])
  t.same(told(await use(c, { remove: ['a'] })), ['a removed'])
  world.reaches = () => true
  await world.until(() => levels(c)['b'] === 1, 'used on two devices at once', 120_000)
  await world.pass(10_000)
  t.same(levels(b), { b: 1, c: 1 })
  t.same(levels(c), { b: 1, c: 1 })
  t.same(b.circle.handshakes.logHead, c.circle.handshakes.logHead)
  for (const computer of [b, c])
    t.notOk(
      computer.logged.some(line => /two operations at one place/.test(line)),
      'the code is no cloned device'
    )
})

t.test('a relay becomes a first device too: whoever has the code decides', async t => {
  const { world, a, use } = await home()
  const relay = world.computer('relay')
  await relay.join(await a.invite(11))
  await world.meet(a, relay)
  t.match(await use(relay, { remove: ['a'] }), [{}, { name: 'relay', change: 'level', was: 11, level: 1 }])
  t.equal(relay.circle.record.Level, 1)
})
