import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { Bus } from '../../src/host/bus.ts'
import { LogindWatcher } from '../../src/host/logind.ts'
import { TestBus } from '../bus.ts'
import { client, Inbox } from '../daemon/surface.ts'
import { Logind, missing } from '../logind.ts'

const NAME = 'org.freedesktop.login1'
const PATH = '/org/freedesktop/login1'
/** Holds it as long as it can, and says when. */
const HOLD = ['cat']

function watch(
  t: Test,
  bus: Bus,
  options: { inhibit?: readonly string[]; onSleep?: () => Promise<void> } = {}
) {
  const seen = new Inbox<string>()
  const states = new Inbox<string>()
  const watcher = new LogindWatcher({
    bus,
    onSleep: async () => {
      seen.put('sleep')
      await options.onSleep?.()
    },
    onWake: () => seen.put('wake'),
    onShutdown: () => seen.put('shutdown'),
    onChange: () => states.put(watcher.state.inhibition),
    inhibit: options.inhibit ?? HOLD
  })
  t.teardown(() => watcher.stop())
  watcher.start()
  return { watcher, seen, states }
}

/** logind as far as it matters here, made of our own bus. */
async function plain(t: Test, address: string) {
  const bus = await client(t, address)
  const preparing = { value: new Variant('b', false) as unknown, silent: false, asked: new Inbox<string>() }
  bus.serve(async ({ member }) => {
    preparing.asked.put(member)
    if (preparing.silent) await new Promise(() => {})
    return { signature: 'v', body: [preparing.value] }
  })
  const say = (member: string, signature: string, ...body: unknown[]) =>
    bus.emit({ path: PATH, interface: `${NAME}.Manager`, member, signature, body })
  await bus.requestName(NAME)
  return { bus, preparing, say }
}
const { Variant } = await import('../../src/host/bus.ts')

t.test('the word, the moment, the sleep; and awake again', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { say } = await plain(t, address)
  const done = Promise.withResolvers<void>()
  const { watcher, seen, states } = watch(t, await client(t, address), { onSleep: () => done.promise })
  await states.until(state => state === 'held')
  t.match(watcher.state, { present: true, inhibition: 'held' })
  say('PrepareForSleep', 'b', true)
  t.equal(await seen.next(), 'sleep')
  t.equal(watcher.state.inhibition, 'held', 'not let go before it is done')
  done.resolve()
  await states.until(state => state === 'none')
  say('PrepareForSleep', 'b', false)
  t.equal(await seen.next(), 'wake')
  await states.until(state => state === 'held')
  say('PrepareForShutdown', 'b', true)
  t.equal(await seen.next(), 'shutdown')
})

t.test('who is not done within a second is not waited for', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { say } = await plain(t, address)
  const { seen, states } = watch(t, await client(t, address), { onSleep: () => new Promise(() => {}) })
  await states.until(state => state === 'held')
  say('PrepareForSleep', 'b', true)
  await seen.next()
  const begun = performance.now()
  const awake = setInterval(() => {}, 1_000)
  await states.until(state => state === 'none')
  clearInterval(awake)
  const ms = performance.now() - begun
  t.ok(ms > 500, `let go after ${Math.round(ms)} ms`)
})

t.test('nonsense, and the same again', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { say, preparing } = await plain(t, address)
  preparing.value = new Variant('s', 'perhaps')
  const bus = await client(t, address)
  const { watcher, seen, states } = watch(t, bus)
  await states.until(state => state === 'held')
  say('PrepareForSleep', 's', 'true')
  say('PrepareForSleep', 'u', 1)
  say('PrepareForSleep', '')
  say('PrepareForShutdown', 'b', false)
  say('PrepareForSleep', 'b', true)
  say('PrepareForSleep', 'b', true)
  say('PrepareForSleep', 'b', false)
  t.same([await seen.next(), await seen.next()], ['sleep', 'wake'])
  // it was let go, and taken again, if the words did not come all at once
  while (watcher.state.inhibition !== 'held') await states.next()
  // not from anybody else
  const other = await client(t, address)
  other.emit({
    path: PATH,
    interface: `${NAME}.Manager`,
    member: 'PrepareForSleep',
    signature: 'b',
    body: [true]
  })
  say('PrepareForShutdown', 'b', true)
  t.equal(await seen.next(), 'shutdown')
})

t.test('a logind that hangs, and one that was asleep already', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { say, preparing, bus } = await plain(t, address)
  preparing.silent = true
  const { seen, states } = watch(t, await client(t, address))
  await states.until(state => state === 'held')
  t.equal(await preparing.asked.next(), 'Get')
  say('PrepareForSleep', 'b', true)
  t.equal(await seen.next(), 'sleep', 'nobody waits for its answer')
  await states.until(state => state === 'none')
  preparing.silent = false
  await bus.releaseName(NAME)
  await bus.requestName(NAME)
  t.equal(await seen.next(), 'wake', 'the new one knows of no sleep')
  preparing.value = new Variant('b', true)
  await bus.releaseName(NAME)
  await bus.requestName(NAME)
  t.equal(await seen.next(), 'sleep', 'this one does')
})

t.test('it comes, goes and comes back, and so does the bus', async t => {
  const daemon = await TestBus.up(t, 'system')
  const first = await plain(t, daemon.address)
  const bus = new Bus({ kind: 'system', address: daemon.address, log: () => {} })
  t.teardown(() => bus.close())
  bus.start()
  const { watcher, seen, states } = watch(t, bus)
  await states.until(state => state === 'held')
  await first.bus.releaseName(NAME)
  await states.until(state => state === 'none')
  t.equal(watcher.state.present, false)
  await first.bus.requestName(NAME)
  await states.until(state => state === 'held')
  const awake = setInterval(() => {}, 1_000)
  await daemon.kill()
  await states.until(state => state === 'none')
  await daemon.start()
  const second = await plain(t, daemon.address)
  await states.until(state => state === 'held')
  clearInterval(awake)
  second.say('PrepareForSleep', 'b', true)
  t.equal(await seen.next(), 'sleep')
})

t.test('refused, missing, ended from outside', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { say } = await plain(t, address)
  const refuse = ['sh', '-c', 'echo "Failed to inhibit: Access denied" >&2; exit 1']
  const refused = watch(t, await client(t, address), { inhibit: refuse })
  await refused.states.until(state => state === 'refused')
  t.match(refused.watcher.state, { present: true, why: 'Failed to inhibit: Access denied' })
  const missing = watch(t, await client(t, address), { inhibit: ['/nonexistent/systemd-inhibit'] })
  await missing.states.until(state => state === 'missing')
  const short = watch(t, await client(t, address), { inhibit: ['head', '-c', '1'] })
  await short.states.until(state => state === 'held')
  await short.states.until(state => state === 'none')
  for (const word of [true, false]) say('PrepareForSleep', 'b', word)
  for (const { seen } of [refused, missing, short])
    t.same([await seen.next(), await seen.next()], ['sleep', 'wake'], 'it is followed all the same')
  await short.states.until(state => state === 'held')
  t.pass('and asked for again')
})

t.test('without logind nothing is asked for', async t => {
  const { address } = await TestBus.up(t, 'system')
  const { watcher, states } = watch(t, await client(t, address), { inhibit: ['/nonexistent'] })
  t.same(watcher.state, { present: false, inhibition: 'none', why: '' })
  t.same(states.seen, [])
})

t.test('with a real inhibitor', { skip: missing }, async t => {
  const { address } = await TestBus.up(t, 'system')
  const logind = await Logind.up(t, address)
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = address
  const done = Promise.withResolvers<void>()
  const seen = new Inbox<string>()
  const states = new Inbox<string>()
  const watcher = new LogindWatcher({
    bus: await client(t, address),
    onSleep: () => {
      seen.put('sleep')
      return done.promise
    },
    onWake: () => seen.put('wake'),
    onShutdown: () => {},
    onChange: () => states.put(watcher.state.inhibition)
  })
  t.teardown(() => watcher.stop())
  watcher.start()
  await states.until(state => state === 'held')
  t.same(await logind.inhibitors(), ['Coterie sleep delay'])
  const said = performance.now()
  await logind.sleep(true)
  await seen.next()
  const holding = await logind.inhibitors()
  if (performance.now() - said < 900) t.same(holding, ['Coterie sleep delay'], 'so long it may be held')
  const begun = performance.now()
  done.resolve()
  await logind.until(all => all.length === 0)
  t.comment(`let go within ${Math.round(performance.now() - begun)} ms`)
  await logind.sleep(false)
  t.equal(await seen.next(), 'wake')
  await logind.until(all => all.length === 1)
  await logind.stop()
  while (watcher.state.present) await states.next()
  await logind.start()
  await logind.until(all => all.length > 0)
  t.same(await logind.inhibitors(), ['Coterie sleep delay'], 'taken again, once')
})

t.test('it ends with the process, however that ends', { skip: missing }, async t => {
  const { address } = await TestBus.up(t, 'system')
  const logind = await Logind.up(t, address)
  const holder = new URL('../../src/host/inhibitor.ts', import.meta.url).href
  const script = `import { Inhibitor } from '${holder}'
    const i = new Inhibitor(() => console.log(i.state))
    i.take(); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  await logind.until(all => all.length === 1)
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
  await logind.until(all => all.length === 0)
  t.pass('the child is gone too')
})
