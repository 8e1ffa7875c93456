/** Names that would do harm where they are shown, and secrets that must not be shown at all. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { decodeTicket } from '../../src/crypto/ticket.ts'
import { TestBus } from '../bus.ts'
import { run } from '../cli/command.ts'
import { follow, lacking } from '../command.ts'
import { Keyring, noKeyring } from '../keyring.ts'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'
import { databaseKey, rows } from './kept.ts'
import { Eavesdropper, filesBelow, formsOf, processes } from './traces.ts'

if (inside(t, import.meta.url)) {
  t.test('names that cannot be', async t => {
    const pc = await new Computer(t, 'pc').start()
    const rule = /a name has 1 to 64 bytes of UTF-8 and no control characters/
    const bad = [
      '\x1b[2J',
      'a\nb',
      'a\0b',
      'x'.repeat(65),
      '\u00e9'.repeat(33),
      '\ud800',
      'tab\there',
      '\x9b31m',
      '\x7f'
    ]
    for (const name of bad) {
      t.match(await failure(pc.call('Init', { Name: name })), rule, JSON.stringify(name))
      t.match(await failure(pc.call('Init', { Device: name })), rule, JSON.stringify(name))
    }
    t.equal((await pc.status()).Device.State, 'new')
    const typed = await pc.coterie(['init', '--device', 'x\x1b[31m'])
    t.match(typed, { code: 1, err: rule })
    t.notOk(typed.err.includes('\x1b'))
    const other = await new Computer(t, 'other').start()
    await other.founds()
    t.match(await failure(pc.call('Join', { Ticket: await other.ticket(), Device: '\x1b]0;x\x07' })), rule)
    t.equal((await other.status()).Circle.Members, 1)
  })

  t.test('names that are odd are shown harmlessly', async t => {
    const anna = await new Computer(t, 'anna').start()
    const strange = ['\u202eevil\u202c', '🦊'.repeat(16), '-rf', 'שלום', '<b>&"\'`$(id)', 'x'.repeat(64)]
    await anna.call('Init', { Name: strange[1]!, Device: strange[0]! })
    await anna.listens()
    const ben = new Computer(t, 'ben')
    await ben.start()
    for (const name of strange.slice(1)) {
      await ben.call('Join', { Ticket: await anna.ticket(), Device: name, TimeoutUSec: 10e6 })
      await anna.sees(name)
      await ben.sees(strange[0]!)
      for (const computer of [anna, ben]) {
        const { out } = await computer.coterie('status')
        t.notMatch(
          out,
          /[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/,
          JSON.stringify(name)
        )
      }
      t.equal((await ben.call('Leave')).Told, 1)
      await anna.until('it left', s => s.Circle.Members === 1)
    }
    const { out } = await anna.coterie('devices')
    t.notOk(out.includes('\u202e'))
  })

  t.test(
    'secrets are nowhere to be read',
    { skip: noKeyring || lacking('dbus-monitor', 'gdbus') },
    async t => {
      const buses = [await TestBus.up(t, 'bare'), await TestBus.up(t, 'bare')] as const
      const keyring = await new Keyring(t, buses[1]).start({ unlock: true })
      const [anna, ben] = ['anna', 'ben'].map((name, i) => {
        const pc = new Computer(t, name, { env: { DBUS_SESSION_BUS_ADDRESS: buses[i]!.address } })
        pc.environment['XDG_CACHE_HOME'] = join(pc.directory, 'cache')
        pc.configure('[log]\nlevel = "debug"\n')
        return pc
      }) as [Computer, Computer]
      const both = [anna, ben]
      const ears = [await Eavesdropper.on(t, buses[0].address), await Eavesdropper.on(t, buses[1].address)]
      await Promise.all(both.map(pc => pc.start()))
      const seen: string[] = []
      const watch = `exec ${process.cwd()}/bin/coterie watch --json`
      const watching = follow(t, 'sh', ['-c', watch], anna.environment)
      seen.push(await watching.line(/Added/))
      const { RecoveryCode } = await anna.founds()
      const tickets = [await anna.ticket(), await anna.ticket()]
      const joined = ben.coterie('join - --yes --device ben', `${tickets[0]}\n`)
      const shown = [processes()]
      t.equal((await joined).code, 0)
      await anna.sees('ben')
      await failure(ben.joins(tickets[1]!))
      const wrong = await ben.coterie('join -', tickets[1]!.replace(/.$/, ''))
      for (const words of [
        'status --json',
        'devices --json',
        'peers --json',
        'doctor --json',
        'config --json'
      ])
        for (const pc of both) shown.push((await pc.coterie(words)).out)
      const calls = { Status: ['', 'false'], Doctor: [], Config: [], Devices: [''] }
      for (const [name, args] of Object.entries(calls)) {
        const place = ['--dest', INTERFACE, '--object-path', ROOT, '--method', `${INTERFACE}.${name}`]
        const called = await run('gdbus', ['call', '--session', ...place, ...args], { env: anna.environment })
        t.equal(called.code, 0, called.err)
        shown.push(called.out)
      }
      await ben.stop()
      await keyring.lock()
      await ben.start()
      await ben.until('is locked', status => status.Device.State === 'locked')
      await keyring.unlock()
      await ben.call('Reload')
      await ben.until('goes on', status => status.Device.State === 'ready')
      shown.push(processes())
      await anna.call('Remove', { Device: 'ben' })
      seen.push(await watching.line(/Removed/))
      for (const pc of both) await pc.kill()
      await watching.line(/nothing like this/).catch(() => {})
      t.ok(statSync(`${anna.database}-wal`).size > 4096, 'there is a write-ahead log')
      const files = new Map([
        ...filesBelow(anna.directory),
        ...filesBelow(ben.directory),
        ...filesBelow(keyring.directory)
      ])

      const masters = new Map([
        [anna, new Uint8Array(readFileSync(anna.key))],
        [ben, await keyring.keyOf(JSON.parse(readFileSync(`${ben.key}-store`, 'utf8')).Id)]
      ])
      const bytes: Uint8Array[] = []
      for (const [pc, master] of masters) {
        t.equal(master.length, 32)
        bytes.push(master, databaseKey(master))
        for (const row of rows(pc, 'circle', master))
          bytes.push(row['seed'] as Buffer, row['secret'] as Buffer)
        for (const row of rows(pc, 'discovery', master)) bytes.push(row['key'] as Buffer)
        for (const row of rows(pc, 'ticket', master)) bytes.push(row['psk'] as Buffer)
      }
      for (const ticket of tickets) bytes.push(decodeTicket(ticket).secret)
      const secrets = bytes.filter(secret => secret.length >= 16)
      t.ok(secrets.length >= 14, `${secrets.length} secrets`)
      const needles = secrets.flatMap(formsOf)
      for (const ticket of tickets) needles.push(ticket.slice(9, 60), ticket.slice(-30))
      needles.push(RecoveryCode, RecoveryCode.slice(0, 9), RecoveryCode.replaceAll('-', ''))
      const heard = await Promise.all(ears.map(ear => ear.end()))
      t.match(heard[1], /OpenSession.*CreateItem.*GetSecret/s, 'the key went over the bus')
      t.notMatch(heard[1], /Secret\.Prompt|\0Unlock\0/, 'and nobody was asked for anything')
      const places = {
        'the logs': both.flatMap(pc => pc.log).join('\n'),
        'arguments, environments and answers': shown.join('\n'),
        'the events': [...seen, ...watching.all].join('\n'),
        'an error': wrong.err + wrong.out,
        'the bus of anna': heard[0]!,
        'the bus of ben': heard[1]!
      }
      for (const [where, text] of Object.entries(places)) t.ok(text.length > 50, `${where}: ${text.length}`)
      const traces = [...Object.entries(places), ...files].flatMap(([where, text]) =>
        needles.filter(needle => text.includes(needle)).map(needle => [where, needle])
      )
      const key = Buffer.from(masters.get(anna)!).toString('latin1')
      t.strictSame(traces, [[anna.key, key]], `${files.size} files: the key file, and no more`)
      for (const path of [anna.database, `${anna.database}-wal`, `${ben.key}-store`])
        t.ok(files.has(path), path)
    }
  )

  t.test('a ticket does not go by the command line', async t => {
    const pc = await new Computer(t, 'pc').start()
    await pc.founds()
    const ticket = await pc.ticket()
    const { code, err } = await run('bin/coterie', ['call', 'Join', `{"Ticket":"${ticket}"}`], {
      env: pc.environment
    })
    t.equal(code, 2)
    t.match(err, /does not belong on the command line/)
    t.notOk(err.includes(ticket.slice(9, 40)))
  })
}
