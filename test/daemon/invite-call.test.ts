import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { Desktop } from '../../src/daemon/joining/desktop.ts'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { type Bus, type BusMessage, plain } from '../../src/host/bus.ts'
import { Notifications } from '../../src/host/notifications.ts'
import { CODE, type Facts, fakeFacts, fakeImplementation, joiner } from '../implementation.ts'
import { NotificationService } from '../notification-service.ts'
import { AgentProcess } from './agent-process.ts'
import { PlainClient } from './client.ts'
import { call, client, Inbox, Surface } from './surface.ts'

const JOINED = { Id: joiner.id, Name: 'tablet', Level: 10 }
const QUESTION = { member: 'RequestConfirmation', body: ['home', joiner.id, 'tablet', 10, 0] }
const CANCEL = { member: 'Cancel', body: [] }

/** A daemon that exists only in memory, on a bus and on a socket. */
async function up(t: Test): Promise<{ surface: Surface; facts: Facts; open(): Promise<PlainClient> }> {
  const facts = fakeFacts()
  const implementation = fakeImplementation(facts)
  const surface = await Surface.up(t, implementation)
  facts.prompts = { agents: surface.agents, askers: [new Desktop(new Notifications(surface.bus))] }
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  const socket = new SocketSurface({ implementation, log: () => {} })
  const path = join(directory, 'coterie', 'coterie.sock')
  await socket.listen({ path })
  t.teardown(async () => {
    await socket.stop()
    rmSync(directory, { recursive: true })
  })
  const open = async () => {
    const made = await PlainClient.open(path)
    t.teardown(() => made.socket.destroy())
    return made
  }
  return { surface, facts, open }
}

/** Starts the job; resolves with how it finished. */
async function inviteOn(bus: Bus, confirmed = false, ask = false): Promise<unknown[]> {
  const finished = new Inbox<BusMessage>()
  const end = bus.match({ interface: `${INTERFACE}.Job`, member: 'Finished' }, m => finished.put(m))
  const [path] = await call(bus, 'Invite', 'sutbb', ['', 0, 0n, confirmed, ask])
  const { body } = await finished.until(m => m.path === path)
  end()
  return body.map(plain)
}

const invite = (parameters: object, more = true) =>
  `${JSON.stringify({ method: 'Invite', parameters, ...(more && { more }) })}\n`
const confirm = (Request: string, Accept: boolean) =>
  `${JSON.stringify({ method: 'Confirm', parameters: { Request, Accept } })}\n`
/** The next details of progress; those without are passed over. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all shapes
async function details(client: PlainClient): Promise<any> {
  for (;;) {
    const { parameters, continues, error } = JSON.parse((await client.next()) ?? '')
    if (!continues) return error ? { error, ...parameters } : parameters
    if (parameters.Details) return parameters.Details
  }
}

t.test('over D-Bus: an agent shows the code and asks', async t => {
  const { surface } = await up(t)
  const bus = await client(t, surface.daemon.address)
  const heard: BusMessage[] = []
  bus.match({ sender: INTERFACE }, m => heard.push(m))
  t.match(await inviteOn(bus), ['failed', { Error: 'NoAgent', Message: /nobody would see the code/ }])

  const agent = await AgentProcess.up(t, surface.daemon.address, 'default')
  t.match(await inviteOn(bus, false, true), ['failed', { Error: 'InvalidValue', Message: /Invite.Ask/ }])
  const yes = inviteOn(bus)
  t.match(await agent.calls.next(), { member: 'DisplayCode', body: [CODE, Number] })
  t.same(await agent.calls.next(), QUESTION)
  agent.answer('yes')
  t.same(await yes, ['done', JOINED])
  t.same(await agent.calls.next(), CANCEL, 'the code is taken away')

  const no = inviteOn(bus)
  await agent.calls.until(({ member }) => member === 'RequestConfirmation')
  agent.answer('no')
  t.match(await no, ['failed', { Error: 'Declined' }])

  t.same(await inviteOn(bus, true), ['done', JOINED], 'confirmed beforehand: nobody is asked')
  await agent.calls.until(({ member }) => member === 'DisplayCode')
  t.same(await agent.calls.next(), CANCEL)
  const told = JSON.stringify(heard, (_, v) => (typeof v === 'bigint' ? Number(v) : v))
  t.match(told, /a wrong code was tried; 2 tries are left/)
  t.notMatch(told, /K7QF/, 'what all can hear has no code')
  t.notMatch(JSON.stringify(surface.publisher.list()), /K7QF/)
})

t.test('over D-Bus: a caller that leaves, an agent that does not show', async t => {
  const { surface, facts } = await up(t)
  const aborted = new Inbox<string>()
  facts.onAborted = method => aborted.put(method)
  const agent = await AgentProcess.up(t, surface.daemon.address)
  const bus = await client(t, surface.daemon.address)
  await call(bus, 'Invite', 'sutbb', ['', 0, 0n, false, false])
  await agent.calls.until(({ member }) => member === 'RequestConfirmation')
  await bus.close()
  t.equal(await aborted.next(), 'Invite')
  t.same([await agent.calls.next(), await agent.calls.next()], [CANCEL, CANCEL], 'question and code')
  agent.kill()

  const other = await client(t, surface.daemon.address)
  const manager = { destination: INTERFACE, path: ROOT, interface: `${INTERFACE}.AgentManager` }
  await other.call({ ...manager, member: 'RegisterAgent', signature: 'o', body: ['/none'] })
  await surface.agents.requestDefault(other.uniqueName, '/none')
  t.match(await inviteOn(other), ['failed', { Error: 'NoAgent', Message: /did not show the code/ }])
})

t.test('over the socket: the caller sees the code and is asked', async t => {
  const { surface, facts, open } = await up(t)
  const caller = await open()
  const other = await open()
  const early = await caller.ask(invite({}, false))
  t.match(early, { error: `${INTERFACE}.NoAgent`, parameters: { Message: /with "more"/ } })
  t.match(await caller.ask(invite({ Ask: true }, false)), { error: `${INTERFACE}.InvalidValue` })
  t.match(await caller.ask(invite({})), { error: `${INTERFACE}.NoAgent`, parameters: { Message: /--yes/ } })

  for (const accept of [true, false]) {
    caller.socket.write(invite({ Ask: true }))
    t.match(await details(caller), { Code: CODE, ExpiresUSec: Number })
    t.match(await details(caller), { TriesLeft: 2 })
    const { Request, ...asked } = await details(caller)
    t.same(asked, JOINED)
    t.match(await other.ask(confirm('x', true)), { error: `${INTERFACE}.InvalidValue` })
    t.same(await other.ask(confirm(Request, accept)), { parameters: {} })
    t.match(await other.ask(confirm(Request, !accept)), { error: `${INTERFACE}.InvalidValue` }, 'once')
    t.same(await details(caller), { Request, Answer: accept ? 'accepted' : 'declined', By: 'caller' })
    const end = await details(caller)
    if (accept) t.same(end, JOINED)
    else t.match(end, { error: `${INTERFACE}.Declined` })
  }
  t.notMatch(surface.logged.join('\n'), /K7QF/)

  facts.begin = async ({ onEvent, confirm }) => {
    onEvent({ type: 'open', code: CODE, expiresUSec: 1 })
    const gone = new AbortController()
    const first = confirm({ ...joiner, circle: 'home', level: 10, guestForMs: 0 }, gone.signal)
    gone.abort()
    await first
    await confirm(
      { ...joiner, name: 'tab\nlet'.repeat(20), circle: 'home', level: 10, guestForMs: 0 },
      new AbortController().signal
    )
    return joiner
  }
  caller.socket.write(invite({ Ask: true }))
  await details(caller)
  const first = await details(caller)
  t.same(await details(caller), { Request: first.Request, Answer: 'withdrawn', By: '' })
  const again = await details(caller)
  t.not(again.Request, first.Request)
  t.match(again.Name, /^tab\ufffdlettab/)
  t.equal([...again.Name].length, 64)
  await other.ask(confirm(again.Request, true))
  await details(caller)
  t.same(await details(caller), JOINED)
})

t.test('all are asked at once, and the first answer counts', async t => {
  const { surface, open } = await up(t)
  const { address } = surface.daemon
  const agent = await AgentProcess.up(t, address)
  const desktop = await NotificationService.up(t, address)
  const caller = await open()
  const other = await open()
  const ask = async () => {
    caller.socket.write(invite({ Ask: true }))
    await details(caller)
    await details(caller)
    const { Request } = await details(caller)
    t.same(await agent.calls.until(({ member }) => member !== 'Cancel'), QUESTION)
    return { Request, shown: await desktop.shown.next() }
  }

  const one = await ask()
  t.match(one.shown, {
    summary: 'A device wants to join',
    body: '“tablet” (tabletta) has the code and wants to join “home” as member.',
    actions: ['accept', 'Accept', 'decline', 'Decline']
  })
  desktop.press(one.shown.id, 'accept')
  t.match(await details(caller), { Answer: 'accepted', By: 'notification' })
  t.same(await agent.calls.next(), CANCEL)
  t.same(await details(caller), JOINED)
  t.match(await other.ask(confirm(one.Request, false)), { error: `${INTERFACE}.InvalidValue` })

  const two = await ask()
  agent.answer('no')
  t.match(await details(caller), { Answer: 'declined', By: 'agent' })
  t.equal(await desktop.closed.until(id => id === two.shown.id), two.shown.id)
  t.match(await details(caller), { error: `${INTERFACE}.Declined` })

  const three = await ask()
  await other.ask(confirm(three.Request, true))
  t.match(await details(caller), { Answer: 'accepted', By: 'caller' })
  t.equal(await desktop.closed.until(id => id === three.shown.id), three.shown.id)
  t.same(await agent.calls.next(), CANCEL)
  t.same(await details(caller), JOINED)

  const guest = await open()
  guest.socket.write(invite({ GuestForUSec: 172_800_000_000 }))
  t.match((await desktop.shown.next()).body, /wants to join “home” as guest for 2 days\.$/)
  const asked = await agent.calls.until(({ member }) => member === 'RequestConfirmation')
  t.same(asked.body, [...QUESTION.body.slice(0, 4), 172_800_000_000])
  agent.answer('yes')
  await desktop.closed.next()
})

t.test('whoever could be asked goes away', async t => {
  const { surface, open } = await up(t)
  const agent = await AgentProcess.up(t, surface.daemon.address)
  const caller = await open()
  caller.socket.write(invite({}))
  await agent.calls.until(({ member }) => member === 'RequestConfirmation')
  agent.kill()
  for (let last = await details(caller); ; last = await details(caller)) {
    if (last.error === undefined) continue
    t.match(last, { error: `${INTERFACE}.NoAgent`, Message: /tablet was not let in: whoever could be asked/ })
    break
  }
})
