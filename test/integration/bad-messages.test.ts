/**
 * Messages that come to nothing, between real daemons: each is a dead letter with its reason at the sender, a line in
 * the log of the receiver, and holds up no other.
 */
import { chmodSync, chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { correspondents, ends, handlers, handlersOf, lines, place, sends } from './correspondents.ts'
import { Computer, failure } from './daemon.ts'

const SOMEBODY = 65_534
const MEBIBYTE = 1_048_576

/** Resolves when the process of the number in this file has ended. */
async function ended(file: string): Promise<void> {
  const stat = `/proc/${readFileSync(file, 'utf8').trim()}/stat`
  const alive = () => existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, 'utf8'))
  const wait = async () => {
    while (alive()) await new Promise(resolve => setImmediate(resolve))
  }
  await within(PATIENCE_MS, `the end of ${file}`, wait())
}

if (inside(t, import.meta.url)) {
  t.test('handlers that must not run', async t => {
    const [anna, ben] = await correspondents(t)
    await handlers(ben, {
      'message/good': 'true',
      'message/plain': ['true', 0o600],
      'message/writable': ['true', 0o722],
      'message/open/x': 'true',
      'message/theirs': 'true',
      'message/set-uid': ['true', 0o4700],
      'message/no-program': '#!/no/such/program\n',
      'message/folder/x': 'true'
    })
    writeFileSync(join(handlersOf(ben), 'message/no-line'), 'echo hello\n', { mode: 0o700 })
    chownSync(join(handlersOf(ben), 'message/theirs'), SOMEBODY, SOMEBODY)
    chmodSync(join(handlersOf(ben), 'message/open'), 0o777)
    await ben.aside('Reload')
    for (const [tag, reason, there] of [
      ['missing', 'no-handler', /there is no handler message\/missing/],
      ['folder', 'no-handler', /there is no handler message\/folder/],
      ['plain', 'unsafe', /it is not executable/],
      ['writable', 'unsafe', /others may write it/],
      ['open/x', 'unsafe', /others may write the folder .*message\/open/],
      ['theirs', 'unsafe', /it belongs to somebody else/],
      ['set-uid', 'unsafe', /it is set-user-id/],
      ['no-program', 'unsafe', /names \/no\/such\/program, which is not there/],
      ['no-line', 'unsafe', /it is no program/]
    ] as const) {
      const from = ben.log.length
      const message = await sends(anna, 'ben', tag)
      t.match(message, { State: 'dead', Reason: reason }, tag)
      const line = await ben.logs(/a message was not done/, from)
      t.match(
        line,
        new RegExp(`(?=.*${tag})(?=.*${message.Id})(?=.*${reason})`),
        `${tag}: the receiver's log`
      )
      t.match((await ben.coterie(`handlers run --dry anna ${tag}`)).out, there, `${tag}: dry run there`)
    }
    const { out } = await anna.coterie('outbox')
    t.match(out, /ben +missing +dead .*there is no handler for missing there/)
    t.match(out, /ben +theirs +dead .*must not be run; `coterie handlers` there says why/)
    t.match(await sends(anna, 'ben', 'good'), { State: 'done' })

    t.comment('mended, they are sent anew')
    place(ben, 'message/missing', 'true')
    await ben.aside('Reload')
    const { Messages } = await anna.call('Outbox')
    const dead = Messages.find(({ Tag }) => Tag === 'missing')!
    const { Message } = await anna.call('RetryMessage', { Id: dead.Id })
    t.match(await ends(anna, Message.Id), { State: 'done' })
    t.match(await anna.coterie(`outbox retry ${dead.Id}`), { code: 1, err: /no message .* is in the outbox/ })
  })

  t.test('handlers that end badly', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 2\n' })
    const out = (name: string) => join(ben.directory, name)
    await handlers(ben, {
      'message/good': 'true',
      'message/fails': 'exit 3',
      'message/hangs': `trap "" TERM; sleep 600 & echo $! > ${out('hangs')}; wait; wait`,
      'message/ends': `trap "echo asked > ${out('asked')}; exit 0" TERM; sleep 600 & wait`,
      'message/dies': 'kill -9 $$',
      'message/leaves': `sleep 600 & echo $! > ${out('leaves')}; exit 0`,
      'message/talks': 'head -c 1073741824 /dev/zero; echo >&2; head -c 104857600 /dev/zero >&2',
      'message/reads-nothing': 'exec <&-; echo done',
      'message/bytes': 'cat'
    })
    const before = ben.memory
    const talks = sends(anna, 'ben', 'talks', '', true)
    for (const [tag, reason, exit] of [
      ['fails', 'failed', 3],
      ['hangs', 'timeout', 0],
      ['ends', 'timeout', 0],
      ['dies', 'killed', 0]
    ] as const) {
      const message = await sends(anna, 'ben', tag)
      t.match(message, { State: 'dead', Reason: reason, Exit: exit }, tag)
      t.match(
        await ben.logs(new RegExp(`a message was not done.*${message.Id}`)),
        new RegExp(`(?=.*${tag})(?=.*${reason})`),
        `${tag}: the receiver's log`
      )
    }
    t.ok(existsSync(out('asked')), 'TERM came first')
    await ended(out('hangs'))
    t.match(await sends(anna, 'ben', 'leaves'), { State: 'done' })
    await ended(out('leaves'))
    t.match(await anna.coterie('outbox'), { out: /fails +dead .*its handler ended with 3/ })

    const talked = await talks
    t.equal(Buffer.byteLength(talked.Output), 65_536, 'of 1 GiB the first 64 KiB are kept')
    const grown = (ben.memory - before) / MEBIBYTE
    t.comment(`${talked.State} ${talked.Reason}, the daemon grew by ${grown.toFixed(1)} MiB`)
    t.ok(grown < 60, 'and nothing else')

    t.comment('bodies that are no text')
    const bytes = Buffer.from([0, 255, 128, 10, 0xc3])
    const { Messages } = await anna.call('Send', {
      Peers: ['ben'],
      Tag: 'bytes',
      BodyBase64: bytes.toString('base64'),
      Ask: true
    })
    const { Output, OutputBase64 } = await ends(anna, Messages[0]!.Id)
    t.same([Output, OutputBase64], ['', bytes.toString('base64')])
    t.match(
      await failure(anna.call('Send', { Peers: ['ben'], Tag: 'bytes', BodyBase64: 'a$b=' })),
      /no base64/
    )
    const large = 'x'.repeat(MEBIBYTE)
    t.match(await sends(anna, 'ben', 'reads-nothing', large), { State: 'done' }, 'a body that nobody reads')
    t.match(await sends(anna, 'ben', 'bytes', large), { State: 'done' })
    t.match(
      await sends(anna, 'ben', 'bytes', large, true),
      { State: 'dead', Reason: 'output' },
      'too long an answer'
    )
    t.match(
      await failure(anna.call('Send', { Peers: ['ben'], Tag: 'bytes', Body: `${large}x` })),
      /at most 1 MiB/
    )
    t.match(await sends(anna, 'ben', 'good'), { State: 'done' })
  })

  t.test('tags that are none', async t => {
    const [anna, ben] = await correspondents(t)
    await handlers(ben, { 'message/x': 'true' })
    const hostile = [
      '',
      '..',
      '../x',
      '/x',
      'x/',
      'a//b',
      'x\0',
      '@anna/x',
      'X',
      'é',
      '\u202ex',
      'x'.repeat(1_000_000)
    ]
    for (const tag of hostile) {
      const shown = JSON.stringify(tag.slice(0, 20))
      for (const call of [
        () => anna.call('Send', { Peers: ['ben'], Tag: tag }),
        () => anna.call('RunHandler', { Peer: 'ben', Tag: tag }),
        () => anna.call('TryHandler', { Peer: 'ben', Tag: tag })
      ]) {
        const said = await failure(call())
        t.match(said, /^InvalidValue: .*(tag|characters)/, shown)
        t.ok(said.length < 300, 'in a few words')
      }
    }
    t.match(await anna.coterie(['send', 'ben', 'a\u202eb']), { code: 1, err: /^[^\u202e]*$/ })
    t.equal((await anna.call('Outbox')).Messages.length, 0)
  })

  t.test('devices that are away, or no members any more', async t => {
    const [anna, ben] = await correspondents(t)
    const carl = await new Computer(t, 'carl').start()
    await carl.joins(await anna.ticket())
    await Promise.all([carl.sees('ben'), ben.sees('carl'), anna.sees('carl')])
    const gate = join(ben.directory, 'gate')
    const log = join(ben.directory, 'log')
    await handlers(ben, {
      'message/slow': `cat >> ${log}; echo >> ${log}; while [ ! -e ${gate} ]; do sleep 0.05; done`
    })

    t.comment('expired while its receiver is away')
    await ben.stop()
    const { Messages: late } = await anna.call('Send', {
      Peers: ['ben'],
      Tag: 'slow',
      Body: 'late',
      ExpiresInUSec: 300_000
    })
    t.match(await ends(anna, late[0]!.Id), { State: 'dead', Reason: 'expired' })
    t.match(await anna.coterie('outbox'), { out: /slow +dead .*its time was over/ })
    await ben.start()
    await Promise.all([carl.sees('ben'), anna.sees('ben')])

    t.comment('expired while it waits for its handler there')
    const send = async (from: Computer, body: string, ttl = 0) => {
      const call = { Peers: ['ben'], Tag: 'slow', Body: body, ExpiresInUSec: ttl }
      return (await from.call('Send', call)).Messages[0]!.Id
    }
    await carl.aside('WaitMessage', { Id: await send(carl, 'first'), State: 'started', TimeoutUSec: 20e6 })
    t.match(await ends(anna, await send(anna, 'expires', 500_000)), { State: 'dead', Reason: 'expired' })

    t.comment('its handler is deleted while it waits')
    const deleted = await send(anna, 'deleted')
    await anna.aside('WaitMessage', { Id: deleted, State: 'received', TimeoutUSec: 20e6 })
    rmSync(join(handlersOf(ben), 'message/slow'))
    t.match(await ends(anna, deleted), { State: 'dead', Reason: 'no-handler' })
    await handlers(ben, { 'message/slow': `cat >> ${log}; echo >> ${log}` })

    t.comment('its sender is removed while it waits')
    const waits = await send(carl, 'never')
    await carl.aside('WaitMessage', { Id: waits, State: 'received', TimeoutUSec: 20e6 })
    const from = ben.log.length
    await anna.call('Remove', { Device: 'carl' })
    t.match(await ben.logs(/a message was not done/, from), new RegExp(`(?=.*${waits})(?=.*removed)`))
    writeFileSync(gate, '')
    t.match(await ends(anna, await send(anna, 'last')), { State: 'done' })
    t.same(await lines(log, () => true), ['first', 'last'], 'nothing else ran')

    t.comment('its receiver is removed while it waits')
    await ben.stop()
    const gone = await send(anna, 'gone')
    await anna.call('Remove', { Device: 'ben' })
    t.match(await ends(anna, gone), { State: 'dead', Reason: 'removed' })
    t.match(await anna.coterie('outbox'), { out: /slow +dead .*is no member any more/ })
    t.match(await failure(anna.call('Send', { Peers: ['ben'], Tag: 'slow' })), /no member is called/)
  })
}
