/** The keyring as a place for a key: a real gnome-keyring, and services of our own that are odd. */
import t from 'tap'
import { randomBytes } from '../../src/crypto/provider.ts'
import { SECRET_SESSION, secretSession } from '../../src/crypto/secret-session.ts'
import { Bus, BusError, type BusMessage, type BusReply, Variant } from '../../src/host/bus.ts'
import { KeyAway } from '../../src/host/key-store.ts'
import { SecretService } from '../../src/host/secret-service.ts'
import { TestBus } from '../bus.ts'
import { Keyring, noKeyring } from '../keyring.ts'

type Test = { teardown(fn: () => unknown): void }
const key = Uint8Array.from({ length: 32 }, (_, i) => i)
const transfer = () => ({ algorithm: SECRET_SESSION, ...secretSession(randomBytes(32)) })
const start = { start: false }

async function away(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => undefined,
    (error: unknown) => error
  )
  if (error instanceof KeyAway) return error.message
  throw new Error(`expected KeyAway, got ${error}`)
}

function store(t: Test, address: string, lookMs = 60_000): SecretService {
  const bus = new Bus({ kind: 'session', address, log: () => {} })
  t.teardown(() => bus.close())
  bus.start()
  return new SecretService({ bus, transfer, random: randomBytes, lookMs })
}

t.test('gnome-keyring', { skip: noKeyring }, async t => {
  const bus = await TestBus.up(t, 'bare')
  const secrets = store(t, bus.address)
  t.equal(await secrets.state(), 'absent')
  t.match(await away(secrets.make('aa', key)), /no keyring \(Secret Service\) runs/)
  const keyring = await new Keyring(t, bus).start({ unlock: true })
  t.equal(await secrets.state(), 'open')
  t.match(await away(secrets.read('aa', start)), /open and has no key/)

  t.same(await secrets.make('aa', key), key)
  t.same(await secrets.read('aa', start), key)
  t.match(await away(secrets.read('ab', start)), /open and has no key/, 'another id')
  await secrets.make(
    'ab',
    key.map(byte => byte ^ 255)
  )
  t.same(await secrets.read('aa', start), key)
  await secrets.drop('ab')
  t.equal((await keyring.items()).length, 1)

  await keyring.lock()
  t.equal(await secrets.state(), 'locked')
  t.match(await away(secrets.read('aa', start)), /which is locked: unlock it/)
  t.match(await away(secrets.make('ac', key)), /which is locked/)
  await keyring.unlock()
  t.same(await secrets.read('aa', start), key)

  await keyring.stop()
  t.match(await away(secrets.read('aa', start)), /no keyring/)
  await keyring.start({ unlock: false })
  t.equal(await secrets.state(), 'locked', 'a session that nobody logged in to')
  t.match(await away(secrets.read('aa', start)), /which is locked/)
  await keyring.unlock()
  t.same(await secrets.read('aa', start), key, 'it was on disk')
})

t.test('one that the bus starts', { skip: noKeyring }, async t => {
  const bus = await TestBus.up(t, 'bare')
  const secrets = store(t, bus.address)
  const keyring = await new Keyring(t, bus).start({ unlock: true })
  await secrets.make('aa', key)
  await keyring.stop()
  keyring.startable()
  t.equal(await secrets.state(), 'absent')
  t.match(await away(secrets.read('aa', start)), /no keyring/, 'not unless it may')
  t.match(await away(secrets.read('aa', { start: true })), /is locked/)
  await keyring.stop()
  await keyring.unlock()
  t.same(await secrets.read('aa', start), key)
})

t.test('one hears when it may have changed', { skip: noKeyring }, async t => {
  const bus = await TestBus.up(t, 'bare')
  const secrets = store(t, bus.address)
  const looking = store(t, bus.address, 100)
  const keyring = new Keyring(t, bus)
  let wake = () => {}
  let looks = 0
  t.teardown(
    secrets.watch(() => {
      looks++
      wake()
    })
  )
  const until = async (holds: () => Promise<boolean>) => {
    while (!(await holds()))
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  await until(async () => looks === 1)
  await keyring.start({ unlock: true })
  await until(async () => (await secrets.state()) === 'open')
  await keyring.lock()
  await until(async () => (await secrets.state()) === 'locked')
  t.pass('by what the bus tells')
  const before = looks
  await keyring.unlock()
  t.equal(await secrets.state(), 'open')
  t.equal(looks, before, 'which is nothing when a login unlocks it')
  await keyring.lock()
  await until(async () => (await secrets.state()) === 'locked')
  t.teardown(looking.watch(() => wake()))
  await keyring.unlock()
  await until(async () => (await looking.state()) === 'open')
  t.pass('by looking')
})

/** A Secret Service of our own; `answer` may do otherwise than the rule for one call. */
async function odd(
  t: Test,
  address: string,
  answer: (m: BusMessage) => BusReply | undefined
): Promise<{ bus: Bus; calls: string[] }> {
  const bus = new Bus({ kind: 'session', address, log: () => {} })
  t.teardown(() => bus.close())
  const calls: string[] = []
  let plain: Uint8Array = new Uint8Array(0)
  bus.serve(async m => {
    calls.push(m.member)
    const own = answer(m)
    if (own) return own
    switch (m.member) {
      case 'ReadAlias':
        return { signature: 'o', body: ['/org/freedesktop/secrets/collection/one'] }
      case 'Get':
        return { signature: 'v', body: [new Variant('b', false)] }
      case 'SearchItems':
        return { signature: 'aoao', body: [['/item'], []] }
      case 'OpenSession':
        if (m.body[0] !== 'plain') throw new BusError('org.freedesktop.DBus.Error.NotSupported', 'no')
        return { signature: 'vo', body: [new Variant('s', ''), '/session'] }
      case 'Close':
        return { signature: '', body: [] }
      case 'CreateItem':
        plain = (m.body[1] as [string, Uint8Array, Uint8Array])[2]
        return { signature: 'oo', body: ['/item', '/'] }
      case 'GetSecret':
        return { signature: '(oayays)', body: [['/session', new Uint8Array(0), plain, 'x']] }
    }
    return undefined
  })
  const owned = new Promise<void>(resolve => {
    bus.onUp(() => void bus.requestName('org.freedesktop.secrets').then(() => resolve()))
  })
  bus.start()
  await owned
  return { bus, calls }
}

t.test('services that are odd', async t => {
  const oddly = async (t: Test, answer: (m: BusMessage) => BusReply | undefined = () => undefined) => {
    const bus = await TestBus.up(t, 'bare')
    return { secrets: store(t, bus.address), ...(await odd(t, bus.address, answer)) }
  }
  const on =
    (member: string, signature: string, ...body: unknown[]) =>
    (m: BusMessage) =>
      m.member === member ? { signature, body } : undefined

  t.test('one that cannot encrypt on the bus', async t => {
    const { secrets, calls } = await oddly(t)
    t.same(await secrets.make('aa', key), key)
    t.same(await secrets.read('aa', start), key)
    t.equal(calls.filter(name => name === 'OpenSession').length, 4)
    t.equal(calls.filter(name => name === 'Close').length, 2)
  })
  t.test('one that would prompt', async t => {
    const { secrets, calls } = await oddly(t, on('CreateItem', 'oo', '/', '/prompt/1'))
    t.match(await away(secrets.make('aa', key)), /wants to ask something/)
    t.notOk(calls.includes('Prompt'))
  })
  t.test('one without a default collection', async t => {
    const { secrets, calls } = await oddly(t, on('ReadAlias', 'o', '/'))
    t.equal(await secrets.state(), 'no-place')
    t.match(await away(secrets.make('aa', key)), /no default collection/)
    t.notOk(calls.includes('CreateCollection'))
  })
  t.test('one whose default collection ends with the session', async t => {
    const { secrets } = await oddly(t, on('ReadAlias', 'o', '/org/freedesktop/secrets/collection/session'))
    t.equal(await secrets.state(), 'no-place')
  })
  t.test('one that gives something else than a key', async t => {
    for (const value of [new Uint8Array(0), new Uint8Array(31), new Uint8Array(33)]) {
      const secret = ['/session', new Uint8Array(0), value, 'x']
      const { secrets } = await oddly(t, on('GetSecret', '(oayays)', secret))
      t.match(await away(secrets.read('aa', start)), /no key: put back a copy/)
    }
  })
  t.test('one whose public key is none', async t => {
    const output = new Variant('ay', new Uint8Array(128).fill(255))
    const { secrets } = await oddly(t, on('OpenSession', 'vo', output, '/session'))
    t.match(await away(secrets.read('aa', start)), /a key that is none/)
  })
  t.test('one that answers nonsense', async t => {
    const { secrets } = await oddly(t, on('SearchItems', 's', 'what?'))
    t.match(await away(secrets.read('aa', start)), /has no key/)
  })
  t.test('one that says why not', async t => {
    const { secrets } = await oddly(t, m => {
      if (m.member !== 'GetSecret') return undefined
      throw new BusError('org.freedesktop.Secret.Error.IsLocked', 'locked')
    })
    t.match(await away(secrets.read('aa', start)), /which is locked/)
  })
  t.test('no bus at all', async t => {
    const secrets = store(t, 'unix:path=/nonexistent')
    t.equal(await secrets.state(), 'absent')
    t.match(await away(secrets.read('aa', { start: true })), /no session bus/)
  })
})
