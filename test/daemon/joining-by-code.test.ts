/** Joining by a code: whole devices, in simulated time. */
import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import type { Invite } from '../../src/daemon/inviting.ts'
import type { InvitationEvent } from '../../src/daemon/open-invitation.ts'
import { type Computer as C, calling, World } from './circle-world.ts'

interface Opened {
  readonly code: string
  readonly events: InvitationEvent[]
  readonly ended: Promise<{ id: string; name: string }>
  readonly cancel: () => void
}

/** An invitation that is open when this resolves. */
async function invite(inviter: C, how: Partial<Invite> = {}): Promise<Opened> {
  const { level = 10, guestForMs = 0, lifetimeMs = 0, confirm = async () => true } = how
  const events: InvitationEvent[] = []
  const abort = new AbortController()
  const circle = await inviter.world.done(inviter.circle.inviting(level, guestForMs))
  const onEvent = (event: InvitationEvent) => events.push(event)
  const ended = inviter.inviting.open(circle, { level, lifetimeMs, confirm, onEvent }, abort.signal)
  ended.catch(() => {})
  await inviter.world.until(() => events.length > 0, 'it is open')
  const [open] = events
  if (open?.type !== 'open') throw new Error('not open')
  return { code: open.code, events, ended, cancel: () => abort.abort() }
}

const types = (events: readonly InvitationEvent[]) => events.map(({ type }) => type)

/** Code and sentence of what it is rejected with. */
async function failure(world: World, promise: Promise<unknown>): Promise<string> {
  return world.done(
    promise.then(
      () => 'none',
      error => (error instanceof ApiError ? `${error.code}: ${error.message}` : String(error))
    )
  )
}

t.test('two devices: found, confirmed, in the circle, and both show each other', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const asked: unknown[] = []
  const { code, events, ended } = await invite(a, {
    level: 7,
    confirm: async ask => {
      asked.push(ask)
      return true
    }
  })
  t.match(code, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
  const progress: string[] = []
  const call = { ...calling(), progress: (sentence: string) => progress.push(sentence) }
  await world.done(b.joiningByCode(code.toLowerCase().replace('-', ' '), { call }))
  const joined = await world.done(ended)
  t.same(joined, { id: b.self, name: 'b' })
  t.same(asked, [{ id: b.self, name: 'b', circle: 'home', level: 7 }])
  t.same(types(events), ['open', 'run', 'asking', 'joined'])
  await world.meet(a, b)
  t.same(a.members, ['a', 'b'])
  t.equal(b.circle.record.Level, 7)
  t.same(a.circle.handshakes.logHead, b.circle.handshakes.logHead)
  t.ok(a.circle.recognises(b.announcement) && b.circle.recognises(a.announcement))
  t.notOk(a.invites, 'nothing is announced any more')
  t.equal(a.around.gate.halfOpen, 0)
  t.match(progress, [/looking/, /found "a" with the circle "home"/, /let in/])
  t.equal(b.disk.table('setting')[0]?.value, '', 'its keys are no other join’s')
})

t.test('a code that is declined', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const { code, events, ended } = await invite(a, { confirm: async () => false })
  t.match(await failure(world, b.joiningByCode(code)), /^Declined: somebody said no on "a"/)
  t.match(await failure(world, ended), /^Declined: b was not let in, and its code is no longer good/)
  t.same(types(events), ['open', 'run', 'asking', 'declined'])
  t.same(a.members, ['a'])
  t.match(await failure(world, b.joiningByCode(code, { at: [a.uri], timeoutMs: 8_000 })), /^NoInvitation: /)
})
