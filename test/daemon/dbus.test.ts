import t from 'tap'
import { ApiError, type Call, INTERFACE, ROOT } from '../../src/api/api.ts'
import { Agents } from '../../src/daemon/joining/agents.ts'
import { DBusSurface } from '../../src/daemon/surfaces/dbus.ts'
import { type Clock, realClock } from '../../src/daemon/surfaces/pace.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { type Bus, type BusError, type BusMessage, plain, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { CIRCLE, daemon, implement, peer, peerPath } from './example.ts'
import { call, client, Inbox, Surface } from './surface.ts'

const DBUS = 'org.freedesktop.DBus'
const PROPERTIES = `${DBUS}.Properties`
const LAP = peerPath('co1lap')
/** For t.rejects: an error with this D-Bus name and a message that fits. */
const named = (errorName: string, message: RegExp = /./) => ({ errorName, message }) as unknown as BusError

t.test('objects and properties', async t => {
  const { daemon: own, publisher } = await Surface.up(t)
  const bus = await client(t, own.address)
  const get = (name: string, path = LAP, of = `${INTERFACE}.Peer`) =>
    call(bus, 'Get', 'ss', [of, name], path, PROPERTIES)
  t.same(await get('LatencyUSec'), [new Variant('t', 1234n)])
  t.same(await get('Addresses', LAP, ''), [new Variant('as', peer('co1lap').Addresses)], 'any interface')
  const all = (path: string, of: string) => call(bus, 'GetAll', 's', [of], path, PROPERTIES)
  t.same(plain(await all(LAP, `${INTERFACE}.Peer`)), [peer('co1lap')])
  t.same(plain(await all('', INTERFACE)), [daemon])
  t.same(plain(await all('', '')), [daemon])
  t.same(await all('', `${DBUS}.Peer`), [{}])
  await t.rejects(get('Nothing'), named(`${DBUS}.Error.UnknownProperty`, /Nothing; there are: Id, Name/))
  await t.rejects(all(LAP, INTERFACE), named(`${DBUS}.Error.UnknownInterface`))
  const set = (name: string) =>
    call(bus, 'Set', 'ssv', [`${INTERFACE}.Peer`, name, new Variant('s', 'x')], LAP, PROPERTIES)
  await t.rejects(set('Name'), named(`${DBUS}.Error.PropertyReadOnly`, /Name/))
  await t.rejects(set('Nothing'), named(`${DBUS}.Error.UnknownProperty`))

  const managed = () => call(bus, 'GetManagedObjects', '', [], '', `${DBUS}.ObjectManager`)
  t.same(plain(await managed()), [
    {
      [`${ROOT}/circle/${CIRCLE}`]: {
        [`${INTERFACE}.Circle`]: { Id: CIRCLE, Name: 'home', Level: 1, Members: 2 }
      },
      [ROOT + LAP]: { [`${INTERFACE}.Peer`]: peer('co1lap') },
      [`${ROOT}/listener/1`]: {
        [`${INTERFACE}.Listener`]: { Interface: 'lo', Address: '127.0.0.1', Port: 24747, Policy: 'announce' }
      }
    }
  ])
  publisher.set('Peer', LAP, peer('co1lap', { Name: 'with\0nul' }))
  t.same(await get('Name'), [new Variant('s', 'with\ufffdnul')])

  const [machine] = await call(bus, 'GetMachineId', '', [], LAP, `${DBUS}.Peer`)
  t.match(machine, /^[0-9a-f]{32}$/)
  const introspect = async (path: string) =>
    String(
      (
        await bus.call({
          destination: INTERFACE,
          path,
          interface: `${DBUS}.Introspectable`,
          member: 'Introspect'
        })
      )[0]
    )
  t.match(await introspect('/'), /<node name="org"\/>/)
  t.match(await introspect(ROOT), /<node name="circle"\/>\s+<node name="listener"\/>/)
  t.match(await introspect(ROOT), /ObjectManager/)
  t.notMatch(await introspect(ROOT + LAP), /ObjectManager/)
  await t.rejects(introspect(`${ROOT}/circl`), named(`${DBUS}.Error.UnknownObject`, /GetManagedObjects/))
})

t.test('methods and errors', async t => {
  const got: unknown[] = []
  const own = await Surface.up(t, {
    async Peers(params) {
      got.push(params)
      return { Peers: [peer('co1lap')] }
    },
    async Remove({ Device }) {
      if (Device === 'bug') throw new TypeError('secret detail')
      if (Device === 'wrong result') return {} as { Id: string }
      throw new ApiError('NoSuchPeer', `no device ${Device}`)
    },
    async Reload() {
      return {}
    }
  })
  const bus = await client(t, own.daemon.address)
  t.same(plain(await call(bus, 'Peers', 's', [''])), [[peer('co1lap')]])
  t.same(got, [{ Circle: '' }])
  t.same(await call(bus, 'Reload'), [])
  await t.rejects(
    call(bus, 'Devices', 's', ['']),
    named(`${INTERFACE}.Error.NoCircle`, /^this device is in no circle yet/)
  )
  const remove = (device: string) => call(bus, 'Remove', 'ssb', ['', device, false])
  await t.rejects(remove('eve'), named(`${INTERFACE}.Error.NoSuchPeer`, /^no device eve$/))
  await t.rejects(remove('bug'), named(`${INTERFACE}.Error.Internal`, /^internal error$/))
  await t.rejects(remove('wrong result'), named(`${INTERFACE}.Error.Internal`, /^internal error$/))
  const huge = 'x'.repeat(900_000)
  await t.rejects(remove(huge), named(`${INTERFACE}.Error.NoSuchPeer`, /^no device x{990}$/))
  await t.rejects(remove(huge + huge), named(`${DBUS}.Error.InvalidArgs`, /too long/))

  const wrong: [string, unknown[], RegExp][] = [
    ['', [], /^Remove takes \(s Circle, s Device, b Lost\), not \(\)$/],
    ['su', ['', 1], /not \(su\)$/],
    ['sss', ['', '', ''], /not \(sss\)$/],
    ['(ss)', [['', '']], /not \(\(ss\)\)$/]
  ]
  for (const [signature, body, message] of wrong)
    await t.rejects(call(bus, 'Remove', signature, body), named(`${DBUS}.Error.InvalidArgs`, message))
  await t.rejects(call(bus, 'Ping', 'su', ['', 1]), named(`${DBUS}.Error.InvalidArgs`))
  await t.rejects(call(bus, 'Init', 'ss', ['', '']), named(`${DBUS}.Error.UnknownMethod`, /UNIX socket only/))
  await t.rejects(call(bus, 'constructor'), named(`${DBUS}.Error.UnknownMethod`, /there are: Status, /))
  await t.rejects(call(bus, 'Reload', '', [], LAP), named(`${DBUS}.Error.UnknownInterface`))
  const bare = { destination: INTERFACE, path: ROOT, interface: '', member: 'Reload' }
  t.same(await bus.call(bare), [], 'the interface may be left out')
  await t.rejects(bus.call({ ...bare, member: 'Nothing' }), named(`${DBUS}.Error.UnknownMethod`))

  const property = call(bus, 'Get', 'ss', [huge, huge.slice(1e5)], '', PROPERTIES)
  await t.rejects(property, named(`${DBUS}.Error.InvalidArgs`))
  const name = call(bus, 'Get', 'ss', [INTERFACE, huge], '', PROPERTIES)
  await t.rejects(name, named(`${DBUS}.Error.UnknownProperty`, /^.{1000}$/))

  own.control = false
  await t.rejects(remove('eve'), named(`${DBUS}.Error.AccessDenied`, /control = false/))
  t.same(plain(await call(bus, 'Peers', 's', [''])), [[peer('co1lap')]], 'reading goes on')
  t.match(own.logged.join('\n'), /error Remove failed by a fault of ours/)
})

/** Waits of a second and more are over at once. */
const hasty: Clock = {
  now: realClock.now,
  after: (ms, fn) => realClock.after(ms < 1000 ? ms : 0, fn)
}

t.test('no call takes longer than five seconds', async t => {
  const aborted = new Inbox<boolean>()
  const hang = (_: unknown, { signal }: Call) =>
    new Promise<never>(() => signal.addEventListener('abort', () => aborted.put(signal.aborted)))
  const own = await Surface.up(t, { Config: hang }, hasty)
  const bus = await client(t, own.daemon.address)
  await t.rejects(call(bus, 'Config'), named(`${INTERFACE}.Error.Timeout`, /within 5 s/))
  t.equal(await aborted.next(), true)
})

t.test('a client that sends nothing but nonsense', async t => {
  const own = await Surface.up(t, { Reload: async () => ({}) })
  const hostile = await client(t, own.daemon.address)
  const bus = await client(t, own.daemon.address)
  const nonsense: [string, string, unknown[], string][] = [
    [
      'Status',
      'v',
      [new Variant('a{sv}', { __proto__: null, constructor: new Variant('s', '') })],
      INTERFACE
    ],
    ['__proto__', '', [], INTERFACE],
    ['Set', 'ssv', ['', '__proto__', new Variant('u', 1)], PROPERTIES],
    ['Get', 'ss', ['constructor', 'constructor'], PROPERTIES],
    ['Get', 'ss', [INTERFACE, 'hasOwnProperty'], PROPERTIES],
    ['GetAll', 'as', [['']], PROPERTIES],
    ['Ping', 'ssu', ['\ufffe', 'x'.repeat(10_000), 4294967295], `${INTERFACE}.Nothing`],
    ['Peers', 'ay', [Buffer.alloc(10_000)], INTERFACE]
  ]
  const calls = Array.from({ length: 4000 }, (_, n) => {
    const [member, signature, body, of] = nonsense[n % nonsense.length] as (typeof nonsense)[number]
    return call(hostile, member, signature, body, '', of).then(
      () => 'done',
      (error: BusError) => error.errorName
    )
  })
  t.same(await call(bus, 'Reload'), [], 'others are served meanwhile')
  const names = new Set(await Promise.all(calls))
  t.same([...names].map(name => name.replace(`${DBUS}.Error.`, '')).sort(), [
    'InvalidArgs',
    'UnknownInterface',
    'UnknownMethod',
    'UnknownProperty'
  ])
  t.same(
    own.logged.filter(line => line.startsWith('error')),
    []
  )
})

/** All signals of the daemon, with plain bodies. */
function listen(bus: Awaited<ReturnType<typeof client>>) {
  const inbox = new Inbox<{ path: string; member: string; body: unknown }>()
  const put = (m: BusMessage) =>
    inbox.put({ path: m.path.slice(ROOT.length), member: m.member, body: plain(m.body) })
  bus.match({ sender: INTERFACE, pathNamespace: ROOT }, put)
  return inbox
}

t.test('signals', async t => {
  const { daemon: own, publisher } = await Surface.up(t)
  const bus = await client(t, own.address)
  const inbox = listen(bus)
  await call(bus, 'Ping', '', [], '', `${DBUS}.Peer`)
  publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect', Reachable: false, LatencyUSec: 1 }))
  publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect', Reachable: false }))
  t.same(await inbox.next(), {
    path: LAP,
    member: 'PropertiesChanged',
    body: [`${INTERFACE}.Peer`, { State: 'suspect', Reachable: false }, []]
  })
  publisher.set('Listener', '/listener/2', { Interface: 'lo', Address: '::1', Port: 24747, Policy: 'listen' })
  const listener = { Interface: 'lo', Address: '::1', Port: 24747, Policy: 'listen' }
  t.same(await inbox.next(), {
    path: '',
    member: 'InterfacesAdded',
    body: [`${ROOT}/listener/2`, { [`${INTERFACE}.Listener`]: listener }]
  })
  publisher.signal('CloneDetected', '', { Circle: CIRCLE, Id: 'co1lap' })
  t.same(await inbox.next(), { path: '', member: 'CloneDetected', body: [CIRCLE, 'co1lap'] })
  publisher.set('Listener', '/listener/2', { ...listener, Policy: 'announce' })
  publisher.set('Daemon', '', { ...daemon, Notes: ['no multicast on lo'] })
  t.match(await inbox.next(), {
    path: '/listener/2',
    body: [`${INTERFACE}.Listener`, { Policy: 'announce' }, []]
  })
  t.match(await inbox.next(), { path: '', body: [INTERFACE, { Notes: ['no multicast on lo'] }, []] })
  publisher.remove('/listener/2')
  t.same(await inbox.next(), {
    path: '',
    member: 'InterfacesRemoved',
    body: [`${ROOT}/listener/2`, [`${INTERFACE}.Listener`]]
  })
})

t.test('jobs', async t => {
  let ask: Call | undefined
  let finish: (error?: unknown) => void = () => {}
  const started = new Inbox<string>()
  const own = await Surface.up(t, {
    Ping({ Peer }, given) {
      ask = given
      started.put(Peer)
      const result = { Id: Peer, Address: 'tcp://10.0.0.1:1', LatencyUSec: [1, 2], Paths: [] }
      return new Promise((resolve, reject) => {
        finish = error => (error ? reject(error) : resolve(result))
      })
    }
  })
  const bus = await client(t, own.daemon.address)
  const other = await client(t, own.daemon.address)
  const inbox = listen(other)
  const ping = async (name: string, from = bus) => {
    const [path] = (await call(from, 'Ping', 'ssu', ['', name, 2])) as [string]
    await started.next()
    return path.slice(ROOT.length)
  }
  const job = async (path: string) =>
    plain((await call(bus, 'GetAll', 's', [`${INTERFACE}.Job`], path, PROPERTIES))[0])
  const finished = (path: string) => inbox.until(m => m.member === 'Finished' && m.path === path)

  const one = await ping('a')
  t.match(one, /^\/job\/\d+$/)
  t.same(await job(one), { Method: 'Ping', State: 'running', Progress: '', Result: {} })
  t.notOk(ask?.detailed, 'details would not reach the caller')
  ask?.progress('1 of 2', { Code: 'for the caller alone' })
  t.match(await inbox.until(m => m.path === one), { body: [`${INTERFACE}.Job`, { Progress: '1 of 2' }, []] })
  finish()
  const result = { Id: 'a', Address: 'tcp://10.0.0.1:1', LatencyUSec: [1, 2], Paths: [] }
  t.match(await inbox.until(m => m.path === one), {
    member: 'PropertiesChanged',
    body: [`${INTERFACE}.Job`, { State: 'done', Progress: '', Result: result }, []]
  })
  t.same(await finished(one), { path: one, member: 'Finished', body: ['done', result] })
  const [read] = await call(bus, 'Get', 'ss', [`${INTERFACE}.Job`, 'Result'], one, PROPERTIES)
  const typed = (read as Variant<{ LatencyUSec: Variant }>).value.LatencyUSec
  t.same(typed, new Variant('at', [1n, 2n]), 'a result is typed as the API says')

  const two = await ping('b')
  finish(new ApiError('Unreachable', 'b cannot be reached'))
  const failure = { Error: 'Unreachable', Message: 'b cannot be reached' }
  t.same((await finished(two)).body, ['failed', failure])
  t.match(await job(two), { State: 'failed', Result: failure })

  const three = await ping('c')
  await call(bus, 'Cancel', '', [], three, `${INTERFACE}.Job`)
  t.same((await finished(three)).body, ['cancelled', {}])
  t.equal(ask?.signal.aborted, true)
  finish()
  await call(bus, 'Cancel', '', [], three, `${INTERFACE}.Job`)
  t.match(await job(three), { State: 'cancelled' }, 'it stays cancelled')
  t.notMatch(JSON.stringify(inbox.seen), /for the caller alone/)

  own.control = false
  const four = await ping('d')
  const cancel = call(other, 'Cancel', '', [], four, `${INTERFACE}.Job`)
  await t.rejects(cancel, named(`${DBUS}.Error.AccessDenied`))
  t.match(await job(four), { State: 'running' })
  t.same(
    own.publisher.list('Job').map(o => o.path),
    [one, two, three, four]
  )
  await bus.close()
  const removed: unknown[] = []
  for (let n = 0; n < 4; n++) removed.push((await inbox.until(m => m.member === 'InterfacesRemoved')).body)
  t.same(
    removed,
    [one, two, three, four].map(path => [ROOT + path, [`${INTERFACE}.Job`]])
  )
  t.equal(ask?.signal.aborted, true, 'dropped with its caller')
})

t.test('what a job found may have the name of what an error has', async t => {
  const Message = { Id: 'm', Circle: 'c', Peer: 'p', Name: 'laptop', Tag: 'note', State: 'done', Reason: '' }
  const times = {
    Exit: 0,
    Size: 0,
    SentUSec: 1,
    ExpiresUSec: 2,
    ChangedUSec: 3,
    Output: '',
    OutputBase64: ''
  }
  const whole = { ...Message, HeldBy: [], ...times }
  const own = await Surface.up(t, {
    WaitMessage: async ({ Id }) => {
      if (Id === 'm') return { Message: whole }
      throw new ApiError('Timeout', 'it waits')
    }
  })
  const bus = await client(t, own.daemon.address)
  const inbox = listen(bus)
  const wait = async (id: string) => {
    await call(bus, 'WaitMessage', 'ssst', ['', id, 'done', 0n])
    return (await inbox.until(m => m.member === 'Finished')).body
  }
  t.same(await wait('m'), ['done', { Message: whole }])
  t.same(await wait('n'), ['failed', { Error: 'Timeout', Message: 'it waits' }])
})

t.test('a job that has ended is forgotten after a while', async t => {
  const result = { Id: 'a', Address: '', LatencyUSec: [], Paths: [] }
  const own = await Surface.up(t, { Ping: async () => result }, hasty)
  const bus = await client(t, own.daemon.address)
  const inbox = listen(bus)
  const [path] = await call(bus, 'Ping', 'ssu', ['', 'a', 1])
  await inbox.until(m => m.member === 'Finished')
  t.match(await inbox.until(m => m.member === 'InterfacesRemoved'), { body: [path] })
})

t.test('a caller may not start jobs without end', async t => {
  const own = await Surface.up(t, { Ping: () => new Promise(() => {}) })
  const bus = await client(t, own.daemon.address)
  const ping = () => call(bus, 'Ping', 'ssu', ['', 'a', 1])
  await Promise.all(Array.from({ length: 64 }, ping))
  await t.rejects(ping(), named(`${DBUS}.Error.LimitsExceeded`))
})

t.test('the bus is killed and started again', async t => {
  const own = await Surface.up(t, { Ping: () => new Promise(() => {}) })
  const bus = await client(t, own.daemon.address)
  const inbox = listen(bus)
  await call(bus, 'Ping', 'ssu', ['', 'a', 1])
  await inbox.until(m => m.member === 'InterfacesAdded')
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  await own.daemon.kill()
  t.equal(await own.states.next(), 'absent')
  t.same(own.publisher.list('Job'), [], 'jobs go with the bus')
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect' }))
  await own.daemon.start()
  t.equal(await own.states.next(), 'owned')
  await up
  const all = await call(bus, 'GetAll', 's', [''], LAP, PROPERTIES)
  t.match(plain(all), [{ State: 'suspect' }], 'objects are still there')
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'unreachable' }))
  t.match(await inbox.until(m => m.path === LAP), {
    body: [`${INTERFACE}.Peer`, { State: 'unreachable' }, []]
  })
})

t.test('another program has the name, and gives it up', async t => {
  const running = await TestBus.up(t)
  const other = await client(t, running.address)
  await other.requestName(INTERFACE)
  const own = new Surface(t, running, {})
  own.start()
  t.equal(await own.states.next(), 'taken')
  t.match(own.logged.join('\n'), /another program owns/)
  const anybody = new Inbox<string>()
  const third = await client(t, running.address)
  third.match({ pathNamespace: ROOT }, m => anybody.put(m.path))
  await third.call({ destination: DBUS, path: '/', interface: DBUS, member: 'GetId' })
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect' }))
  const ping = { path: ROOT, interface: `${DBUS}.Peer`, member: 'Ping' }
  await third.call({ ...ping, destination: own.bus.uniqueName })
  t.same(anybody.seen, [], 'no signals meanwhile')
  await other.releaseName(INTERFACE)
  t.equal(await own.states.next(), 'owned')
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'unreachable' }))
  t.equal(await anybody.next(), ROOT + LAP)
  await own.surface.stop()
  t.equal(await other.requestName(INTERFACE), 'owned', 'stopping gives the name back')
  t.same(own.states.seen, ['taken', 'owned'])
})

t.test('the name becomes free while it is being asked for', async t => {
  const asked = new Inbox<(answer: 'owned' | 'taken') => void>()
  let owner = (_: string) => {}
  const bus = {
    connected: true,
    uniqueName: ':1.1',
    onUp: () => {},
    onDown: () => {},
    serve: () => {},
    emit: () => {},
    watchName: (_: string, fn: typeof owner) => {
      owner = fn
      return () => {}
    },
    requestName: () => new Promise(resolve => asked.put(resolve)),
    releaseName: async () => {}
  } as unknown as Bus
  const states = new Inbox<string>()
  const surface = new DBusSurface({
    bus,
    publisher: new Publisher({ boot: 'boot' }),
    implementation: implement({}),
    agents: new Agents({ bus, allowed: () => true, log: () => {} }),
    control: () => true,
    log: () => {},
    onState: state => states.put(state)
  })
  surface.start()
  const first = await asked.next()
  owner(':1.9')
  owner('')
  first('taken')
  const second = await asked.next()
  second('owned')
  await states.until(state => state === 'owned')
  t.same(states.seen, ['taken', 'owned'])
  await surface.stop()
})

t.test('no session bus, then one', async t => {
  const running = new TestBus(t)
  const own = new Surface(t, running, {})
  own.start()
  t.equal(await own.states.next(), 'absent')
  own.publisher.set('Peer', LAP, peer('co1lap', { State: 'suspect' }))
  await running.start()
  t.equal(await own.states.next(), 'owned')
})
