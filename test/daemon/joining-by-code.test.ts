/** Joining by a code: whole devices, in simulated time. */
import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import type { Invite } from '../../src/daemon/joining/inviting.ts'
import type { InvitationEvent } from '../../src/daemon/joining/open-invitation.ts'
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
  const ended = inviter.inviting.open(
    circle,
    { level, guestForMs, lifetimeMs, confirm, onEvent },
    abort.signal
  )
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
  t.same(asked, [{ id: b.self, name: 'b', circle: 'home', level: 7, guestForMs: 0 }])
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

t.test('an expired code, and one that was cancelled', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const first = await invite(a, { lifetimeMs: 60_000 })
  await world.pass(59_000)
  t.ok(a.invites)
  await world.pass(2_000)
  t.notOk(a.invites)
  t.match(await failure(world, first.ended), /^CodeEnded: the code has expired; nobody has joined/)
  const second = await invite(a)
  second.cancel()
  t.match(await failure(world, second.ended), /^Cancelled: /)
  t.same(types(second.events), ['open', 'ended'])
  for (const { code } of [first, second])
    t.match(
      await failure(world, b.joiningByCode(code, { timeoutMs: 10_000 })),
      /^NoInvitation: no open invitation was found: .* on the same network; .*--at/
    )
  const at = [a.uri.slice('tcp://'.length)]
  t.match(
    await failure(world, b.joiningByCode(first.code, { timeoutMs: 10_000, at })),
    /^NoInvitation: no invitation is open at tcp:\/\/192.0.2.1:24747: `coterie invite` must be running there/
  )
  t.same(b.disk.rows, [], 'nothing is left behind')
})

t.test('one invitation at a time, whichever circle', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const { cancel, code } = await invite(a)
  const again = a.inviting.open(
    await world.done(a.circle.inviting(10, 0)),
    { level: 10, guestForMs: 0, lifetimeMs: 0, confirm: async () => true, onEvent: () => t.fail('an event') },
    new AbortController().signal
  )
  t.match(await failure(world, again), /^InvitationOpen: .* open on this device already/)
  cancel()
  await world.pass(10)
  t.not((await invite(a)).code, code)
  t.match(await failure(world, a.circle.inviting(1, 0)), /^NotAllowed: this device has level 1/)
})

t.test('the joiner is there first and waits', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const code = 'K7QF-2M9X'
  const waiting = failure(world, b.joiningByCode(code, { timeoutMs: 30_000 }))
  const opened = await invite(a)
  t.match(await waiting, /^WrongCode: wrong code: compare it .*; 2 tries left/)
  const joining = b.joiningByCode(opened.code, { at: [a.uri] })
  world.reaches = () => false
  await world.pass(5_000)
  world.reaches = () => true
  await world.done(joining)
  t.same(a.members, ['a', 'b'])
})

t.test('wrong codes: the tries left, and then no more', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const [b, c] = [world.computer('b'), world.computer('c')]
  const { code, events, ended } = await invite(a)
  const wrong = code === 'K7QF-2M9X' ? 'K7QF-2M9Y' : 'K7QF-2M9X'
  const words: string[] = []
  for (let n = 0; n < 3; n++) words.push(await failure(world, b.joiningByCode(wrong, { timeoutMs: 20_000 })))
  t.match(words, [/ 2 tries left/, / 1 try left/, /that was the last try: the code is no longer good/])
  t.same(
    events.filter(({ type }) => type === 'wrong').map(event => ('triesLeft' in event ? event.triesLeft : '')),
    [2, 1, 0]
  )
  t.match(await failure(world, ended), /^CodeEnded: .*3 times.*`coterie invite` makes another/)
  t.match(await failure(world, c.joiningByCode(code, { timeoutMs: 8_000, at: [a.uri] })), /^NoInvitation: /)
  t.match(
    await failure(world, b.joiningByCode('K7QF-2M9')),
    /^InvalidValue: the code is 1 character too short/
  )
  t.match(await failure(world, b.joiningByCode('K7QF-2M9U')), /^InvalidValue: this is no code/)
  t.match(
    await failure(world, b.joiningByCode(code, { at: ['nowhere'] })),
    /^InvalidValue: "nowhere" is no address/
  )
})

t.test('two inviters at once: the code finds its own, whichever is heard first', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const c = world.computer('c')
  await c.init('other')
  const [first, second] = [await invite(a), await invite(c)]
  const [b, d] = [world.computer('b'), world.computer('d')]
  await world.done(b.joiningByCode(first.code))
  await world.done(d.joiningByCode(second.code))
  t.equal(b.circle.name, 'home')
  t.equal(d.circle.name, 'other')
  const wrong = [...first.events, ...second.events].filter(({ type }) => type === 'wrong').length
  t.ok(wrong <= 2, `${wrong} tries were used up for it`)
})

t.test('many that invite: at most three get our tag', async t => {
  const world = new World()
  const others: C[] = []
  for (let n = 0; n < 5; n++) {
    const other = world.computer(`other${n}`)
    await other.init(`circle${n}`)
    others.push(other)
  }
  const opened = []
  for (const other of others) opened.push(await invite(other))
  const b = world.computer('b')
  t.match(await failure(world, b.joiningByCode('0000-0000')), /^WrongCode: /)
  t.equal(opened.flatMap(({ events }) => events).filter(({ type }) => type === 'wrong').length, 3)
})

t.test('somebody who only says that he invites does not keep the joiner waiting', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const mutes = ['one', 'two'].map(name => world.computer(name))
  const b = world.computer('b')
  const { code } = await invite(a)
  for (const mute of mutes) mute.invites = true
  const since = world.clock.now
  await world.done(b.joiningByCode(code))
  t.ok(world.clock.now - since < 2_000, `${world.clock.now - since} ms`)
  t.same(a.members, ['a', 'b'])
  t.equal(b.world.links(mutes[0]!, b) + b.world.links(mutes[1]!, b), 0)
})

t.test('a member of this circle already', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const { code, events } = await invite(a)
  t.match(
    await failure(world, b.joiningByCode(code)),
    /^CircleExists: this device is in the circle home already/
  )
  await world.pass(1_000)
  t.same(types(events), ['open', 'run'], 'nobody is asked, and no try is used up')
  await world.done(world.computer('c').joiningByCode(code))
})

t.test('clocks that are wrong by years, either way', async t => {
  for (const [inviter, joiner] of [
    [-20, 30],
    [30, -20]
  ] as const) {
    const world = new World()
    const YEAR = 365 * 86_400_000
    const a = world.computer('a')
    a.wrongMs = inviter * YEAR
    await a.init()
    const b = world.computer('b')
    b.wrongMs = joiner * YEAR
    const { code } = await invite(a)
    await world.done(b.joiningByCode(code))
    await world.meet(a, b)
    t.same(b.members, ['a', 'b'])
  }
})

t.test('a clock that is set while an invitation is open neither ends nor prolongs it', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const { code, ended } = await invite(a)
  a.wrongMs = 86_400_000
  await world.pass(300_000)
  await world.done(world.computer('b').joiningByCode(code))
  const second = await invite(a)
  a.wrongMs = -86_400_000
  await world.pass(601_000)
  t.match(await failure(world, second.ended), /^CodeEnded/)
  await ended
})

t.test('a guest is added as one', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const { code } = await invite(a, { guestForMs: 3_600_000 })
  await world.done(b.joiningByCode(code))
  const guest = a.circle.devices().find(({ Name }) => Name === 'b')
  t.equal(guest?.Guest, true)
  const left = guest!.ExpiresUSec / 1_000 - a.around.wall()
  t.ok(left > 3_590_000 && left <= 3_600_000, 'from the moment of joining')
  t.match(await failure(world, a.circle.inviting(5, 3_600_000)), /^InvalidValue: a guest has level 10/)
})

t.test('the link breaks while somebody is asked: it asks again by itself, and is let in', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const answers: ((yes: boolean) => void)[] = []
  const confirm = () => new Promise<boolean>(resolve => answers.push(resolve))
  const { code, events } = await invite(a, { confirm })
  const joining = b.joiningByCode(code)
  await world.until(() => answers.length === 1, 'it asks')
  world.drop(a, b)
  await world.until(() => answers.length === 2, 'it asks again')
  t.same(types(events), ['open', 'run', 'asking', 'gone', 'run', 'asking'])
  answers[1]!(true)
  await world.done(joining)
  t.same(a.members, ['a', 'b'], 'one device, once')
})

/** Calls back when a commit holds an operation that adds somebody, before it is on disk. */
function onAdding(inviter: C, act: () => void): void {
  inviter.disk.refuses = writes => {
    if (writes.some(write => 'put' in write && write.put.table === 'operation')) {
      inviter.disk.refuses = () => false
      act()
    }
    return false
  }
}

t.test('the link breaks when the device was added, before it was told', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const { code, ended } = await invite(a)
  onAdding(a, () => world.drop(a, b))
  const { id } = (await world.done(Promise.all([b.joiningByCode(code), ended])))[1]
  t.equal(id, b.self)
  await world.meet(a, b)
  t.same(a.members, ['a', 'b'])
})

t.test('the inviter dies when the device was added, and comes back', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const { code } = await invite(a)
  let died = false
  onAdding(a, () => {
    died = true
  })
  const joining = b.joiningByCode(code)
  await world.until(() => died, 'it is being added')
  await world.until(() => a.disk.table('operation').length === 2, 'it is on disk')
  a.crash()
  await world.pass(6_000)
  a.start()
  await world.done(joining)
  await world.meet(a, b)
  t.same(a.members, ['a', 'b'])
})

t.test('the inviter dies before the device was added: the joiner is told, and may come again', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const asked = Promise.withResolvers<void>()
  const { code } = await invite(a, {
    confirm: () => {
      asked.resolve()
      return new Promise(() => {})
    }
  })
  const joining = failure(world, b.joiningByCode(code))
  await world.done(asked.promise)
  a.crash()
  a.start()
  t.match(await joining, /^Unreachable: "a" went away after it was asked; look whether it shows this device/)
  t.same(b.circles, [])
  const keys = b.disk.table('setting')
  t.ok(keys[0]?.value, 'its keys are kept')
  b.crash()
  b.start()
  await world.done(b.joiningByCode((await invite(a)).code))
  t.same(a.members, ['a', 'b'])
})

t.test('the joiner dies after it was added: the same keys come again, without a question', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const first = await invite(a)
  b.joiningByCode(first.code).catch(() => {})
  b.disk.refuses = writes => writes.some(write => 'put' in write && write.put.table === 'circle')
  const { id } = await world.done(first.ended)
  b.crash()
  await world.pass(20_000)
  b.disk.refuses = () => false
  b.start()
  const second = await invite(a, { confirm: async () => t.fail('a question') as never })
  await world.done(b.joiningByCode(second.code))
  t.equal(b.self, id)
  t.same(types(second.events), ['open', 'run', 'joined'])
  t.same(a.members, ['a', 'b'])
})

t.test('and when those keys were removed meanwhile, it comes with others', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const first = await invite(a)
  b.joiningByCode(first.code).catch(() => {})
  b.disk.refuses = writes => writes.some(write => 'put' in write && write.put.table === 'circle')
  const { id } = await world.done(first.ended)
  b.crash()
  b.disk.refuses = () => false
  b.start()
  await world.done(a.circle.remove(id))
  const second = await invite(a)
  await world.done(b.joiningByCode(second.code))
  t.not(b.self, id)
  t.same(types(second.events), ['open', 'run', 'asking', 'joined'])
  t.same(a.members, ['a', 'b'])
})

t.test('the joiner gives up while somebody is asked: the question is withdrawn, nothing is left', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const abort = new AbortController()
  let asked: AbortSignal | undefined
  const { code, events } = await invite(a, {
    confirm: (_ask, signal) => {
      asked = signal
      return new Promise(() => {})
    }
  })
  const joining = failure(world, b.joiningByCode(code, { call: calling(abort.signal) }))
  await world.until(() => asked !== undefined, 'it asks')
  abort.abort(new ApiError('Cancelled', 'the call was cancelled'))
  t.match(await joining, /^Cancelled: /)
  await world.pass(100)
  t.ok(asked?.aborted)
  t.same(types(events), ['open', 'run', 'asking', 'gone'])
  t.same(b.circles, [])
  t.equal(world.links(a, b), 0)
})

t.test('a full disk on either side', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const first = await invite(a)
  b.disk.full = true
  t.match(await failure(world, b.joiningByCode(first.code)), /^NoSpace: /)
  await world.pass(100)
  t.same(types(first.events), ['open', 'run'], 'its keys were not shown')
  b.disk.full = false
  a.disk.full = true
  t.match(await failure(world, b.joiningByCode(first.code)), /^NotAllowed: "a" could not let this device in/)
  t.match(await failure(world, first.ended), /^NotAllowed: b could not be added; the log/)
  a.disk.full = false
  await world.done(b.joiningByCode((await invite(a)).code))
  t.same(a.members, ['a', 'b'])
})

t.test('nothing of the code is in the log', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const b = world.computer('b')
  const { code } = await invite(a)
  await world.done(b.joiningByCode(code))
  const logged = [...a.logged, ...b.logged].join('\n')
  for (const part of [code, code.replace('-', ''), ...code.split('-')]) t.notOk(logged.includes(part))
  t.ok(logged.length > 0)
})

t.test('an inviter that is removed meanwhile lets nobody in', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const second = world.computer('second')
  await second.join(await a.invite(5))
  await world.meet(a, second)
  let say = (_yes: boolean) => {}
  const { code, ended } = await invite(second, {
    confirm: () =>
      new Promise(resolve => {
        say = resolve
      })
  })
  const b = world.computer('b')
  const joining = failure(world, b.joiningByCode(code))
  await world.pass(2_000)
  await world.done(a.circle.remove(second.self))
  await world.pass(1_000)
  say(true)
  t.match(await joining, /^NotAllowed: "second" could not let this device in/)
  t.match(await failure(world, ended), /^NotAllowed: b could not be added/)
  t.same(a.members, ['a'])
})
