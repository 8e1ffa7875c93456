/** Programs that serve tags between real daemons: on the socket, on D-Bus, and from a shell. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { INTERFACE, type Params, type Result, ROOT } from '../../src/api/api.ts'
import { Client } from '../../src/cli/client.ts'
import { BusError, plain } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { bin } from '../cli/command.ts'
import { follow, lacking } from '../command.ts'
import { client, Inbox } from '../daemon/surface.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'

type Message = Result<'WaitMessage'>['Message']
type Served = Result<'Serve'>
type Test = { teardown(fn: () => unknown): void }

/** Two that see each other; handlers of the second may take a second. */
async function pair(t: Test, env = {}): Promise<[Computer, Computer]> {
  const [anna, ben] = [new Computer(t, 'anna', { env }), new Computer(t, 'ben', { env: { ...env } })]
  ben.configure('[handlers]\ntimeout = 1\n')
  await Promise.all([anna.start(), ben.start()])
  await anna.founds()
  await ben.joins(await anna.ticket())
  await Promise.all([anna.sees('ben'), ben.sees('anna')])
  return [anna, ben]
}

async function sends(from: Computer, tag: string, wish: Partial<Params<'Send'>> = {}): Promise<string> {
  const { Messages } = await from.aside('Send', { Peers: ['ben'], Tag: tag, ...wish })
  return Messages[0]!.Id
}
async function ends(from: Computer, id: string, state = 'done'): Promise<Message> {
  return (await from.aside('WaitMessage', { Id: id, State: state, TimeoutUSec: 20e6 })).Message
}

/** Until it is in that state, which may pass. */
async function becomes(on: Computer, id: string, state: string): Promise<void> {
  const client = await Client.open(on.socket)
  const look = async () => {
    for await (const _event of client.stream('Watch', { Since: '' })) {
      const { Messages } = await on.aside('Outbox')
      if (Messages.some(({ Id, State }) => Id === id && State === state)) return
    }
  }
  await within(PATIENCE_MS, `it is ${state}`, look())
  client.close()
}

/** A program on the socket. */
class Program {
  readonly got = new Inbox<Served>()
  readonly #on: Computer
  readonly #client: Client

  private constructor(on: Computer, client: Client) {
    this.#on = on
    this.#client = client
  }

  static async up(on: Computer, tags: string[], wish: Partial<Params<'Serve'>> = {}): Promise<Program> {
    const client = await Client.open(on.socket)
    const program = new Program(on, client)
    const stream = client.stream('Serve', { Tags: tags, ...wish })
    await stream.next()
    const read = async () => {
      for await (const message of stream) program.got.put(message)
    }
    read().catch(() => {}) // it goes with its daemon
    return program
  }

  next(): Promise<Served> {
    return within(PATIENCE_MS, 'a message', this.got.next())
  }
  answer({ Request }: Served, answer: Partial<Params<'Answer'>> = {}): Promise<object> {
    return this.#on.aside('Answer', { Request, ...answer })
  }
  vanish(): void {
    this.#client.close()
  }
}

/** When the program has gone, the daemon notices a moment later. */
async function programs(on: Computer, count: number): Promise<void> {
  while ((await on.aside('Handlers')).Programs.length !== count) await new Promise(setImmediate)
}

if (inside(t, import.meta.url)) {
  t.test('a program on the socket', async t => {
    const [anna, ben] = await pair(t)
    for (const [tags, wrong] of [
      [[], /1 to 64/],
      [['Backup'], /"Backup" cannot be part of a tag/],
      [['a/*/b'], /"\*" cannot be part/]
    ] as const)
      t.match(await failure(Program.up(ben, [...tags])), wrong)
    const program = await Program.up(ben, ['print/*', 'scan'], { Name: 'panel' })
    t.match(await ben.aside('Handlers'), {
      Programs: [{ Name: 'panel', Tags: ['print/*', 'scan'], Retry: false, Busy: false }]
    })

    const first = await sends(anna, 'print/page', { Body: 'text', Ask: true })
    const second = await sends(anna, 'print/page', { BodyBase64: '/wA=' })
    const message = await program.next()
    t.match(message, { Id: first, Name: 'anna', CircleName: 'home', Tag: 'print/page', Body: 'text' })
    t.match(message, { Ask: true, Run: 1, BodyBase64: '' })
    t.equal((await ends(anna, first, 'started')).State, 'started')
    await program.answer(message, { OutputBase64: '/w==' })
    t.match(await ends(anna, first), { State: 'done', Output: '', OutputBase64: '/w==' })
    const next = await program.next()
    t.match(next, { Id: second, Body: '', BodyBase64: '/wA=', Ask: false }, 'the next one follows the answer')
    await program.answer(next, { Exit: 3, Output: 'not asked for' })
    t.match(await ends(anna, second), { State: 'dead', Reason: 'failed', Exit: 3, Output: '' })
    t.match(await failure(program.answer(next)), /NoSuchMessage: no message waits for that answer/)
    t.match(await failure(program.answer(next, { Exit: 256 })), /InvalidValue: Answer.Exit/)

    t.comment('again later')
    const third = await sends(anna, 'scan')
    await program.answer(await program.next(), { Exit: 75 })
    await becomes(anna, third, 'later')

    t.comment('too late')
    const fourth = await sends(anna, 'scan')
    const late = await program.next()
    t.match(await ends(anna, fourth), { State: 'dead', Reason: 'timeout' })
    t.match(
      await ends(anna, await sends(anna, 'scan')),
      { Reason: 'no-handler' },
      'it gets no other until then'
    )
    t.match(await failure(program.answer(late)), /Timeout: it came too late/)
    const fifth = await sends(anna, 'scan')
    await program.answer(await program.next())
    t.match(await ends(anna, fifth), { State: 'done' })

    t.comment('it goes with a message it has')
    const sixth = await sends(anna, 'scan')
    const seventh = await sends(anna, 'scan')
    await program.next()
    program.vanish()
    t.match(await ends(anna, sixth), { State: 'dead', Reason: 'unknown' })
    t.equal((await ends(anna, seventh, 'received')).State, 'received', 'the next one waits for it a little')
    const back = await Program.up(ben, ['scan'], { Retry: true })
    await back.answer(await back.next())
    t.match(await ends(anna, seventh), { State: 'done' })
    const eighth = await sends(anna, 'scan')
    await back.next()
    back.vanish()
    await becomes(anna, eighth, 'later')
  })

  t.test('which one gets it', async t => {
    const [anna, ben] = await pair(t)
    const file = join(dirname(ben.configFile), 'handlers/message/scan/page')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, '#!/bin/sh\necho file\n')
    chmodSync(file, 0o700)
    while ((await ben.aside('Handlers')).Handlers.length === 0) await ben.logs(/./)
    const asks = async () => (await ends(anna, await sends(anna, 'scan/page', { Ask: true }))).Output

    const all = await Program.up(ben, ['*'], { Name: 'all' })
    const below = await Program.up(ben, ['scan/*'], { Name: 'below' })
    t.equal(await asks(), 'file\n', 'a file goes before a pattern')
    const other = sends(anna, 'scan/photo')
    await below.answer(await below.next())
    t.match(await ends(anna, await other), { State: 'done' })
    const far = sends(anna, 'else')
    await all.answer(await all.next())
    t.match(await ends(anna, await far), { State: 'done' })
    t.match(await ben.aside('TryHandler', { Peer: 'anna', Tag: 'scan/photo' }), { Handler: 'program below' })
    t.match(await ben.aside('TryHandler', { Peer: 'anna', Tag: 'scan/page' }), { Handler: file })

    const [one, two] = [await Program.up(ben, ['scan/page']), await Program.up(ben, ['scan/page'])]
    t.match(await ben.aside('TryHandler', { Peer: 'anna', Tag: 'scan/page' }), {
      Handler: 'program ',
      Others: [file]
    })
    const ids = [await sends(anna, 'scan/page'), await sends(anna, 'scan/page')]
    const both = [await one.next(), await two.next()]
    t.same(both.map(({ Id }) => Id).sort(), [...ids].sort(), 'of two each gets one')
    await Promise.all([one.answer(both[0]!), two.answer(both[1]!)])
    for (const program of [one, two]) program.vanish()
    await programs(ben, 2)
    t.equal(await asks(), 'file\n', 'when they are gone the file has it again')

    ben.configure('[[allow]]\nfrom = "anna"\ntags = ["scan/*"]\n')
    await ben.call('Reload')
    t.match(await ends(anna, await sends(anna, 'else')), { Reason: 'not-allowed' }, 'rules are the same')
  })

  t.test('the daemon is started again', async t => {
    const [anna, ben] = await pair(t)
    const [once, again] = [await Program.up(ben, ['once']), await Program.up(ben, ['again'], { Retry: true })]
    const ids = [await sends(anna, 'once'), await sends(anna, 'again')] as const
    await Promise.all([once.next(), again.next()])
    await ben.kill()
    const waits = await sends(anna, 'once')
    await ben.start()
    t.match(await ends(anna, ids[0]), { State: 'dead', Reason: 'unknown' }, 'nobody knows how it ended')
    t.equal((await ends(anna, waits, 'received')).State, 'received', 'what comes meanwhile waits')
    const back = await Program.up(ben, ['once', 'again'], { Retry: true })
    for (let i = 0; i < 2; i++) {
      const message = await back.next()
      t.equal(message.Run, message.Id === ids[1] ? 2 : 1)
      await back.answer(message)
    }
    for (const id of [ids[1], waits]) t.match(await ends(anna, id), { State: 'done' })
  })

  t.test('a program on D-Bus, and what subscribers are told', { skip: lacking('gdbus') }, async t => {
    const { address } = await TestBus.up(t, 'bare')
    const [anna, ben] = [
      new Computer(t, 'anna'),
      new Computer(t, 'ben', { env: { DBUS_SESSION_BUS_ADDRESS: address } })
    ]
    await Promise.all([anna.start(), ben.start()])
    await anna.founds()
    await ben.joins(await anna.ticket())
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    const monitor = follow(t, 'gdbus', ['monitor', '--session', '-d', INTERFACE], {
      DBUS_SESSION_BUS_ADDRESS: address
    })
    await monitor.line(/is owned by/)

    const bus = await client(t, address)
    const manage = (member: string, signature: string, body: unknown[]) =>
      bus
        .call({
          destination: INTERFACE,
          path: ROOT,
          interface: `${INTERFACE}.HandlerManager`,
          member,
          signature,
          body
        })
        .then(
          () => 'done',
          ({ errorName, message }: BusError) => `${errorName}: ${message}`
        )
    const calls = new Inbox<Served>()
    let answer: () => Promise<[number, string, string]> = async () => [0, 'by bus', '']
    bus.serve(async ({ path, interface: its, member, body }) => {
      t.same([path, its, member], ['/h', `${INTERFACE}.Handler`, 'Handle'])
      calls.put(plain(body[0]) as Served)
      return { signature: 'uss', body: await answer() }
    })
    t.match(await manage('UnregisterHandler', 'o', ['/h']), /InvalidValue: .* no handler at \/h/)
    t.match(await manage('RegisterHandler', 'oasb', ['/h', ['X'], false]), /InvalidValue: Serve.Tags: "X"/)
    t.equal(await manage('RegisterHandler', 'oasb', ['/h', ['bus/*'], false]), 'done')
    t.match(await manage('RegisterHandler', 'oasb', ['/h', ['bus/*'], false]), /registered \/h already/)
    t.match(await ben.aside('Handlers'), { Programs: [{ Name: bus.uniqueName, Tags: ['bus/*'] }] })

    const id = await sends(anna, 'bus/one', { Body: 'über', Ask: true })
    t.match(await within(PATIENCE_MS, 'Handle', calls.next()), { Id: id, Name: 'anna', Body: 'über', Run: 1 })
    t.match(await ends(anna, id), { State: 'done', Output: 'by bus' })
    t.match(await monitor.line(/MessageReceived/), new RegExp(`'${id}'.*'anna', 'bus/one', uint64 5`))

    answer = async () => {
      throw new BusError('com.example.No', 'no paper')
    }
    t.match(await ends(anna, await sends(anna, 'bus/two')), { State: 'dead', Reason: 'failed', Exit: 1 })
    answer = async () => [7, '', '']
    t.match(await ends(anna, await sends(anna, 'bus/two')), { State: 'dead', Reason: 'failed', Exit: 7 })
    answer = () => new Promise(() => {})
    const last = await sends(anna, 'bus/three')
    await within(
      PATIENCE_MS,
      'Handle',
      calls.until(({ Id }) => Id === last)
    )
    await bus.close()
    t.match(await ends(anna, last), { State: 'dead', Reason: 'unknown' }, 'it went with a message')

    if (lacking('gjs') === false) {
      const page = readFileSync(join(import.meta.dirname, '../../docs/handlers.md'), 'utf8')
      const file = join(ben.directory, 'serve.js')
      writeFileSync(file, /```js\n([\s\S]*?)```/.exec(page)![1]!)
      const gjs = follow(t, 'gjs', ['-m', file], { DBUS_SESSION_BUS_ADDRESS: address })
      await gjs.line(/^ready$/)
      const shown = await sends(anna, 'show/this', { Body: 'hello', Ask: true })
      t.match(await ends(anna, shown), { State: 'done', Output: 'shown' }, 'the program of docs/handlers.md')
      t.equal(await gjs.line(/hello/), 'anna: hello')
    } else t.comment('gjs is not installed: the program of docs/handlers.md was not tried')

    const back = await ben.aside('Send', { Peers: ['anna'], Tag: 'nobody/home' })
    const told = [await monitor.line(/ReceiptChanged.*'dead'/)]
    t.match(told[0], new RegExp(`'${back.Messages[0]!.Id}'.*'anna', 'nobody/home', 'dead', 'no-handler'`))
  })

  t.test('questions to several, and what subscribers on the socket are told', async t => {
    const [anna, ben] = await pair(t)
    const cora = await new Computer(t, 'cora').start()
    await cora.joins(await anna.ticket())
    await anna.sees('cora')
    const watching = await Client.open(ben.socket)
    t.teardown(() => watching.close())
    const seen: unknown[] = []
    const watch = async () => {
      for await (const { Type, Properties } of watching.stream('Watch', { Since: '' }))
        if (Type === 'MessageReceived') seen.push(Properties['Tag'])
    }
    watch().catch(() => {})
    const serving = (on: Computer, tag: string, script: string) =>
      follow(t, join(bin, 'coterie'), ['serve', tag, '--', 'sh', '-c', script], on.environment)
    serving(ben, 'name', 'printf "\\377ben"')
    serving(cora, 'name', 'echo cora; exit 2')
    serving(ben, 'slow', 'sleep 60')
    await Promise.all([programs(ben, 2), programs(cora, 1)])

    t.match(await anna.coterie('ask ben,cora name'), {
      code: 1,
      out: /^ben:\n.*bencora:\ncora\n$/,
      err: 'coterie: not done on cora: its handler ended with 2\n'
    })
    const { out, code } = await anna.coterie('ask --all name --json')
    t.equal(code, 1)
    const { Messages } = JSON.parse(out) as { Messages: Message[] }
    const [fromBen, fromCora] = ['ben', 'cora'].map(name => Messages.find(({ Name }) => Name === name))
    t.match(fromBen, { State: 'done', Output: '', OutputBase64: '/2Jlbg==' })
    t.match(fromCora, { State: 'dead', Exit: 2, Output: 'cora\n' })
    t.match(await anna.coterie('ask ben slow --timeout 500ms'), { code: 2, err: /takes a duration/ })
    const slow = await anna.coterie('ask ben slow --timeout 1s')
    t.match(slow, { code: 1, out: '', err: /on ben (runs still|took too long)|handler took too long/ })
    t.match(await anna.coterie('send --all name --wait=started'), { code: 0, out: /ben[\s\S]*cora/ })
    await cora.stop()
    t.match(await anna.coterie('ask cora name --timeout 1s'), {
      code: 4,
      err: 'coterie: cora cannot be reached; given up after 1 second\n'
    })
    t.match(await anna.coterie('send ben name --wait received'), { code: 0 })
    while (seen.length < 5) await new Promise(setImmediate)
    t.same(seen, ['name', 'name', 'slow', 'name', 'name'], 'each is told once')
  })

  t.test('from a shell', async t => {
    const [anna, ben] = await pair(t)
    const env = ben.environment
    const printing = follow(t, join(bin, 'coterie'), ['serve', 'notes'], env)
    const running = follow(
      t,
      join(bin, 'coterie'),
      ['serve', 'say', '--', 'sh', '-c', 'echo "$COTERIE_FROM_NAME: $(cat)"; exit $COTERIE_ASK'],
      env
    )
    await programs(ben, 2)
    t.match(await anna.coterie(['send', 'ben', 'notes', 'a note', '--wait']), { code: 0, out: /done on ben/ })
    t.match(JSON.parse(await printing.line(/^\{/)), { Name: 'anna', Tag: 'notes', Body: 'a note' })
    t.match(await anna.coterie('send ben say hello --wait'), { code: 0 })
    t.equal(await running.line(/anna/), 'anna: hello', 'what nobody asked for is seen here')
    t.match(await anna.coterie('ask ben say hello'), {
      code: 1,
      out: 'anna: hello\n',
      err: /its handler ended with 1/
    })
    const absent = follow(t, join(bin, 'coterie'), ['serve', 'gone', '--', '/no/such/program'], env)
    await programs(ben, 3)
    t.match(await anna.coterie('send ben gone --wait'), { code: 1, out: /ended with 127/ })
    await absent.line(/\/no\/such\/program cannot be run/)
    t.match((await ben.coterie('handlers')).out, /Programs[\s\S]*notes +coterie serve/)
    t.match(await ben.coterie('serve Notes'), { code: 1, err: /"Notes" cannot be part of a tag/ })
    t.match(readFileSync(join(ben.state, 'served'), 'utf8'), /^gone\nnotes\nsay$/)
  })
}
