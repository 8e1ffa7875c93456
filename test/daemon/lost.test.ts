import t from 'tap'
import { remove } from '../../src/circle/author.ts'
import { peerKey } from '../../src/crypto/identity.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { recoveryCode } from '../../src/crypto/recovery.ts'
import type { Session } from '../../src/daemon/sessions/session.ts'
import { hex } from '../../src/wire/bytes.ts'
import { Kind } from '../../src/wire/frame.ts'
import { encodeRecoveryFrame } from '../../src/wire/recovery-frame.ts'
import { type Computer as C, World } from './circle-world.ts'
import { fill } from './gates.ts'

async function home(...levels: number[]) {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const others: C[] = []
  for (const [n, level] of levels.entries()) {
    const other = world.computer('bcdef'[n]!)
    await other.join(await a.invite(level))
    others.push(other)
  }
  await world.meet(a, ...others)
  await world.pass(10_000)
  return { world, a, others: others as [C, C, C] }
}
const lose = (world: World, by: C, lost: C) => world.done(by.circle.remove(lost.self, { lost: true }))
const keysIn = (computer: C) => ({ signingKey: ed25519(computer.disk.table('circle')[0]!.seed) })
/** Every key that a device had, in hexadecimal. */
const keysOf = (computer: C): string[] =>
  [
    ...computer.disk.table('circle').flatMap(({ seed, secret }) => [seed, secret]),
    ...computer.disk.table('discovery').map(({ key }) => key),
    ...computer.disk.table('ticket').map(({ psk }) => psk)
  ]
    .filter(key => key.length > 0)
    .map(hex)
const everything = (computer: C): string =>
  computer.disk.rows
    .flatMap(row => Object.values(row))
    .map(value => (value instanceof Uint8Array ? hex(value) : String(value)))
    .join('\n')

t.test('a lost device that is connected locks within a second; its keys are gone', async t => {
  const { world, a, others } = await home(2, 10)
  const [b, c] = others
  await b.invite(10)
  const keys = keysOf(b)
  t.ok(keys.length >= 4)
  const links = world.links(a, b)
  t.equal(links, 1)
  await lose(world, a, b)
  await world.until(() => b.locked, 'it locks', 1_000)
  t.same(keysOf(b), [])
  for (const key of keys) if (everything(b).includes(key)) t.fail('a key is still there')
  t.equal(b.circles.length, 0)
  await world.pass(100)
  t.equal(world.links(a, b) + world.links(c, b), 0, 'it has no sessions')
  await world.until(() => c.members.length === 2, 'the others know')
  const sent = world.sent.length
  await world.pass(120_000)
  t.same(
    world.sent.slice(sent).filter(({ from }) => from === 'b'),
    [],
    'and no network'
  )

  t.comment('opened with the code, it stays removed')
  await t.rejects(b.unlock(recoveryCode(fill(3, 20))), { code: 'WrongRecoveryCode' })
  await b.unlock(a.recoveryCode)
  t.same(keysOf(b).sort(), keys.sort(), 'all keys are back')
  t.equal(b.circle.record.Level, 0)
  t.match([...b.notes.values()].join(), /was removed from the circle/)
  await world.pass(120_000)
  t.notOk(b.locked, 'it is not locked again')
  t.equal(world.links(a, b) + world.links(c, b), 0)
  b.crash()
  b.start()
  await world.pass(60_000)
  t.notOk(b.locked, 'nor after a start')
  t.equal(b.circle.record.Level, 0)
})

t.test('one that was away locks when it meets anybody who knows, and learns nothing else', async t => {
  const { world, a, others } = await home(2, 10)
  const [b, c] = others
  b.crash()
  await lose(world, a, b)
  await world.until(() => c.members.length === 2, 'c knows')
  const d = world.computer('d')
  await d.join(await a.invite())
  await world.meet(a, c, d)
  a.crash()
  const from = world.sent.length
  b.start()
  b.knows(c)
  await world.until(() => b.locked, 'it locks, by a member that removed nobody', 20_000)
  t.equal(c.around.gate.counters.lost, 1)
  const told = world.sent.slice(from).filter(({ to, from: by }) => to === b.self && by === 'c')
  t.same(told, [], 'nothing of the circle')
  t.equal(b.disk.table('operation').length, 3, 'its log is as before')
  const [lock] = b.disk.table('lock')
  t.same(lock!.proof.length > 0 && keysOf(b), [])
  await b.unlock(a.recoveryCode)
  t.equal(b.circle.record.Level, 0, 'opened again, it is no member, though its log does not say so')
  t.equal(b.circle.announcement(24_747), undefined)
  a.start()
  await world.pass(120_000)
  t.notOk(b.locked)
  t.same(b.members.length > 0 && world.links(a, b) + world.links(b, c), 0)
})

t.test('one that announces itself is told by whoever hears it, once in ten minutes', async t => {
  const { world, a, others } = await home(10, 10)
  const [b, c] = others
  b.crash()
  await lose(world, a, b)
  await world.until(() => c.members.length === 2, 'c knows')
  world.reaches = from => from === c
  await world.pass(1_000)
  b.start()
  const announced = b.announcement
  t.notOk(c.circle.recognises(announced), 'it is not answered')
  c.circle.heard(announced, b.address, 'listen')
  await world.pass(5_000)
  t.notOk(b.locked, 'where one only listens nobody is called')
  c.circle.heard(announced, b.address)
  await world.pass(5_000)
  t.notOk(b.locked, 'at most once in ten minutes')
  await world.pass(600_000)
  const from = world.sent.length
  c.circle.heard(b.announcement, b.address)
  await world.until(() => b.locked, 'it locks', 5_000)
  const told = world.sent.slice(from).filter(({ from: by }) => by === 'c')
  t.same(
    told.map(({ kind }) => kind),
    [Kind.Recovery]
  )
})

t.test('removed as lost by an admin it is only removed', async t => {
  const { world, others } = await home(2, 10, 10)
  const [b, c, d] = others
  d.crash()
  await lose(world, b, c)
  await world.until(() => c.circle.record.Level === 0, 'it sees itself removed')
  await lose(world, b, d)
  d.start()
  await world.pass(60_000)
  t.notOk(c.locked || d.locked)
  t.equal(b.around.gate.counters.lost, 0)
  t.ok(b.around.gate.counters.stranger > 0, 'a stranger like any other')
  t.ok(keysOf(c).length > 0)
})

t.test('a first device that is lost is locked with the recovery code', async t => {
  const { world, a, others } = await home(10, 10)
  const [b, c] = others
  a.crash()
  const code = a.recoveryCode
  const use = { Code: code, Shares: [], remove: ['a'], beforeMs: undefined, lost: true, preview: false }
  await world.done(b.circle.recovery.use(use))
  await world.until(() => c.members.length === 2, 'c knows')
  b.crash()
  a.start()
  a.knows(c)
  await world.until(() => a.locked, 'it locks', 20_000)
  t.same(keysOf(a), [])
  await a.unlock(code)
  t.equal(a.circle.record.Level, 0)
  t.equal(
    await world.done(a.circle.recovery.use({ ...use, remove: [] })).then(
      () => 'done',
      error => error.code
    ),
    'NotAllowed',
    'what the code removed stays removed'
  )
})

t.test('locked by a thief with the first device: the code opens it and takes the circle back', async t => {
  const { world, a, others } = await home(10, 10)
  const [b, c] = others
  await lose(world, a, b)
  await world.until(() => b.locked, 'it locks')
  await b.unlock(a.recoveryCode)
  const use = {
    Code: a.recoveryCode,
    Shares: [],
    remove: ['a'],
    beforeMs: undefined,
    lost: true,
    preview: false
  }
  await world.done(b.circle.recovery.use(use))
  t.equal(b.circle.record.Level, 1)
  b.knows(c)
  await world.until(() => a.locked, 'the stolen one is locked', 60_000)
  await world.meet(b, c)
  t.same(c.members, ['b', 'c'])
})

t.test('a full disk: the network ends at once, and the start after it locks', async t => {
  const { world, a, others } = await home(10)
  const [b] = others
  b.disk.refuses = writes => writes.some(write => 'put' in write && write.put.table === 'lock')
  await lose(world, a, b)
  await world.until(() => b.circles.length === 0, 'no circle any more', 1_000)
  t.notOk(b.locked)
  b.disk.refuses = () => false
  b.crash()
  b.start()
  await world.until(() => b.locked, 'it locks', 1_000)
  t.same(keysOf(b), [])
})

t.test('nobody else locks a device', async t => {
  const { world, a, others } = await home(2, 10)
  const [b, c] = others
  const { signingKey } = keysIn(b)
  const removal = remove(
    signingKey,
    { gid: b.circle.gid, prev: [b.circle.gid], wallMs: 0 },
    {
      target: peerKey(c.self)!,
      lost: true,
      cut: undefined
    }
  )
  const session = b.sessions.findLast(({ peer }) => peer === c.self) ?? t.fail('no session')
  const frames = [
    encodeRecoveryFrame({ type: 'order', operations: [removal.bytes] }),
    Uint8Array.of(1, 1, 0, 4, 1, 2, 3, 4),
    new Uint8Array(0)
  ]
  for (const frame of frames) (session as Session).send(Kind.Recovery, frame)
  await world.pass(1_000)
  t.notOk(c.locked)
  t.match(c.logged.join('\n'), /an order to lock that does not hold/)
  t.equal(world.links(b, c), 1, 'and nothing else is disturbed')
  t.equal(a.members.length, 3)
})
