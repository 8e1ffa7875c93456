import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { ticketPsk } from '../../src/crypto/handshake.ts'
import { decodeTicket } from '../../src/crypto/ticket.ts'
import { Invitations } from '../../src/daemon/joining/invitations.ts'
import type { Row, Write } from '../../src/host/database.ts'
import { fill, seeded } from './gates.ts'

type Stored = Row & { table: 'ticket' }
const DAY = 86_400_000

function inviter() {
  const state = { wall: 1_800_000_000_000, full: false, rows: new Map<string, Stored>() }
  const around = {
    wall: () => state.wall,
    random: seeded('inviter'),
    commit: async (writes: readonly Write[]) => {
      if (state.full) throw new ApiError('NoSpace', 'full')
      for (const write of writes)
        if ('put' in write) state.rows.set((write.put as Stored).id, write.put as Stored)
        else if (write.remove === 'ticket') state.rows.delete(write.id)
    }
  }
  const invitations = new Invitations([], around)
  const issue = async (lifetimeMs = 60_000, guestForMs = 0) => {
    const { ticket } = await invitations.issue({
      gid: fill(1),
      inviter: fill(2),
      inviterStatic: fill(3),
      level: 10,
      guestForMs,
      expiresMs: state.wall + lifetimeMs,
      addresses: ['tcp://192.0.2.1:24747', 'no address']
    })
    const decoded = decodeTicket(ticket)
    const psk = Buffer.from(ticketPsk(decoded.secret)).toString('hex')
    return { decoded, psk, id: [...state.rows.values()].at(-1)!.id }
  }
  const secrets = () => invitations.secrets().map(({ psk }) => Buffer.from(psk).toString('hex'))
  return { state, around, invitations, issue, secrets }
}

t.test('a ticket: good once, for one device, until it expires', async t => {
  const { state, around, invitations, issue, secrets } = inviter()
  const { decoded, psk, id } = await issue()
  t.match(decoded, { level: 10, expiresMs: state.wall + 60_000 })
  t.equal(decoded.addresses.length, 1)
  t.same(secrets(), [psk])
  t.same(invitations.rank(id), { level: 10, guestUntilMs: 0 })
  const guest = await issue(60_000, 5_000)
  t.same(invitations.rank(guest.id), { level: 10, guestUntilMs: state.wall + 5_000 })
  t.equal(invitations.judge(id, fill(7)), 'ok')
  t.equal(invitations.judge('other', fill(7)), undefined)
  const { write, taken } = invitations.use(id, fill(7))
  t.equal(invitations.judge(id, fill(8)), 'ok', 'not before it is on disk')
  await around.commit([write])
  taken()
  t.equal(invitations.judge(id, fill(7)), 'again')
  t.equal(invitations.judge(id, fill(8)), 'used')
  state.wall += 120_000
  t.equal(invitations.judge(id, fill(7)), 'again', 'also when it has expired since')
  const other = await issue()
  state.wall += 60_001
  t.equal(invitations.judge(other.id, fill(7)), 'expired')
  const again = new Invitations([...state.rows.values()], around)
  t.equal(again.judge(id, fill(7)), 'again', 'it is all on disk')
  t.equal(again.judge(other.id, fill(7)), 'expired')
})

t.test('not told when it cannot be stored', async t => {
  const { state, issue, secrets } = inviter()
  state.full = true
  await t.rejects(issue(), { code: 'NoSpace' })
  t.same(secrets(), [])
})

t.test('16 may be open; those that expired do not count, and are forgotten in time', async t => {
  const { state, issue, secrets } = inviter()
  for (let i = 0; i < 16; i++) await issue()
  await t.rejects(issue(), { code: 'NotAllowed' })
  state.wall += 60_001
  await issue()
  t.equal(secrets().length, 17, 'those too are told why not')
  state.wall += 8 * DAY
  await issue()
  t.equal(state.rows.size, 1)
})

t.test('however many expired, the open ones are tried', async t => {
  const { state, issue, secrets } = inviter()
  for (let i = 0; i < 50; i++) {
    await issue(1_000)
    state.wall += 1_001
  }
  const { psk } = await issue()
  t.equal(secrets()[0], psk)
  t.equal(secrets().length, 32)
})
