/** Messages between real daemons, with real scripts: what runs, what it is given, and what the sender learns. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { correspondents, handler, sends } from './correspondents.ts'
import { failure } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('a message runs its handler', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 1\n' })
    const out = join(ben.directory, 'out')
    await handler(
      ben,
      'message/backup/start.sh',
      `{ env | grep ^COTERIE_ | sort; cat; } > ${out}; echo finished`
    )

    t.match(await sends(anna, 'ben', 'backup/start', 'the body'), { State: 'done', Exit: 0, Output: '' })
    const lines = readFileSync(out, 'utf8').split('\n')
    t.equal(lines.at(-1), 'the body', 'on stdin')
    for (const line of [
      'COTERIE_EVENT=message',
      'COTERIE_TAG=backup/start',
      'COTERIE_FROM_NAME=anna',
      'COTERIE_SIZE=8'
    ])
      t.ok(lines.includes(line), line)
    t.match(await sends(anna, 'ben', 'backup/start', '', true), { State: 'done', Output: 'finished\n' })

    t.comment('and from the command line')
    t.match(await anna.coterie('send ben backup/start - --wait', 'from stdin'), {
      code: 0,
      out: /done on ben/
    })
    t.match(readFileSync(out, 'utf8'), /from stdin$/)
    t.match(await anna.coterie('ask ben backup/start'), { code: 0, out: 'finished\n' })
    t.match(await anna.coterie('send ben nothing/here --wait'), {
      code: 1,
      out: /no handler for nothing\/here/
    })
    t.match(await anna.coterie('outbox'), { code: 0, out: /nothing\/here +dead/ })
    t.match(await ben.coterie('handlers run --dry anna backup/start'), {
      code: 0,
      out: /start\.sh would run/
    })
    t.match(await ben.coterie('handlers run --dry anna backup/stop'), {
      code: 1,
      out: /no handler message\/backup\/stop/
    })
    t.match(await anna.coterie('send ben Backup'), { code: 1, err: /"Backup" cannot be part of a tag/ })
    t.match(await anna.coterie('send ben'), { code: 2, err: /the tag is missing/ })
    t.match(await anna.coterie('send cora backup/start'), { code: 1, err: /no member is called "cora"/ })
  })

  t.test('handlers that are no good: a reason, and the next message is not held up', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 1\n' })
    await handler(ben, 'message/good', 'true')
    await handler(ben, 'message/fails', 'echo no >&2; exit 3')
    await handler(ben, 'message/writable', 'true', 0o722)
    await handler(ben, 'message/plain', 'true', 0o600)
    await handler(ben, 'message/hangs', 'trap "" TERM; sleep 600 & wait')
    await handler(ben, 'message/talks', 'yes')
    await handler(ben, 'message/much', 'head -c 1G /dev/zero')
    await handler(ben, 'message/dies', 'kill -9 $$')
    await handler(ben, 'message/leaves', 'sleep 600 & echo left; exit 0')
    const strange = await handler(ben, 'message/strange', '')
    writeFileSync(strange, '#!/no/such/program\n')
    const cases: [string, object][] = [
      ['fails', { State: 'dead', Reason: 'failed', Exit: 3 }],
      ['writable', { State: 'dead', Reason: 'unsafe' }],
      ['plain', { State: 'dead', Reason: 'unsafe' }],
      ['hangs', { State: 'dead', Reason: 'timeout' }],
      ['dies', { State: 'dead', Reason: 'killed' }],
      ['strange', { State: 'dead', Reason: 'unsafe' }],
      ['leaves', { State: 'done', Output: 'left\n' }],
      ['absent', { State: 'dead', Reason: 'no-handler' }]
    ]
    await Promise.all(
      cases.map(async ([tag, expected]) => {
        t.match(await sends(anna, 'ben', tag, '', true), expected, tag)
        t.match(await sends(anna, 'ben', 'good'), { State: 'done' })
      })
    )
    const talked = await sends(anna, 'ben', 'talks', '', true)
    t.match(talked, { State: 'dead', Reason: 'output' })
    t.equal(talked.Output.length, 65_536, 'of what it says only the beginning is kept')
    t.match(await sends(anna, 'ben', 'much'), { State: 'done' }, 'nobody asked for it')
    t.match((await ben.coterie('handlers check')).err, /3 of 10 files cannot run/)

    t.comment('one that goes away between two messages')
    const good = join(dirname(ben.configFile), 'handlers/message/good')
    rmSync(good)
    t.match(await sends(anna, 'ben', 'good'), { State: 'dead', Reason: /no-handler|unsafe/ })
  })

  t.test('a device that is away gets it when it comes, once', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 1\n' })
    const out = join(ben.directory, 'out')
    await handler(ben, 'message/note', `cat >> ${out}`)
    await ben.stop()
    const { Messages } = await anna.call('Send', { Peers: ['ben'], Tag: 'note', Body: 'first ' })
    await anna.call('Send', { Peers: ['ben'], Tag: 'note', Body: 'second ' })
    t.match(await anna.coterie('outbox'), { out: /ben +note +queued[\s\S]*queued/ })
    const last = await anna.call('Send', { Peers: ['ben'], Tag: 'note', Body: 'third' })
    await anna.kill()
    await Promise.all([anna.start(), ben.start()])
    await anna.aside('WaitMessage', { Id: last.Messages[0]!.Id, TimeoutUSec: 20e6 })
    t.equal(readFileSync(out, 'utf8'), 'first second third', 'in order, over a restart of the sender')
    t.equal((await anna.call('Outbox')).Messages.length, 0)
    t.match(await failure(anna.call('CancelMessage', { Id: Messages[0]!.Id })), /it is done already/)

    t.comment('taken back before it comes')
    await ben.stop()
    const { Messages: waiting } = await anna.call('Send', { Peers: ['ben'], Tag: 'note', Body: 'never' })
    const { Message } = await anna.call('CancelMessage', { Id: waiting[0]!.Id })
    t.match(Message, { State: 'dead', Reason: 'cancelled' })
    await ben.start()
    t.match(await sends(anna, 'ben', 'note', ' fourth'), { State: 'done' })
    t.equal(readFileSync(out, 'utf8'), 'first second third fourth')
  })

  t.test('who may send what', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 1\n' })
    ben.configure('[[allow]]\nfrom = "anna"\ntags = ["clipboard/*"]\n')
    await ben.call('Reload')
    await handler(ben, 'message/clipboard/set', 'true')
    await handler(ben, 'message/shutdown', 'true')
    t.match(await sends(anna, 'ben', 'clipboard/set'), { State: 'done' })
    t.match(await sends(anna, 'ben', 'shutdown'), { State: 'dead', Reason: 'not-allowed' })
    t.match(await ben.coterie('handlers run --dry anna shutdown'), {
      code: 1,
      out: /anna may send only what/
    })
  })
}
