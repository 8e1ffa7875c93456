/** A device whose key is in a keyring that is locked, or in a place that is missing: it waits, and goes on. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TestBus } from '../bus.ts'
import { Keyring, noKeyring } from '../keyring.ts'
import { inside } from '../namespace.ts'
import { Computer, failure, type Status } from './daemon.ts'

const locked = (status: Status) => status.Device.State === 'locked'
const ready = (status: Status) => status.Device.State === 'ready'

/** All in the network of this test. */
const sockets = (pc: Computer): number =>
  ['tcp', 'tcp6', 'udp', 'udp6']
    .map(kind => readFileSync(`/proc/${pc.pid}/net/${kind}`, 'utf8').trim().split('\n').length - 1)
    .reduce((a, b) => a + b)

if (inside(t, import.meta.url)) {
  t.test('a keyring', { skip: noKeyring }, async t => {
    const bus = await TestBus.up(t, 'bare')
    const keyring = new Keyring(t, bus)
    const pc = new Computer(t, 'pc', { env: { DBUS_SESSION_BUS_ADDRESS: bus.address } })
    await pc.start()
    t.match(
      await failure(pc.call('Init', { KeyStore: 'secret-service' })),
      /no keyring \(Secret Service\) runs/
    )
    t.match(await failure(pc.call('Init', { KeyStore: 'credential' })), /gives this daemon no credential/)
    t.match(await failure(pc.call('Init', { KeyStore: 'paper' })), /^InvalidValue: KeyStore: one of/)
    await keyring.start({ unlock: true })
    await keyring.lock()
    t.match(await failure(pc.call('Init', { KeyStore: 'secret-service' })), /^Locked: the keyring is locked/)
    t.equal((await pc.status()).Device.State, 'new')
    t.notOk(existsSync(pc.database), 'nothing was made')
    await keyring.unlock()

    t.comment('what fails leaves nothing in the keyring')
    writeFileSync(`${pc.database}-wal`, 'of another')
    t.match(await failure(pc.call('Init')), /coterie\.db-wal, which belongs to it, is/)
    t.strictSame(await keyring.items(), [])
    t.strictSame(readdirSync(pc.state), [])
    rmSync(`${pc.database}-wal`)

    const made = await pc.coterie('init --device pc --json')
    t.equal(made.code, 0, made.err)
    const { Circle } = JSON.parse(made.out)
    await pc.listens()
    t.strictSame(readdirSync(pc.state).sort(), ['key-store'])
    t.equal(
      JSON.parse(readFileSync(join(pc.state, 'key-store'), 'utf8')).Store,
      'secret-service',
      'by itself'
    )
    t.equal((await keyring.items()).length, 1)

    t.comment('locking it takes nothing from a daemon that runs')
    await keyring.lock()
    t.equal((await pc.status()).Device.State, 'ready')
    await pc.stop()

    t.comment('locked when the daemon starts')
    await pc.start()
    t.match(await pc.logs(/locked: /), /locked: the key of this device is in the keyring, which is locked/)
    const status = await pc.status()
    t.match(status, { Device: { Id: '', State: 'locked' }, Circle: { Id: '' }, Circles: [], Peers: [] })
    t.strictSame(status.Listeners, [])
    t.match(status.Notes.join('\n'), /keyring, which is locked: unlock it/)
    const shown = await pc.coterie('status')
    t.equal(shown.code, 0)
    t.match(shown.out, /is locked: its keys cannot be read now/)
    t.match(shown.out, /unlock\s+it,\s+and\s+Coterie\s+goes\s+on\s+by\s+itself/)
    t.equal(sockets(pc), 0, 'no network socket in its whole network')
    const ill = await pc.coterie('doctor')
    t.equal(ill.code, 1)
    t.match(ill.out, /key-store .*which\s+is\s+locked/)
    const calls = ['Init', 'Peers', 'Devices', 'MakeTicket', 'Leave'] as const
    for (const method of calls) t.match(await failure(pc.call(method)), /^Locked: .*unlock it/, method)
    t.match(await failure(pc.call('Join', { Ticket: 'coterie1:x' })), /^Locked: /)
    t.match(await failure(pc.call('Ping', { Peer: 'x' })), /^Locked: /)
    t.match((await pc.call('Version')).Version, /./)
    const refused = await pc.coterie('devices')
    t.equal(refused.code, 1)
    t.match(refused.err, /unlock it/)
    await pc.call('Reload')
    t.ok(locked(await pc.status()), 'reading the configuration again does not help')
    t.strictSame(readdirSync(pc.state).sort(), ['key-store'])

    t.comment('and unlocked later, which no signal tells')
    await keyring.unlock()
    const open = await pc.until('goes on', status => ready(status) && status.Listeners.length > 0)
    t.match(open, { Circle: { Id: Circle, Members: 1 }, Notes: [] })
    t.ok(sockets(pc) > 0)
    await pc.stop()

    t.comment('a keyring that is not there yet')
    await keyring.stop()
    await pc.start()
    t.match((await pc.status()).Notes.join('\n'), /no keyring \(Secret Service\) runs/)
    await keyring.start({ unlock: false })
    await pc.until('hears of it', s => locked(s) && /is locked/.test(s.Notes.join()))
    await keyring.unlock()
    await pc.call('Reload')
    t.ok(ready(await pc.status()), 'reload looks at once')
    await pc.stop()

    t.comment('one that the bus starts when it is asked for')
    await keyring.stop()
    keyring.startable()
    await pc.start()
    t.match((await pc.status()).Notes.join(), /keyring, which is locked/)
    await keyring.unlock()
    await pc.until('goes on', ready)
    await pc.stop()

    t.comment('one without our item: nothing is made anew')
    const [item] = await keyring.items()
    await keyring.forget(item!)
    await pc.start()
    t.match((await pc.status()).Notes.join('\n'), /open and has no key of this device/)
    t.strictSame(await keyring.items(), [])
    await pc.stop()
    rmSync(pc.database)
    t.match(await pc.refusal(), {
      code: 78,
      err: /database .* is missing although its key \(secret-service\)/
    })
  })

  t.test('two devices keep their keys in one keyring', { skip: noKeyring }, async t => {
    const bus = await TestBus.up(t, 'bare')
    const keyring = await new Keyring(t, bus).start({ unlock: true })
    const [anna, ben] = ['anna', 'ben'].map(
      name => new Computer(t, name, { env: { DBUS_SESSION_BUS_ADDRESS: bus.address } })
    ) as [Computer, Computer]
    await Promise.all([anna.start(), ben.start()])
    await anna.founds()
    t.equal((await ben.coterie('join - --key-store secret-service', `${await anna.ticket()}\n`)).code, 0)
    await anna.sees()
    t.equal((await keyring.items()).length, 2)
    await ben.stop()
    await ben.start()
    await anna.sees()
    t.equal((await ben.status()).Circle.Members, 2)
  })

  t.test('no session bus', async t => {
    const bus = await TestBus.up(t, 'bare')
    const keyring = await new Keyring(t, bus).start({ unlock: true })
    const pc = new Computer(t, 'pc', { env: { DBUS_SESSION_BUS_ADDRESS: bus.address } })
    await pc.start()
    await pc.founds()
    await pc.stop()
    const bare = new Computer(t, 'bare', { place: pc.directory })
    await bare.start()
    t.match((await bare.status()).Notes.join('\n'), /keyring, and there is no session bus to reach it by/)
    t.equal((await keyring.items()).length, 1)
  })

  t.test('a credential', async t => {
    const credentials = t.testdir({ 'coterie.key': 'k'.repeat(32) })
    const pc = new Computer(t, 'pc', { env: { CREDENTIALS_DIRECTORY: credentials } })
    await pc.start()
    await pc.founds()
    t.strictSame(readdirSync(pc.state).sort(), ['key-store'])
    await pc.stop()
    const bare = new Computer(t, 'bare', { place: pc.directory })
    await bare.start()
    t.match(await bare.status(), { Device: { State: 'locked' }, Listeners: [] })
    t.match(
      (await bare.coterie('status')).out,
      /credential\s+coterie\.key,\s+which\s+this\s+daemon\s+was\s+not\s+given/
    )
    t.match(await failure(bare.call('Devices')), /^Locked: .*LoadCredential=coterie\.key/)
    await bare.stop()
    writeFileSync(join(credentials, 'coterie.key'), 'x'.repeat(32))
    t.match(await pc.refusal(), { code: 78, err: /belongs to another key than the one found/ })
    writeFileSync(join(credentials, 'coterie.key'), 'k'.repeat(32))
    await pc.start()
    t.equal((await pc.status()).Circle.Members, 1)
  })
}
