/** Names that would do harm where they are shown, and secrets that must not be shown at all. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { decodeTicket } from '../../src/crypto/ticket.ts'
import { toBase32 } from '../../src/wire/base32.ts'
import { run } from '../cli/command.ts'
import { follow } from '../command.ts'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'
import { rows } from './kept.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

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

  t.test('secrets are nowhere to be read', async t => {
    const [anna, ben] = [new Computer(t, 'anna'), new Computer(t, 'ben')]
    for (const computer of [anna, ben]) computer.configure('[log]\nlevel = "debug"\n')
    await Promise.all([anna.start(), ben.start()])
    const seen: string[] = []
    const watching = follow(
      t,
      'sh',
      ['-c', `exec ${process.cwd()}/bin/coterie watch --json`],
      anna.environment
    )
    seen.push(await watching.line(/Added/))
    const { RecoveryCode } = await anna.founds()
    const tickets = [await anna.ticket(), await anna.ticket()]
    const joined = ben.coterie('join - --yes --device ben', `${tickets[0]}\n`)
    const lines: string[] = []
    for (const computer of [anna, ben])
      for (const file of ['cmdline', 'environ'])
        lines.push(readFileSync(`/proc/${computer.pid}/${file}`, 'utf8'))
    t.equal((await joined).code, 0)
    await anna.sees('ben')
    await failure(ben.joins(tickets[1]!))
    const wrong = await ben.coterie('join -', tickets[1]!.replace(/.$/, ''))
    await anna.call('Remove', { Device: 'ben' })
    seen.push(await watching.line(/Removed/))
    for (const computer of [anna, ben]) await computer.stop()
    await watching.line(/nothing like this/).catch(() => {})

    const bytes: Uint8Array[] = []
    for (const computer of [anna, ben]) {
      bytes.push(readFileSync(computer.key))
      for (const row of rows(computer, 'circle')) bytes.push(row['seed'] as Buffer, row['secret'] as Buffer)
      for (const row of rows(computer, 'discovery')) bytes.push(row['key'] as Buffer)
      for (const row of rows(computer, 'ticket')) bytes.push(row['psk'] as Buffer)
    }
    for (const ticket of tickets) bytes.push(decodeTicket(ticket).secret)
    const secrets = bytes.filter(secret => secret.length >= 16)
    t.ok(secrets.length >= 10, `${secrets.length} secrets`)
    const needles = secrets.flatMap(secret => [
      hex(secret),
      toBase32(secret).slice(0, 20),
      Buffer.from(secret).toString('base64').slice(0, 18),
      Buffer.from(secret).toString('base64url').slice(0, 18),
      [...secret].slice(0, 8).join(','),
      Buffer.from(secret).toString('latin1')
    ])
    for (const ticket of tickets) needles.push(ticket.slice(9, 60), ticket.slice(-30))
    needles.push(RecoveryCode, RecoveryCode.slice(0, 9), RecoveryCode.replaceAll('-', ''))
    const shown = {
      'the logs': [...anna.log, ...ben.log].join('\n'),
      '/proc': lines.join('\n'),
      'the events': [...seen, ...watching.all].join('\n'),
      'an error': wrong.err + wrong.out
    }
    for (const [where, text] of Object.entries(shown)) {
      t.ok(text.length > 50, `${where}: ${text.length} characters`)
      t.strictSame(
        needles.filter(needle => text.includes(needle)),
        [],
        `nothing in ${where}`
      )
    }
    t.notOk(readFileSync(anna.database).includes(Buffer.from(secrets[1]!)), 'nor in the clear on the disk')
  })

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
