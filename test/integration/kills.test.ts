/** A few of the kills of the campaign, and what a client gets that does not wait for each answer. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Client } from '../../src/cli/client.ts'
import { killed } from '../campaign/kills.ts'
import { acquaint, handler, Pipeline } from '../campaign/post.ts'
import { inside } from '../namespace.ts'
import { generator } from '../random.ts'
import { Computer } from './daemon.ts'

const KILLS = Number(process.env['KILLS'] ?? 10)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const LO = ['--only', 'lo']

const isInside = inside(t, import.meta.url)
t.setTimeout(200_000 + KILLS * 10_000)
if (isInside) {
  t.test('daemons are killed under load: each message is handled once, or a dead letter', async t => {
    t.comment(`SEED=${seed}`)
    const [anna, ben] = [new Computer(t, 'anna'), new Computer(t, 'ben')]
    await Promise.all([anna.start(LO), ben.start(LO)])
    await acquaint(anna, ben)
    const account = await killed(anna, ben, KILLS, LO, generator(seed))
    t.comment(JSON.stringify(account))
    t.ok(account.handled > 0 && account.accepted > 0, 'something was sent')
    for (const name of ['lost', 'twice', 'disordered', 'strange'] as const)
      t.strictSame(account[name], [], name)
  })

  t.test('many messages without waiting for an answer: all, in order', async t => {
    const [anna, ben] = [new Computer(t, 'anna'), new Computer(t, 'ben')]
    await Promise.all([anna.start(LO), ben.start(LO)])
    await acquaint(anna, ben)
    const out = join(ben.directory, 'out')
    await handler(ben, 'message/note', `#!/bin/sh\ncat >> ${out}\n`)
    const watch = await Client.open(ben.socket)
    const events = watch.stream('Watch', { Since: '' })
    await events.next()
    const line = await Pipeline.open(anna.socket)
    const wrong = line.call('Send', { Peers: ['nobody'], Tag: 'note' })
    const sent = Array.from({ length: 100 }, (_, n) =>
      line.call('Send', { Peers: ['ben'], Tag: 'note', Body: `${n}\n` })
    )
    const version = line.call('Version', {})
    await t.rejects(wrong, /nobody/, 'one that is wrong has its own answer')
    const ids = (await Promise.all(sent)).map(({ Messages }) => Messages[0]!.Id)
    t.equal(new Set(ids).size, 100)
    t.ok((await version).Version)
    await line.call('WaitMessage', { Id: ids.at(-1)!, TimeoutUSec: 60e6 })
    t.equal(readFileSync(out, 'utf8'), Array.from({ length: 100 }, (_, n) => `${n}\n`).join(''))
    line.close()
    const told: string[] = []
    for await (const { Type, Properties } of events) {
      if (Type === 'MessageReceived') told.push((Properties as { Id: string }).Id)
      if (told.at(-1) === ids.at(-1)) break
    }
    t.strictSame(told, ids, 'each is told of once')
    watch.close()
  })
}
