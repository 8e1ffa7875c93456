import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { marshallMessage } from 'dbus-next/lib/marshall-compat.js'
import { Message } from 'dbus-next/lib/message-type.js'
import t from 'tap'
import { Bus, BusError, type BusMessage, plain, Variant } from '../../src/host/bus.ts'
import { busSockets } from '../../src/host/bus-address.ts'
import { BusConnection, type Incoming } from '../../src/host/bus-connection.ts'
import { TestBus } from '../bus.ts'

interface Test {
  teardown(fn: () => Promise<void>): void
}
const DBUS = 'org.freedesktop.DBus'
/** For t.rejects: an error with this D-Bus name. */
const named = (errorName: string) => ({ errorName }) as unknown as BusError
const driver = { destination: DBUS, path: '/org/freedesktop/DBus', interface: DBUS }

/** A bus object that says when it is up and down, and keeps what it logged. */
function open(t: Test, address: string) {
  const logged: string[] = []
  const bus = new Bus({ kind: 'session', address, log: (level, text) => logged.push(`${level} ${text}`) })
  t.teardown(() => bus.close())
  const next = (on: (fn: () => void) => void) => new Promise<void>(resolve => on.call(bus, resolve))
  return { bus, logged, up: () => next(bus.onUp), down: () => next(bus.onDown) }
}
async function connected(t: Test, address: string) {
  const opened = open(t, address)
  const up = opened.up()
  opened.bus.start()
  await up
  return opened
}
/** A list that can be waited on. */
function collector<T>() {
  const seen: T[] = []
  let wake = () => {}
  return {
    seen,
    push: (item: T) => {
      seen.push(item)
      wake()
    },
    until: async (n: number) => {
      while (seen.length < n)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      return seen
    }
  }
}

t.test('addresses', async t => {
  t.same(busSockets('unix:path=/run/user/1000/bus', undefined), ['/run/user/1000/bus'])
  t.same(busSockets('tcp:host=a,port=1;unix:guid=1,path=/a%20b%2fc;unix:abstract=/tmp/x', undefined), [
    '/a b/c',
    '\0/tmp/x'
  ])
  t.same(busSockets('unix:runtime=yes', '/run/user/7'), ['/run/user/7/bus'])
  t.same(busSockets('unix:path=/%zz', undefined), [])
  t.same(busSockets('nonsense', undefined), [])
})

t.test('plain values', async t => {
  t.same(
    plain({
      A: new Variant('t', 5n),
      B: new Variant('av', [new Variant('a{sv}', { C: new Variant('b', true) })])
    }),
    { A: 5, B: [{ C: true }] }
  )
})

t.test('calls and answers', async t => {
  const { address } = await TestBus.up(t)
  const service = await connected(t, address)
  const client = await connected(t, address)
  const calls: BusMessage[] = []
  service.bus.serve(async m => {
    calls.push(m)
    if (m.member === 'Echo') return { signature: m.signature, body: m.body }
    if (m.member === 'Known') throw new BusError('org.example.Error.Known', 'a sentence')
    if (m.member === 'Broken') throw new Error('secret detail')
    if (m.member === 'Misfit') return { signature: 'u', body: ['not a number'] }
    if (m.member === 'Slow') return new Promise(() => {})
    return undefined
  })
  const call = (member: string, signature = '', body: unknown[] = []) =>
    client.bus.call({
      destination: service.bus.uniqueName,
      path: '/a',
      interface: 'org.example.A',
      member,
      signature,
      body,
      timeoutMs: member === 'Slow' ? 50 : 60_000
    })

  t.same(await call('Echo', 'sta{sv}', ['ä', 5n, { A: new Variant('u', 1) }]), [
    'ä',
    5n,
    { A: new Variant('u', 1) }
  ])
  t.match(calls[0], { sender: client.bus.uniqueName, path: '/a', interface: 'org.example.A', reply: true })
  await t.rejects(call('Known'), { errorName: 'org.example.Error.Known', message: 'a sentence' })
  await t.rejects(call('Broken'), { errorName: `${DBUS}.Error.Failed`, message: 'internal error' })
  await t.rejects(call('Misfit'), { message: 'internal error' })
  await t.rejects(call('Else'), named(`${DBUS}.Error.UnknownMethod`))
  await t.rejects(call('Slow'), { errorName: `${DBUS}.Error.Timeout`, message: /Slow.*50 ms/ })
  await t.rejects(call('Echo', 'u', ['x']), named(`${DBUS}.Error.InvalidArgs`))
  await t.rejects(call('Echo', 's', ['x'.repeat(2_000_000)]), { message: /too long/ })
  t.same(await call('Echo', 's', ['x'.repeat(900_000)]), ['x'.repeat(900_000)], 'goes on after it')
  await t.rejects(
    client.bus.call({ destination: 'org.example.None', path: '/', interface: 'a.b', member: 'C' }),
    named(`${DBUS}.Error.ServiceUnknown`)
  )
  t.match(service.logged.join('\n'), /error a D-Bus call failed/)
})

t.test('matches: rules are counted, a well-known sender is its owner, rules are removed', async t => {
  const { address } = await TestBus.up(t)
  const [a, b, c] = [await connected(t, address), await connected(t, address), await connected(t, address)]
  t.equal(await a.bus.requestName('org.example.A'), 'owned')
  const got = collector<unknown>()
  const rule = { sender: 'org.example.A', interface: 'org.example.I', pathNamespace: '/x', member: 'S' }
  const first = c.bus.match(rule, m => got.push(['first', m.path, m.body[0]]))
  const second = c.bus.match(rule, m => got.push(['second', m.path, m.body[0]]))
  await c.bus.call({ ...driver, member: 'GetId' })
  const emit = (bus: Bus, path: string, n: number) =>
    bus.emit({ path, interface: 'org.example.I', member: 'S', signature: 'u', body: [n] })
  emit(b.bus, '/x', 1)
  await b.bus.call({ ...driver, member: 'GetId' })
  emit(a.bus, '/xy', 2)
  emit(a.bus, '/x/y', 3)
  t.same(await got.until(2), [
    ['first', '/x/y', 3],
    ['second', '/x/y', 3]
  ])
  const rules = async () => {
    const stats = { ...driver, interface: `${DBUS}.Debug.Stats`, member: 'GetAllMatchRules' }
    const [all] = (await c.bus.call(stats)) as [{ [name: string]: string[] }]
    return all[c.bus.uniqueName]?.length ?? 0
  }
  t.equal(await rules(), 2, 'one rule for the signal, one for the name')
  first()
  t.equal(await rules(), 2)
  second()
  t.equal(await rules(), 0)
  const direct = collector<unknown>()
  b.bus.match({ interface: 'org.example.I' }, m => direct.push(m.body[0]))
  await b.bus.call({ ...driver, member: 'GetId' })
  const unicast = { path: '/u', interface: 'org.example.I', member: 'S', signature: 'u', body: [9] }
  a.bus.emit({ ...unicast, destination: c.bus.uniqueName })
  a.bus.emit({ ...unicast, body: [10] })
  t.same(await direct.until(1), [10], 'a signal to one client reaches no other')
})

t.test('names: owned, taken, watched', async t => {
  const { address } = await TestBus.up(t)
  const [a, b] = [await connected(t, address), await connected(t, address)]
  const owners = collector<string>()
  b.bus.watchName('org.example.N', owner => owners.push(owner))
  await owners.until(1)
  t.equal(await a.bus.requestName('org.example.N'), 'owned')
  t.equal(await b.bus.requestName('org.example.N'), 'taken')
  t.equal(await a.bus.requestName('org.example.N'), 'owned', 'asking again does no harm')
  await a.bus.releaseName('org.example.N')
  t.same(await owners.until(3), ['', a.bus.uniqueName, ''])
  const later = collector<string>()
  b.bus.watchName('org.example.N', owner => later.push(owner))
  t.same(await later.until(1), [''], 'who comes later is told too')
})

t.test('the bus is killed and started again', async t => {
  const daemon = await TestBus.up(t)
  const a = await connected(t, daemon.address)
  const b = await connected(t, daemon.address)
  const owners = collector<string>()
  b.bus.watchName('org.example.R', owner => owners.push(owner))
  a.bus.onUp(() => void a.bus.requestName('org.example.R'))
  await a.bus.requestName('org.example.R')
  const signals = collector<unknown>()
  b.bus.match({ sender: 'org.example.R', interface: 'org.example.I' }, m => signals.push(m.body[0]))
  b.bus.serve(() => new Promise(() => {}))
  await owners.until(2)
  const never = { destination: b.bus.uniqueName, path: '/', interface: 'a.b', member: 'C', timeoutMs: 60_000 }
  const pending = a.bus.call(never)
  const downs = [a.down(), b.down()]
  const ups = [a.up(), b.up()]
  const killed = daemon.kill()
  await t.rejects(pending, named(`${DBUS}.Error.Disconnected`), 'what waits is rejected')
  await Promise.all(downs)
  t.equal(a.bus.uniqueName, '')
  await t.rejects(a.bus.call(never), named(`${DBUS}.Error.Disconnected`), 'and what is asked then')
  a.bus.emit({ path: '/', interface: 'a.b', member: 'C', signature: '', body: [] })
  await killed
  await daemon.start()
  await Promise.all(ups)
  await owners.until(4)
  t.same(owners.seen.slice(2), ['', a.bus.uniqueName])
  a.bus.emit({ path: '/', interface: 'org.example.I', member: 'S', signature: 's', body: ['again'] })
  t.same(await signals.until(1), ['again'])
  t.equal(a.bus.signals, 1, 'the one that was sent is counted')
})

t.test('no bus at all, then one', async t => {
  const daemon = new TestBus(t)
  const { bus, up, down, logged } = open(t, daemon.address)
  const owners = collector<string>()
  bus.watchName('org.example.N', owner => owners.push(owner))
  const first = down()
  const connecting = up()
  bus.start()
  await first
  t.same(await owners.until(1), [''])
  t.equal(bus.connected, false)
  await t.rejects(bus.requestName('org.example.N'), named(`${DBUS}.Error.Disconnected`))
  t.equal(logged.filter(l => l.startsWith('info')).length, 1, 'said once')
  await daemon.start()
  await connecting
  t.equal(await bus.requestName('org.example.N'), 'owned')
  t.same(await owners.until(2), ['', bus.uniqueName])
})

t.test('what is no bus: garbage, silence, refusal', async t => {
  const daemon = new TestBus(t)
  const answers = [
    'OK 1\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
    'REJECTED\r\n',
    'x'.repeat(2000)
  ]
  const connections = collector<string>()
  const server = createServer(socket => {
    const answer = answers[connections.seen.length] ?? ''
    connections.push(answer)
    socket.on('error', () => {})
    socket.once('data', () => (answer ? socket.write(answer, 'latin1') : socket.destroy()))
  })
  server.listen(`${daemon.directory}/bus`)
  await once(server, 'listening')
  const { bus } = open(t, daemon.address)
  bus.start()
  await connections.until(4)
  t.equal(bus.connected, false)
  server.close()
})

t.test('a message that cannot be decoded', async t => {
  const daemon = await TestBus.up(t)
  const service = await connected(t, daemon.address)
  const client = await connected(t, daemon.address)
  service.bus.serve(async () => ({ signature: '', body: [] }))
  const raw = connect(`${daemon.directory}/bus`)
  const message = (serial: number, member: string, destination: string, body: unknown[]) =>
    marshallMessage(
      new Message({
        type: 1,
        serial,
        path: '/',
        destination,
        interface: destination === DBUS ? DBUS : 'a.b',
        member,
        signature: body.length > 0 ? 'u' : '',
        body
      })
    )[0]
  // A file descriptor index with no descriptor: the bus lets it pass.
  const bad = message(2, 'Fd', service.bus.uniqueName, [0])
  const at = bad.indexOf(Buffer.from('\x08\x01g\0\x01u\0', 'latin1'))
  bad[at + 5] = 'h'.charCodeAt(0)
  t.ok(at > 0)
  raw.write('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n')
  raw.write(message(1, 'Hello', DBUS, []))
  raw.write(bad)
  const answer = new Promise<string>(resolve => {
    let text = ''
    raw.on('data', chunk => {
      text += chunk.toString('latin1')
      if (text.includes('InvalidArgs')) resolve(text)
    })
    raw.on('close', () => resolve(text))
  })
  t.match(await answer, /cannot be read/)
  raw.destroy()
  const call = { destination: service.bus.uniqueName, path: '/', interface: 'a.b', member: 'C' }
  t.same(await client.bus.call(call), [], 'others are served')
  t.same(
    service.logged.filter(l => l.startsWith('error')),
    []
  )
})

t.test('an answer does not outlive the bus', async t => {
  const daemon = await TestBus.up(t)
  const { bus, up } = await connected(t, daemon.address)
  const asked = collector<() => void>()
  bus.serve(m => {
    if (m.member === 'Now') return Promise.resolve({ signature: '', body: [] })
    return new Promise(resolve => asked.push(() => resolve({ signature: '', body: [] })))
  })
  /** Connects under the same name each time, and calls with serial 2. */
  const caller = async (member: string) => {
    const got = collector<Incoming>()
    const connection: BusConnection = new BusConnection(`${daemon.directory}/bus`, () => {
      connection.send({ type: 1, ...driver, member: 'Hello' }, 1)
      const to = { destination: bus.uniqueName, path: '/', interface: 'a.b' }
      connection.send({ type: 1, ...to, member }, member === 'Now' ? 3 : 2)
    })
    connection.onMessage = m => got.push(m)
    t.teardown(async () => connection.destroy('done'))
    return got
  }
  const first = await caller('Later')
  const [answer] = await asked.until(1)
  const again = up()
  await daemon.kill()
  await daemon.start()
  await again
  const second = await caller('Now')
  await second.until(1)
  t.equal(second.seen[0]?.body[0], first.seen[0]?.body[0], 'another program has the name')
  answer?.()
  // The reply to Hello, NameAcquired, and the reply to Now.
  await second.until(3)
  await bus.call({ ...driver, member: 'GetId' })
  await new Promise(setImmediate)
  t.same(
    second.seen.map(m => m.replySerial),
    [1, 0, 3]
  )
})
