/** Guests: members whose time ends, by clocks that may be wrong. */
import t from 'tap'
import { type Computer as C, World } from './circle-world.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const device = (at: C, of: C) => at.circle.devices().find(({ Id }) => Id === of.self)

/** A circle of a and an admin, and a guest that `adder` lets in for an hour. */
async function hosts(adder: 'a' | 'admin') {
  const world = new World()
  const a = world.computer('a')
  await a.init()
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, admin)
  const guest = world.computer('guest')
  const host = adder === 'a' ? a : admin
  await guest.join(await host.invite(10, 600_000, 60 * MINUTE))
  await world.meet(a, admin, guest)
  await world.pass(1_000)
  return { world, a, admin, guest }
}

t.test(
  'a guest belongs until its time is over; then nobody lets it in, and at last it is removed',
  async t => {
    const { world, a, admin, guest } = await hosts('admin')
    const until = device(a, guest)!.ExpiresUSec / 1000
    t.ok(Math.abs(until - a.around.wall() - 60 * MINUTE) < 10_000)
    t.match(device(a, guest), { Guest: true, Level: 10, Expired: false })
    await world.pass(until - a.around.wall() - 1_000)
    t.ok(a.sees(guest))
    await world.pass(3_000)
    t.equal(a.peer(guest.self), undefined, 'no peer any more')
    t.notOk(guest.sees(a) || guest.sees(admin), 'its sessions have ended')
    t.match(device(a, guest), { Expired: true }, 'it is shown as what it is')
    t.match(guest.note('guest'), /was over on 2026-11-21/)
    const refused = a.around.gate.counters.stranger
    await world.pass(2 * MINUTE)
    t.ok(a.around.gate.counters.stranger > refused, 'it tries, in vain')
    t.match(device(a, guest), { Expired: true }, 'not final yet')
    await world.pass(20 * MINUTE)
    t.equal(device(a, guest), undefined)
    t.equal(device(admin, guest), undefined)
    t.match(admin.logged.join('\n'), /the time of a guest is over/, 'by who added it')
    t.notMatch(a.logged.join('\n'), /the time of a guest is over/)
    t.ok(a.circle.recognises(admin.announcement))
    t.notOk(guest.circle.recognises(admin.announcement), 'the discovery key is another')
  }
)

t.test('where the adder is away, the lowest that is online removes it', async t => {
  const { world, a, admin, guest } = await hosts('admin')
  await admin.stop()
  await world.pass(85 * MINUTE)
  t.equal(device(a, guest), undefined)
  t.match(a.logged.join('\n'), /the time of a guest is over/)
})

t.test('a clock that was wrong has removed nobody when it is set right', async t => {
  const { world, a, admin, guest } = await hosts('a')
  a.synchronised = false
  a.wrongMs = 400 * DAY
  await world.pass(15 * MINUTE)
  t.match(device(a, guest), { Expired: true })
  t.notOk(guest.sees(a))
  t.ok(admin.sees(guest), 'others judge by their own clocks')
  a.wrongMs = 0
  await world.pass(15 * MINUTE)
  t.match(device(a, guest), { Expired: false })
  await world.meet(a, admin, guest)
  a.synchronised = true
  a.wrongMs = 2 * 60 * MINUTE
  await world.pass(11 * MINUTE)
  a.wrongMs = 0
  await world.pass(15 * MINUTE)
  t.ok(device(a, guest), 'a clock said to be right, that was set twice within minutes')
})

t.test('a clock of which nothing is known: a day of watching, and a week past the time', async t => {
  const { world, a, admin, guest } = await hosts('a')
  a.synchronised = false
  await admin.stop()
  await guest.stop()
  await world.pass(7 * DAY)
  t.match(device(a, guest), { Expired: true })
  await world.pass(2 * 60 * MINUTE)
  t.equal(device(a, guest), undefined)
})

t.test('only members can be guests, and only below who invites', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await t.rejects(world.done(a.circle.invite(2, 1_000, 1_000)), { code: 'InvalidValue', message: /level 10/ })
  await t.rejects(world.done(b.circle.invite(10, 1_000, 1_000)), { code: 'NotAllowed' })
})
