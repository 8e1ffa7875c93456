import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ApiError, INTERFACE, methods, type Params, ROOT } from '../../src/api/api.ts'
import { signature } from '../../src/api/introspection.ts'
import { type Clock, realClock } from '../../src/daemon/surfaces/pace.ts'
import { subscribe, wishOf } from '../../src/daemon/surfaces/subscribe.ts'
import { type Bus, type BusError, type BusMessage, plain } from '../../src/host/bus.ts'
import { follow, lacking } from '../command.ts'
import { CIRCLE, daemon, peer, peerPath } from './example.ts'
import { call, client, Inbox, Surface } from './surface.ts'

const DBUS = 'org.freedesktop.DBus'
const SUBSCRIPTION = `${INTERFACE}.Subscription`
const LAP = peerPath('co1lap')
const TAKES = Object.values(methods.Subscribe.params)
  .map(f => signature(f.type))
  .join('')
const named = (errorName: string, message: RegExp = /./) => ({ errorName, message }) as unknown as BusError
const nothing: Params<'Subscribe'> = {
  Circle: '',
  All: true,
  Peer: '',
  States: [],
  LatencyUSec: 0,
  LatencyPercent: 0,
  IntervalUSec: 0
}

interface Test {
  teardown(fn: () => Promise<void>): void
}
/** With the daemon's own Subscribe, for which names are ids. `running`: subscribers at the moment. */
async function serving(t: Test, clock: Clock = realClock) {
  const counts = { running: 0 }
  const ended = new Inbox<string>()
  const own: Surface = await Surface.up(t, {
    async Subscribe(asked, given) {
      const wish = wishOf(asked, (circle, peer) => {
        if (circle === 'nowhere') throw new ApiError('NoSuchCircle', 'there is no circle "nowhere"')
        return { circle, peer }
      })
      counts.running++
      try {
        await subscribe(own.publisher, wish, asked.IntervalUSec / 1000, given, clock)
      } finally {
        counts.running--
        ended.put(wish.circle)
      }
    }
  })
  return { own, counts, ended }
}

/** Returns the path below ROOT. */
async function ask(bus: Bus, changes: Partial<Params<'Subscribe'>> = {}): Promise<string> {
  const { LatencyUSec, IntervalUSec, ...asked } = { ...nothing, ...changes }
  const { Circle, All, Peer, States, LatencyPercent } = asked
  const body = [Circle, All, Peer, States, BigInt(LatencyUSec), LatencyPercent, BigInt(IntervalUSec)]
  const [path] = (await call(bus, 'Subscribe', TAKES, body)) as [string]
  return path.slice(ROOT.length)
}
const cancel = (bus: Bus, path: string) => call(bus, 'Cancel', '', [], path, SUBSCRIPTION)

interface Signal {
  path: string
  interface: string
  member: string
  body: unknown
}
/** Signals of the daemon that come to this client: of an interface, or of all. */
function listen(bus: Bus, of?: string): Inbox<Signal> {
  const inbox = new Inbox<Signal>()
  const put = (m: BusMessage) =>
    inbox.put({
      path: m.path.slice(ROOT.length),
      interface: m.interface,
      member: m.member,
      body: plain(m.body)
    })
  bus.match({ pathNamespace: ROOT, ...(of && { interface: of }) }, put)
  return inbox
}
/** All that was sent before has come. */
const round = (bus: Bus) => call(bus, 'Ping', '', [], '', `${DBUS}.Peer`)

t.test('an object that tells its caller alone', async t => {
  const { own, ended, counts } = await serving(t)
  const bus = await client(t, own.daemon.address)
  const other = await client(t, own.daemon.address)
  const mine = listen(bus, SUBSCRIPTION)
  const others = listen(other)
  const asked = { States: ['reachable', 'asleep'], LatencyUSec: 500, LatencyPercent: 10 }
  const path = await ask(bus, asked)
  t.match(path, /^\/subscription\/\d+$/)
  t.same(
    await mine.next(),
    { path, interface: SUBSCRIPTION, member: 'Changed', body: [[peer('co1lap')], []] },
    'first all there is'
  )
  const properties = await call(bus, 'GetAll', 's', [SUBSCRIPTION], path, `${DBUS}.Properties`)
  t.same(plain(properties), [{ ...nothing, ...asked }], 'what was asked')

  own.publisher.set('Peer', LAP, peer('co1lap', { LatencyUSec: 5000 }))
  t.match((await mine.next()).body, [[{ Id: 'co1lap', LatencyUSec: 5000 }], []])
  own.publisher.set('Peer', peerPath('co1nas'), peer('co1nas', { State: 'asleep', Reachable: false }))
  t.match((await mine.next()).body, [[{ Id: 'co1nas', State: 'asleep' }], []])
  own.publisher.remove(LAP)
  t.same((await mine.next()).body, [[], ['co1lap']])

  await t.rejects(cancel(other, path), named(`${DBUS}.Error.AccessDenied`, /only the program that made/))
  own.control = false
  await cancel(bus, path)
  await ended.next()
  t.equal(counts.running, 0)
  await t.rejects(cancel(bus, path), named(`${DBUS}.Error.UnknownObject`))
  own.publisher.set('Peer', LAP, peer('co1lap'))
  await round(bus)
  t.equal(mine.seen.length, 4, 'nothing after that')
  await others.until(m => m.member === 'InterfacesRemoved' && (m.body as string[])[0] === ROOT + path)
  await round(other)
  t.same(
    others.seen.filter(m => m.interface === SUBSCRIPTION || m.path === path),
    [],
    'nobody else was told'
  )
  t.ok(others.seen.length > 4, 'who heard all that is for all')
})

t.test('a flood below the threshold', async t => {
  const { own } = await serving(t)
  const bus = await client(t, own.daemon.address)
  const mine = listen(bus, SUBSCRIPTION)
  await ask(bus, { LatencyUSec: 2000, IntervalUSec: 50_000 })
  await mine.next()
  for (let n = 0; n < 5000; n++) {
    own.publisher.set('Peer', LAP, peer('co1lap', { LatencyUSec: 1234 + (n % 2000) }))
    // One flush each, and those of the bus in between.
    if (n % 100 === 0) await round(bus)
    else await Promise.resolve()
  }
  await round(bus)
  t.equal(mine.seen.length, 1, '5,000 changes, no message')
  own.publisher.set('Peer', LAP, peer('co1lap', { LatencyUSec: 3235 }))
  t.match((await mine.next()).body, [[{ LatencyUSec: 3235 }], []])
  t.equal(mine.seen.length, 2, 'and one for the one that crossed')
})

t.test('what is wrong is said at once', async t => {
  const { own, counts } = await serving(t)
  const bus = await client(t, own.daemon.address)
  await t.rejects(
    ask(bus, { All: false, Circle: 'nowhere' }),
    named(`${INTERFACE}.Error.NoSuchCircle`, /nowhere/)
  )
  await t.rejects(ask(bus, { States: ['away'] }), named(`${INTERFACE}.Error.InvalidValue`, /"away"; known/))
  await t.rejects(ask(bus, { Circle: 'home' }), named(`${INTERFACE}.Error.InvalidValue`, /neither/))
  await t.rejects(call(bus, 'Subscribe'), named(`${DBUS}.Error.InvalidArgs`, /b All, s Peer, as States/))
  t.equal(counts.running, 0)
  t.same(own.publisher.list('Subscription'), [])

  const silent = await Surface.up(t)
  const there = await client(t, silent.daemon.address)
  await t.rejects(ask(there), named(`${INTERFACE}.Error.NoCircle`), 'whatever the method says')
  t.same(silent.publisher.list('Subscription'), [])
})

t.test('so many for one caller, and all go with it', async t => {
  const { own, counts, ended } = await serving(t)
  const bus = await client(t, own.daemon.address)
  const other = await client(t, own.daemon.address)
  const paths = await Promise.all(Array.from({ length: 16 }, () => ask(bus)))
  t.equal(new Set(paths).size, 16)
  await t.rejects(ask(bus), named(`${DBUS}.Error.LimitsExceeded`, /16 subscriptions/))
  const its = await ask(other)
  await cancel(bus, paths[0] as string)
  const again = await ask(bus)
  t.equal(counts.running, 17)
  await bus.close()
  for (let n = 0; n < 17; n++) await ended.next()
  t.equal(counts.running, 1)
  t.same(
    own.publisher.list('Subscription').map(o => o.path),
    [its]
  )
  t.notOk([...paths, its].includes(again), 'a path is not used twice')

  const mine = listen(other, SUBSCRIPTION)
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect' }))
  t.match(await mine.until(m => JSON.stringify(m.body).includes('suspect')), { path: its })
  await own.surface.stop()
  await ended.next()
  t.equal(counts.running, 0, 'nor do they outlive the daemon')
})

t.test('a caller that is gone before it is answered', async t => {
  const { own, ended } = await serving(t)
  const bus = await client(t, own.daemon.address)
  const asked = ask(bus).catch((error: BusError) => error.errorName)
  await bus.close()
  await asked
  await ended.next()
  await new Promise(setImmediate)
  t.same(own.publisher.list('Subscription'), [])
  t.same(
    own.logged.filter(line => line.startsWith('error')),
    []
  )
})

t.test('the bus goes and comes back', async t => {
  const { own, ended } = await serving(t)
  const bus = await client(t, own.daemon.address)
  const mine = listen(bus, SUBSCRIPTION)
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  const former = await ask(bus)
  await mine.next()
  await own.daemon.kill()
  await ended.next()
  t.same(own.publisher.list('Subscription'), [])
  await own.daemon.start()
  await own.states.until(state => state === 'owned')
  await up
  const path = await ask(bus)
  t.not(path, former)
  t.equal((await mine.next()).path, path)
})

/** What waits for an interval is over at once. */
function hasty(): Clock {
  let skipped = 0
  return {
    now: () => realClock.now() + skipped,
    after: (ms, fn) =>
      realClock.after(0, () => {
        skipped += ms
        fn()
      })
  }
}

t.test('the panel of docs/desktop.md', { skip: lacking('gjs') }, async t => {
  const { own } = await serving(t, hasty())
  const page = readFileSync(join(import.meta.dirname, '../../docs/desktop.md'), 'utf8')
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'panel.js'), /panel\.js[\s\S]*?```js\n([\s\S]*?)```/.exec(page)![1]!)
  const gjs = follow(t, 'gjs', ['-m', join(directory, 'panel.js')], {
    DBUS_SESSION_BUS_ADDRESS: own.daemon.address
  })
  t.equal(await gjs.line(/./), 'laptop co1lap 1.234 ms')
  own.publisher.set('Daemon', '', { ...daemon, Notes: ['of no interest'] })
  const show = async (changes: Parameters<typeof peer>[1]) => {
    own.publisher.set('Peer', LAP, peer('co1lap', changes))
    await new Promise(setImmediate)
  }
  await show({ LatencyUSec: 1500 })
  await show({ LatencyUSec: 1800 })
  await show({ State: 'unreachable', Reachable: false, LatencyUSec: 0 })
  t.equal(await gjs.line(/./), 'laptop co1lap (unreachable)', 'and nothing before it')
  own.publisher.set('Peer', peerPath('co1nas'), peer('co1nas', { Name: 'nas', Circle: CIRCLE }))
  t.equal(await gjs.line(/nas/), 'laptop co1lap (unreachable), nas 1.234 ms')
  own.publisher.remove(LAP)
  t.equal(await gjs.line(/^nas/), 'nas 1.234 ms')
})
