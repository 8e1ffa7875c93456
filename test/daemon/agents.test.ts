import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { type Bus, BusError } from '../../src/host/bus.ts'
import { follow, lacking, run } from '../command.ts'
import { AgentProcess } from './agent-process.ts'
import { client, Surface } from './surface.ts'

const MANAGER = `${INTERFACE}.AgentManager`
const ASK = { circle: 'home', id: 'co1tablet', name: 'tablet <b>', level: 10, guestForMs: 0 }
const QUESTION = { member: 'RequestConfirmation', body: ['home', 'co1tablet', 'tablet <b>', 10, 0] }
const never = new AbortController().signal

const manage = (bus: Bus, member: string, path = '/a') =>
  bus.call({ destination: INTERFACE, path: ROOT, interface: MANAGER, member, signature: 'o', body: [path] })
const failure = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: BusError) => `${error.errorName.replace(`${INTERFACE}.Error.`, '')}: ${error.message}`
  )

t.test('who is an agent, and which is the default one', async t => {
  const surface = await Surface.up(t)
  const { agents, daemon } = surface
  t.equal(await agents.there(), false)
  t.equal(await agents.ask(ASK, never), undefined, 'nobody')
  await t.rejects(agents.display('K7QF-2M9X', 1, never), { code: 'NoAgent', message: /no prompt agent/ })

  const one = await client(t, daemon.address)
  t.equal(
    await failure(manage(one, 'RequestDefaultAgent')),
    `NoAgent: this program has no agent registered at /a; RegisterAgent comes first (${MANAGER})`
  )
  await manage(one, 'RegisterAgent')
  await manage(one, 'RegisterAgent')
  t.match(
    await failure(manage(one, 'RegisterAgent', '/b')),
    /^InvalidValue: .* already, at \/a; UnregisterAgent/
  )
  t.match(await failure(manage(one, 'UnregisterAgent', '/b')), /^NoAgent: /)
  t.match(
    await failure(
      one.call({ destination: INTERFACE, path: ROOT, interface: MANAGER, member: 'RegisterAgent' })
    ),
    /^org.freedesktop.DBus.Error.InvalidArgs: RegisterAgent takes \(o Agent\), not \(\)/
  )

  const asked: string[] = []
  const answers = (which: Bus, name: string) =>
    which.serve(async () => {
      asked.push(name)
      return { signature: '', body: [] }
    })
  const other = await client(t, daemon.address)
  answers(one, 'one')
  answers(other, 'other')
  await manage(other, 'RegisterAgent')
  t.equal(await agents.ask(ASK, never), true)
  await manage(other, 'RequestDefaultAgent')
  t.equal(await agents.ask(ASK, never), true)
  await manage(other, 'UnregisterAgent')
  t.equal(await agents.ask(ASK, never), true)
  t.same(asked, ['one', 'other', 'one'])

  const gone = new Promise<void>(resolve => surface.bus.watchName(one.uniqueName, o => o === '' && resolve()))
  await one.close()
  await gone
  t.equal(await agents.there(), false, 'an agent goes with its program')
})

t.test('many agents', async t => {
  const { agents, daemon } = await Surface.up(t)
  const all = await Promise.all(Array.from({ length: 17 }, () => client(t, daemon.address)))
  for (const bus of all.slice(0, 16)) await manage(bus, 'RegisterAgent')
  t.match(await failure(manage(all[16]!, 'RegisterAgent')), /^NotAllowed: there are 16 agents/)
  await manage(all[3]!, 'UnregisterAgent')
  await manage(all[16]!, 'RegisterAgent')
  t.equal(await agents.there(), true)
})

t.test('where D-Bus may only read, there are no agents', async t => {
  const surface = await Surface.up(t)
  const bus = await client(t, surface.daemon.address)
  await manage(bus, 'RegisterAgent')
  surface.control = false
  t.equal(await surface.agents.there(), false, 'not even those that came before')
  for (const member of ['RegisterAgent', 'RequestDefaultAgent'])
    t.match(await failure(manage(bus, member)), /AccessDenied: .*control = false/)
  const invite = { destination: INTERFACE, path: ROOT, interface: INTERFACE, member: 'Invite' }
  t.match(
    await failure(bus.call({ ...invite, signature: 'sutbb', body: ['', 0, 0n, false, false] })),
    /AccessDenied: Invite is refused/
  )
  t.equal(await failure(manage(bus, 'UnregisterAgent')), 'done')
})

t.test('questions to a program', async t => {
  const { agents, daemon, logged } = await Surface.up(t)
  const agent = await AgentProcess.up(t, daemon.address, 'default')
  const { calls } = agent

  const yes = agents.ask(ASK, never)
  t.same(await calls.next(), QUESTION)
  agent.answer('yes')
  t.equal(await yes, true)

  const no = agents.ask(ASK, never)
  await calls.next()
  agent.answer('no')
  t.equal(await no, false)

  const controller = new AbortController()
  void agents.ask(ASK, controller.signal)
  t.same(await calls.next(), QUESTION)
  controller.abort()
  t.same(await calls.next(), { member: 'Cancel', body: [] })

  const shown = new AbortController()
  await agents.display('K7QF-2M9X', 1_795_000_000_000_000, shown.signal)
  t.same(await calls.next(), { member: 'DisplayCode', body: ['K7QF-2M9X', 1_795_000_000_000_000] })
  shown.abort()
  t.same(await calls.next(), { member: 'Cancel', body: [] })

  const left = agents.ask(ASK, never)
  await calls.next()
  agent.kill()
  t.equal(await left, undefined, 'one that goes has not said no')
  t.notMatch(logged.join('\n'), /K7QF/, 'no code in the log')
})

t.test('an agent that is none', async t => {
  const { agents, daemon } = await Surface.up(t)
  const bus = await client(t, daemon.address)
  await manage(bus, 'RegisterAgent')
  t.equal(await agents.ask(ASK, never), undefined, 'it has no such method: nobody was asked')
  await t.rejects(agents.display('K7QF-2M9X', 1, never), {
    code: 'NoAgent',
    message: /did not show the code/
  })
  bus.serve(async () => {
    throw new BusError('org.freedesktop.DBus.Error.Failed', 'closed')
  })
  t.equal(await agents.ask(ASK, never), false, 'an error is a no')
})

t.test('the bus goes and comes back', async t => {
  const { agents, daemon, states } = await Surface.up(t)
  const former = await AgentProcess.up(t, daemon.address)
  const asked = agents.ask(ASK, never)
  await former.calls.next()
  await daemon.kill()
  t.equal(await asked, undefined)
  t.equal(await agents.there(), false)
  await states.until(s => s === 'absent')
  await daemon.start()
  await states.until(s => s === 'owned')
  const agent = await AgentProcess.up(t, daemon.address, 'default')
  const again = agents.ask(ASK, never)
  t.same(await agent.calls.next(), QUESTION)
  agent.answer('yes')
  t.equal(await again, true)
})

t.test('introspection', { skip: lacking('busctl', 'gdbus') }, async t => {
  const { daemon } = await Surface.up(t)
  const at = [`--address=${daemon.address}`]
  const { out } = await run('busctl', [...at, 'introspect', INTERFACE, ROOT])
  const lines = out.split('\n').map(line => line.split(/\s+/).join(' '))
  for (const member of ['RegisterAgent', 'UnregisterAgent', 'RequestDefaultAgent'])
    t.ok(lines.includes(`.${member} method o - -`), member)
  t.ok(lines.includes(`${MANAGER} interface - - -`))
  t.ok(lines.includes('.Invite method sutbb o -'))
  t.notMatch(out, /Confirm|MakeTicket/)
  const env = { DBUS_SESSION_BUS_ADDRESS: daemon.address }
  const gdbus = await run('gdbus', ['introspect', '--session', '-d', INTERFACE, '-o', ROOT], env)
  t.match(
    gdbus.out,
    /interface org\.coterie\.Coterie1\.AgentManager \{[\s\S]*RegisterAgent\([\s\S]*in {2}o Agent\)/
  )
})

t.test('the agent of docs/desktop.md', { skip: lacking('gjs') }, async t => {
  const { agents, daemon } = await Surface.up(t)
  const page = readFileSync(join(import.meta.dirname, '../../docs/desktop.md'), 'utf8')
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const asks = `export const ask = async sentence => { print(sentence); return sentence.startsWith('tablet') }`
  writeFileSync(join(directory, 'ask.js'), asks)
  writeFileSync(join(directory, 'agent.js'), /```js\n([\s\S]*?)```/.exec(page)![1]!)
  const env = { DBUS_SESSION_BUS_ADDRESS: daemon.address }
  const gjs = follow(t, 'gjs', ['-m', join(directory, 'agent.js')], env)
  await gjs.line(/^ready$/)
  t.equal(await agents.ask(ASK, never), true)
  t.equal(await gjs.line(/wants/), 'tablet <b> wants to join home at level 10')
  t.equal(await agents.ask({ ...ASK, name: 'other' }, never), false)
  const shown = new AbortController()
  await agents.display('K7QF-2M9X', 1, shown.signal)
  t.equal(await gjs.line(/coterie join/), 'On the other device: coterie join K7QF-2M9X')
  shown.abort()
  t.equal(await gjs.line(/settled/), 'settled')
})
