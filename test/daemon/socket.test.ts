import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { type Implementation, INTERFACE, VERSION } from '../../src/api/api.ts'
import { QUEUED_MAX } from '../../src/daemon/surfaces/connection.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { subscribe, wishOf } from '../../src/daemon/surfaces/subscribe.ts'
import type { Facts } from '../implementation.ts'
import { fakeFacts, fakeImplementation, ids, TICKET } from '../implementation.ts'
import { PlainClient } from './client.ts'
import { peer } from './example.ts'
import { FakeClock } from './fake-clock.ts'

const VERSION_CALL = '{"method":"Version"}\n'
const IS_VERSION = { parameters: { Version: VERSION } }

interface Served {
  path: string
  facts: Facts
  surface: SocketSurface
  log: { level: string; text: string; facts: object | undefined }[]
  open(): Promise<PlainClient>
}

/** A fresh directory with a short name: a socket's path has at most 107 bytes. */
function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

async function serve(t: Test, facts = fakeFacts()): Promise<Served> {
  const path = join(directory(t), 'coterie', 'coterie.sock')
  const log: Served['log'] = []
  const surface = new SocketSurface({
    implementation: fakeImplementation(facts),
    log: (level, text, more) => log.push({ level, text, facts: more })
  })
  await surface.listen({ path })
  t.teardown(() => surface.stop())
  return {
    path,
    facts,
    surface,
    log,
    async open() {
      const client = await PlainClient.open(path)
      t.teardown(() => client.socket.destroy())
      return client
    }
  }
}

const residentMiB = (pid: number | undefined) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** A promise, and the function that fulfils it. */
const event = () => Promise.withResolvers<void>()

t.test('calls', async t => {
  const { open, facts, log } = await serve(t)
  const client = await open()

  t.same(await client.ask(VERSION_CALL), IS_VERSION, 'by its short name')
  t.same(await client.ask(`{"method":"${INTERFACE}.Version"}\n`), IS_VERSION, 'by its full name')
  t.same(await client.ask('{"method":"Version","parameters":{}}\n'), IS_VERSION)
  t.same(await client.ask('{\n "method": "Version"\n}\n'), IS_VERSION, 'over several lines')
  t.same(await client.ask('{"method":"Status"}\n'), { parameters: facts.status }, 'the record itself')

  client.socket.write(VERSION_CALL + VERSION_CALL.replace('\n', '\0') + VERSION_CALL)
  t.same(
    [await client.next(), await client.next(), await client.next()].map(a => a?.at(-1)),
    ['\n', '\0', '\n'],
    'each answer ends as its question did'
  )

  await client.ask('{"method":"Status","parameters":{"Circle":null,"All":true}}\n')
  t.same(facts.calls.at(-1), { method: 'Status', params: { Circle: '', All: true } }, 'null: left out')
  t.same(log, [])
})

t.test('errors', async t => {
  const { open, facts, log } = await serve(t)
  const client = await open()
  const ours = (name: string, Message: unknown) => ({
    error: `${INTERFACE}.${name}`,
    parameters: { Message }
  })
  const varlink = (name: string, parameters: object) => ({ error: `org.varlink.service.${name}`, parameters })
  const table: [string, object][] = [
    ['{"method":"Ping","parameters":{"Peer":"eve"}}', ours('NoSuchPeer', /"eve"/)],
    ['{"method":"Ping","parameters":{"Peer":"nas"}}', ours('Unreachable', /nas/)],
    ['{"method":"Ping"}', ours('InvalidValue', /Peer is missing/)],
    ['{"method":"Ping","parameters":{"Peer":"nas","Count":-1}}', ours('InvalidValue', /Ping.Count/)],
    ['{"method":"Ping","parameters":{"peer":"nas"}}', ours('InvalidValue', /no such field "peer"/)],
    ['{"method":"Ping","Peer":"nas"}', ours('InvalidValue', /no member "Peer"/)],
    ['{"method":7}', ours('InvalidValue', /names its "method"/)],
    ['{}', ours('InvalidValue', /names its "method"/)],
    ['{"method":}', ours('InvalidValue', /not good JSON/)],
    ['{"method"]', ours('InvalidValue', /not good JSON/)],
    ['{"method":"Version","parameters":[]}', varlink('InvalidParameter', { parameter: 'parameters' })],
    ['{"method":"Version","more":1}', varlink('InvalidParameter', { parameter: 'more' })],
    ['{"method":"Version","upgrade":true}', varlink('InvalidParameter', { parameter: 'upgrade' })],
    ['{"method":"Nothing"}', varlink('MethodNotFound', { method: 'Nothing' })],
    ['{"method":"constructor"}', varlink('MethodNotFound', { method: 'constructor' })],
    [`{"method":"${INTERFACE}.Nothing"}`, varlink('MethodNotFound', { method: `${INTERFACE}.Nothing` })],
    ['{"method":"org.example.Status"}', varlink('InterfaceNotFound', { interface: 'org.example' })],
    ['{"method":"Watch"}', varlink('ExpectedMore', {})]
  ]
  for (const [call, answer] of table) t.match(await client.ask(`${call}\n`), answer, call)
  t.same(log, [], 'a user’s mistakes are not logged')

  facts.fault = new TypeError('x is not a function, key 5eed')
  t.same(await client.ask(VERSION_CALL), ours('Internal', 'internal error'), 'our fault stays inside')
  t.match(
    log,
    [{ level: 'error', text: /Version/, facts: { error: /5eed[\s\S]* at / } }],
    'the log has all of it'
  )
  facts.fault = undefined
  t.same(await client.ask(VERSION_CALL), IS_VERSION, 'it goes on')
})

t.test('org.varlink.service', async t => {
  const client = await (await serve(t)).open()
  const ask = (method: string, parameters: object = {}) =>
    client.ask(`${JSON.stringify({ method: `org.varlink.service.${method}`, parameters })}\0`)
  t.match(await ask('GetInfo'), {
    parameters: { product: 'coteried', version: VERSION, interfaces: [INTERFACE, 'org.varlink.service'] }
  })
  for (const name of [INTERFACE, 'org.varlink.service']) {
    const { parameters } = await ask('GetInterfaceDescription', { interface: name })
    t.match(parameters.description, new RegExp(`^interface ${name}$`, 'm'))
  }
  const error = (name: string, parameters: object) => ({ error: `org.varlink.service.${name}`, parameters })
  t.same(
    await ask('GetInterfaceDescription', { interface: 'a.b' }),
    error('InterfaceNotFound', { interface: 'a.b' })
  )
  t.same(await ask('GetInterfaceDescription'), error('InvalidParameter', { parameter: 'interface' }))
  t.same(await ask('GetInfo', { x: 1 }), error('InvalidParameter', { parameter: 'x' }))
})

t.test('streams and jobs', async t => {
  const { open, facts } = await serve(t)
  const client = await open()
  client.socket.write(`{"method":"Watch","more":true}\n${VERSION_CALL}`)
  const answers = []
  for (let i = 0; i < 5; i++) answers.push(JSON.parse((await client.next()) ?? ''))
  t.same(
    answers.slice(0, 3),
    facts.events.map(parameters => ({ parameters, continues: true }))
  )
  t.same(
    answers[3],
    { parameters: { Cursor: '', Type: '', Object: '', Kind: '', Properties: {} } },
    'an ended stream says so, in a form the description allows'
  )
  t.same(answers[4], IS_VERSION, 'what waited behind it')

  const join = { method: 'Join', parameters: { Ticket: TICKET } }
  const joined = { Circle: ids.circle, Name: 'home', Id: ids.self, Device: 'thinkpad' }
  t.same(
    await client.ask(`${JSON.stringify(join)}\n`),
    { parameters: joined },
    'without more only the result'
  )
  t.equal(facts.detailed, false)
  t.same(await client.ask(`${JSON.stringify({ ...join, more: true })}\n`), {
    parameters: {
      Circle: '',
      Name: '',
      Id: '',
      Device: '',
      Progress: 'looking for the device that invited',
      Details: { Address: 'tcp://192.168.1.20:24747' }
    },
    continues: true
  })
  t.equal(facts.detailed, true)
  t.same(JSON.parse((await client.next()) ?? ''), { parameters: joined }, 'the result comes last')

  client.socket.write('{"method":"Version","oneway":true}\n{"method":"Nothing","oneway":true}\n')
  t.match(await client.ask('{"method":"Devices"}\n'), { parameters: { Devices: [] } }, 'oneway: no answer')
  t.same(
    facts.calls.slice(-2).map(c => c.method),
    ['Version', 'Devices'],
    'but it is done'
  )
})

t.test('closing the connection cancels what runs', async t => {
  const { open, facts } = await serve(t)
  facts.gate = new Promise(() => {})
  facts.watchEnds = false
  for (const [method, parameters] of [
    ['Join', { Ticket: TICKET }],
    ['Watch', {}]
  ] as const) {
    const aborted = event()
    facts.onAborted = name => name === method && aborted.resolve()
    const client = await open()
    client.socket.write(`${JSON.stringify({ method, parameters, more: true })}\n`)
    await client.next()
    client.socket.destroy()
    await aborted.promise
    t.pass(method)
  }
})

t.test('a client that only sends no more gets its answers; one that is gone is noticed', async t => {
  const { open, facts } = await serve(t)
  const gate = event()
  facts.gate = gate.promise
  const client = await open()
  client.socket.end(`{"method":"Leave"}\n{"method":"Version"}`)
  const other = await open()
  t.same(await other.ask(VERSION_CALL), IS_VERSION, 'others are served meanwhile')
  gate.resolve()
  t.match(await client.next(), /Told/)
  t.match(await client.next(), /Version/, 'the last call needs no line end')
  t.equal(await client.next(), undefined, 'then the connection is closed')

  const aborted = event()
  facts.onAborted = () => aborted.resolve()
  facts.gate = new Promise(() => {})
  const leaver = await open()
  leaver.socket.end('{"method":"Leave"}\n')
  t.same(await other.ask(VERSION_CALL), IS_VERSION)
  t.same(facts.aborted, [], 'half open is not gone')
  leaver.socket.destroy()
  await aborted.promise
  t.same(facts.aborted, ['Leave'])
})

t.test('garbage gets one sentence and is cut off', async t => {
  const { open, log } = await serve(t)
  const garbage: [string | Buffer, RegExp][] = [
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /JSON object/],
    [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]), /JSON object/],
    ['{"a":'.repeat(1000), /nested/],
    [`{"a":"${'x'.repeat(2_000_000)}"}\n`, /at most/]
  ]
  for (const [bytes, expected] of garbage) {
    const client = await open()
    client.socket.write(VERSION_CALL)
    client.socket.write(bytes)
    t.match(await client.next(), /Version/, 'calls before it are answered')
    t.match(JSON.parse((await client.next()) ?? '{}'), {
      error: `${INTERFACE}.InvalidValue`,
      parameters: { Message: expected }
    })
    await client.closed
  }
  t.same(log, [])
})

t.test('unfinished calls of all clients together have a bound', async t => {
  const { open } = await serve(t)
  const holders = await Promise.all(Array.from({ length: 40 }, open))
  for (const { socket } of holders) socket.write(`{"a":"${'x'.repeat(1_000_000)}`)
  const cut = await Promise.race(holders.map(async h => (await h.next()) ?? ''))
  t.match(cut, /too many unfinished calls/)
  t.same(await (await open()).ask(VERSION_CALL), IS_VERSION, 'a newcomer is served')
})

t.test('a reader that does not read', async t => {
  const { open, facts, log } = await serve(t)
  const large = 'x'.repeat(1_000_000)
  facts.status = { ...facts.status, Notes: [large] }
  const client = await open()
  client.socket.pause()
  for (let i = 0; i < 200; i++) client.socket.write('{"method":"Status"}\n')
  const other = await open()
  for (let i = 0; i < 20; i++) await other.ask(VERSION_CALL)
  t.ok(
    facts.calls.filter(c => c.method === 'Status').length <= 3,
    'its further calls wait until it has read the answers'
  )
  client.socket.resume()
  let got = 0
  while (got < 200 && (await client.next()) !== undefined) got++
  t.equal(got, 200, 'and then all are answered')

  facts.events = []
  const implementation = fakeImplementation(facts)
  const rejected = event()
  const surface = new SocketSurface({
    implementation: {
      ...implementation,
      async Watch(_params, call) {
        const replies = Array.from({ length: 40 }, (_, i) =>
          call.reply({ Cursor: `${i}`, Type: large, Object: '', Kind: '', Properties: {} })
        )
        await Promise.all(replies).catch(error => {
          rejected.resolve()
          throw error
        })
      }
    },
    log: (level, text, more) => log.push({ level, text, facts: more })
  })
  const path = join(directory(t), 'coterie', 'coterie.sock')
  await surface.listen({ path })
  t.teardown(() => surface.stop())
  const deaf = await PlainClient.open(path)
  deaf.socket.pause()
  deaf.socket.write('{"method":"Watch","more":true}\n')
  await rejected.promise
  t.match(log, [{ level: 'warn', text: /does not read/ }], `cut off after ${QUEUED_MAX} bytes`)
})

t.test('a stream of what crosses a threshold', async t => {
  const publisher = new Publisher({ boot: 'boot' })
  const clock = new FakeClock()
  const implementation: Implementation = {
    ...fakeImplementation(),
    Subscribe: (asked, call) => {
      const wish = wishOf(asked, (circle, peer) => ({ circle, peer }))
      return subscribe(publisher, wish, asked.IntervalUSec / 1000, call, clock)
    }
  }
  const surface = new SocketSurface({ implementation, log: (_, text) => t.fail(text) })
  const path = join(directory(t), 'coterie', 'coterie.sock')
  await surface.listen({ path })
  t.teardown(() => surface.stop())
  const open = async (parameters: object) => {
    const client = await PlainClient.open(path)
    t.teardown(() => client.socket.destroy())
    client.socket.write(`${JSON.stringify({ method: 'Subscribe', parameters, more: true })}\n`)
    return client
  }
  const read = async (client: PlainClient) => JSON.parse((await client.next()) ?? 'null')
  const show = async (State: string, LatencyUSec: number, name = 'desk') => {
    for (let n = 0; n < 100; n++) {
      const now = { State, Reachable: State === 'reachable', LatencyUSec, Name: name.repeat(100) }
      publisher.set('Peer', `/p/${n}`, peer(`${n}`, now))
    }
    await new Promise(setImmediate)
  }
  await show('reachable', 1000)
  const client = await open({ All: true, States: ['asleep'], LatencyPercent: 20 })
  const first = await read(client)
  t.equal(first.continues, true)
  t.same(
    first.parameters.Peers,
    publisher.list('Peer').map(o => o.properties),
    'first all, as Status shows them'
  )
  for (let n = 0; n < 1000; n++) await show('reachable', 1000 + (n % 200))
  await show('suspect', 1000)
  clock.run(clock.time + 1000)
  publisher.remove('/p/7')
  t.same(
    await read(client),
    { parameters: { Peers: [], Gone: ['7'] }, continues: true },
    'of a flood below the threshold nothing'
  )
  client.socket.destroy()

  const slow = await open({ All: true })
  await read(slow)
  slow.socket.pause()
  for (let n = 0; n < 2000; n++) {
    await show(n % 2 === 0 ? 'asleep' : 'suspect', 1)
    clock.run(clock.time + 1000)
  }
  await show('unreachable', 0, 'last')
  clock.run(clock.time + 1000)
  slow.socket.resume()
  let replies = 1
  while ((await read(slow)).parameters.Peers[0].State !== 'unreachable') replies++
  t.ok(replies < 200, `a slow reader got ${replies} of 2,000, and the last one`)
  t.match(
    await (await open({ All: true, Peer: 'desk' })).next(),
    /"error":"org\.coterie\.Coterie1\.InvalidValue"/
  )
  const once = await PlainClient.open(path)
  t.match(await once.ask('{"method":"Subscribe"}\n'), { error: 'org.varlink.service.ExpectedMore' })
  once.socket.destroy()
})

t.test('thousands of clients', async t => {
  const path = join(directory(t), 'coterie', 'coterie.sock')
  const child = spawn(process.execPath, [join(import.meta.dirname, 'serve.ts'), path])
  t.teardown(() => child.kill())
  await new Promise(resolve => child.stdout.once('data', resolve))
  const open = (count: number) => Promise.all(Array.from({ length: count }, () => PlainClient.open(path)))
  const started = residentMiB(child.pid)

  const descriptors = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  const half: PlainClient[] = []
  while (half.length < Math.min(10_000, descriptors - 2000)) half.push(...(await open(1000)))
  t.teardown(() => {
    for (const { socket } of half) socket.destroy()
  })
  for (const { socket } of half) socket.write('{"method":"Ver')
  const clients = await open(1000)
  const answers = await Promise.all(clients.map(c => c.ask(VERSION_CALL)))
  t.equal(answers.length, 1000)
  t.same(
    new Set(answers.map(a => a.parameters.Version)),
    new Set([VERSION]),
    `1,000 at once beside ${half.length} half-open ones`
  )
  t.same(await half[500]!.ask('sion"}\n'), IS_VERSION, 'a half-open one may still finish')
  t.comment(`${(((residentMiB(child.pid) - started) * 1024) / half.length).toFixed(1)} KiB for each client`)
  for (const { socket } of [...half, ...clients]) socket.destroy()
})

t.test('garbage connections leave no memory behind', async t => {
  const path = join(directory(t), 'coterie', 'coterie.sock')
  // the flag of bin/coteried
  const child = spawn(process.execPath, ['--optimize-for-size', join(import.meta.dirname, 'serve.ts'), path])
  t.teardown(() => child.kill())
  await new Promise(resolve => child.stdout.once('data', resolve))
  const garbage = ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01', '{"a":'.repeat(50), `{"a":"${'x'.repeat(5000)}`]
  const one = (n: number) =>
    new Promise(resolve => {
      const socket = connect(path)
      socket.on('error', () => {})
      socket.on('close', resolve)
      socket.resume().end(garbage[n % garbage.length]!)
    })
  const many = async (count: number) => {
    for (let n = 0; n < count; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => one(i)))
  }
  await many(2000)
  const before = residentMiB(child.pid)
  await many(30_000)
  const grown = residentMiB(child.pid) - before
  t.ok(grown <= 10, `${grown.toFixed(1)} MiB more after 30,000`)
  t.same(await (await PlainClient.open(path)).ask(VERSION_CALL), IS_VERSION)
})

t.test('the place of the socket', async t => {
  const fresh = () => {
    const log: string[] = []
    const implementation = fakeImplementation()
    return new SocketSurface({ implementation, log: (_level, text) => log.push(text) })
  }
  const top = directory(t)
  let n = 0
  const place = () => join(top, `${++n}`, 'coterie.sock')

  t.test('is made for us alone', async t => {
    const surface = fresh()
    const path = place()
    await surface.listen({ path })
    t.equal(statSync(path).mode & 0o777, 0o600)
    t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
    await surface.stop()
    t.notOk(existsSync(path), 'and removed')
    await surface.listen({ path })
    await surface.stop()
  })
  t.test('a socket nobody listens on is replaced', async t => {
    const path = place()
    mkdirSync(join(path, '..'), { mode: 0o700 })
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await new Promise(resolve => spawn(process.execPath, ['-e', program]).on('close', resolve))
    t.ok(statSync(path).isSocket(), 'a stale socket')
    const surface = fresh()
    await surface.listen({ path })
    const client = await PlainClient.open(path)
    t.same(await client.ask(VERSION_CALL), IS_VERSION)
    await surface.stop()
  })
  t.test('a socket of another program stays', async t => {
    const path = place()
    mkdirSync(join(path, '..'), { mode: 0o700 })
    const other = createServer(socket => socket.end('other'))
    await new Promise<void>(resolve => other.listen(path, resolve))
    await t.rejects(fresh().listen({ path }), {
      message: new RegExp(`${path} is in use by process ${process.pid} .*stop that first`)
    })
    t.ok(existsSync(path))
    await new Promise(resolve => other.close(resolve))
  })
  t.test('what else may be in the way', async t => {
    const file = place()
    mkdirSync(join(file, '..'), { mode: 0o700 })
    writeFileSync(file, 'precious')
    await t.rejects(fresh().listen({ path: file }), { message: /not a socket/ })

    const real = join(top, 'real')
    mkdirSync(real, { mode: 0o700 })
    const linked = place()
    symlinkSync(real, join(linked, '..'))
    await t.rejects(fresh().listen({ path: linked }), { message: /symbolic link/ })

    const wide = place()
    mkdirSync(join(wide, '..'))
    chmodSync(join(wide, '..'), 0o755)
    await t.rejects(fresh().listen({ path: wide }), { message: /entered by others .*chmod 700/ })

    const notDirectory = place()
    writeFileSync(join(notDirectory, '..'), '')
    await t.rejects(fresh().listen({ path: notDirectory }), { message: /not a directory/ })

    await t.rejects(fresh().listen({ path: `/${'x'.repeat(200)}` }), { message: /longer than the 107 bytes/ })
    await t.rejects(fresh().listen({ fd: 0 }), { message: /descriptor 0/ })
    if (process.getuid?.() === 0) {
      const foreign = place()
      mkdirSync(join(foreign, '..'), { mode: 0o700 })
      chownSync(join(foreign, '..'), 12345, 12345)
      await t.rejects(fresh().listen({ path: foreign }), { message: /another user \(uid 12345\)/ })
    }
  })
})

const activate = '/usr/bin/systemd-socket-activate'
t.test(
  'a socket that systemd passed',
  { skip: !existsSync(activate) && `${activate} is not here` },
  async t => {
    const path = join(directory(t), 'passed.sock')
    const child = spawn(activate, ['-l', path, process.execPath, join(import.meta.dirname, 'serve.ts'), '3'])
    t.teardown(() => child.kill())
    await new Promise<void>(resolve => child.stderr.on('data', text => /Listening/.test(text) && resolve()))
    const client = await PlainClient.open(path)
    t.same(await client.ask(VERSION_CALL), IS_VERSION, 'connecting started it')
    const ended = new Promise(resolve => child.on('close', resolve))
    child.kill()
    await ended
    t.ok(existsSync(path), 'the path is systemd’s, and stays')
  }
)

t.test('stopping answers what runs, then closes', async t => {
  const { open, facts, surface, path } = await serve(t)
  facts.gate = new Promise(() => {})
  const [idle, busy] = [await open(), await open()]
  t.same(await idle.ask(VERSION_CALL), IS_VERSION)
  busy.socket.write('{"method":"Leave"}\n')
  t.same(await idle.ask(VERSION_CALL), IS_VERSION)
  await surface.stop()
  t.match(await busy.next(), /Cancelled.*coteried is stopping/)
  await Promise.all([idle.closed, busy.closed])
  t.notOk(existsSync(path))
})
