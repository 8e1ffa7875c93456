/** No room: in the outbox, where new messages are refused; in the inbox, where they wait at their sender. */
import t from 'tap'
import { messageId } from '../../src/messages/id.ts'
import { Inbox } from '../../src/messages/inbox.ts'
import { BYTES, TAG_MESSAGES } from '../../src/messages/load.ts'
import { MAX_BYTES, MAX_MESSAGES, Outbox, type Sent } from '../../src/messages/outbox.ts'
import { decodeMessageBody, type Message } from '../../src/wire/message.ts'
import { ids } from '../mesh/drive.ts'
import { missing, vectors } from '../vectors.ts'
import { pair } from './pair.ts'

const [me, ben] = [ids[0]!, ids[1]!]
const epoch = new Uint8Array(8)
const MEBIBYTE = 1_048_576

const idOf = (n: number) => Uint8Array.from({ length: 10 }, (_, i) => (n / 256 ** i) & 255)

t.test('the outbox is full: new ones are refused, old ones stay', async t => {
  const outbox = new Outbox({ epoch, rows: [], next: new Map(), now: 0, wall: 0 })
  let count = 0
  const send = (size: number, ttlMs = 1_000): Sent | 'full' => {
    const draft = { id: messageId(idOf(++count)), peer: ben, tag: 'x', ask: false, ttlMs }
    const record = outbox.draft(0, { ...draft, payload: new Uint8Array(size) })
    if (record === 'full') return 'full'
    outbox.accept(0, 0, record.sent)
    return record.sent
  }
  t.comment('by number')
  const all = Array.from({ length: MAX_MESSAGES }, () => send(1))
  t.notOk(all.includes('full'))
  t.equal(send(1), 'full')
  t.equal(outbox.list.length, MAX_MESSAGES, 'nothing was dropped for it')
  const [first, second] = all as [Sent, Sent]
  outbox.cancel(0, 0, first.id)
  t.equal(send(1), 'full', 'a dead letter takes room')
  t.equal(outbox.drop(first.id)?.id, first.id)
  t.not(send(1), 'full', 'until it is dropped')
  t.equal(send(1), 'full')
  outbox.opened(0, ben)
  outbox.receive(0, 0, ben, epoch, [
    { seq: second.seq, state: 'done', reason: 'none', exit: 0, output: epoch }
  ])
  t.not(send(1), 'full', 'what is done makes room')

  t.comment('by size')
  for (const { id } of outbox.list) {
    outbox.cancel(0, 0, id)
    outbox.drop(id)
  }
  outbox.remove(0, 0, ben)
  for (const { id } of outbox.list) outbox.drop(id)
  for (let i = 0; i < MAX_BYTES / MEBIBYTE; i++) t.not(send(MEBIBYTE), 'full')
  t.equal(send(1), 'full')
  t.not(send(0), 'full', 'an empty body needs none')
  outbox.expire(1_000, 1_000)
  const left = outbox.list.filter(({ state }) => state !== 'done')
  t.ok(left.every(({ state, reason }) => state === 'dead' && reason === 'expired'))
  t.equal(left.length, MAX_BYTES / MEBIBYTE + 1)
})

function inbox() {
  let id = 1_000_000
  const core = new Inbox({
    rows: [],
    floors: [],
    now: 0,
    wall: 0,
    choose: (_from, tag) => ({ key: tag, retry: false })
  })
  const message = (seq: number, more: Partial<Message> = {}): Message => ({
    id: idOf(id++),
    epoch,
    seq,
    floor: 1,
    sentMs: 0,
    ttl: 60,
    ask: false,
    tag: 'x',
    payload: new Uint8Array(1),
    ...more
  })
  const take = () => {
    const { records, outputs } = core.take()
    const receipts = outputs.flatMap(output => {
      const body = output.type === 'send' ? decodeMessageBody(output.body) : undefined
      return body?.type === 'receipts' ? body.receipts : []
    })
    const runs = outputs.flatMap(output => (output.type === 'run' ? [output.received] : []))
    const counts = outputs.flatMap(output => (output.type === 'count' ? [output.what] : []))
    return { records, receipts, runs, counts }
  }
  const exit = { type: 'exit', code: 0, output: new Uint8Array() } as const
  return { core, message, take, exit }
}

t.test('the inbox is full for one sender: it is told when there is room, and others come in', async t => {
  const { core, message, take, exit } = inbox()
  for (let seq = 1; seq <= TAG_MESSAGES; seq++) core.receive(0, 0, ben, message(seq))
  let [running] = take().runs
  core.receive(0, 0, ben, message(TAG_MESSAGES + 1))
  t.match(take(), { records: [], receipts: [], counts: ['inbox-full'] }, 'no answer, and nothing is kept')
  core.exited(0, 0, running!, exit)
  running = take().runs[0]
  core.receive(0, 0, ben, message(TAG_MESSAGES + 2))
  t.match(take(), { records: [], counts: ['inbox-full'] }, 'nothing comes in before what was refused')
  core.receive(0, 0, me, message(1, { tag: 'z' }))
  t.equal(take().runs.length, 1, 'another sender has room of its own')
  core.receive(0, 0, ben, message(TAG_MESSAGES + 3, { tag: 'y' }))
  t.equal(take().runs.length, 1, 'and another tag')
  let told: number[] = []
  for (let ended = 1; told.length === 0; ended++) {
    core.exited(0, 0, running!, exit)
    const { runs, receipts } = take()
    running = runs[0]
    told = receipts.filter(({ state }) => state === 'unknown').map(({ seq }) => seq)
    if (told.length > 0) t.equal(ended, TAG_MESSAGES / 2 - 1, 'half of it has gone')
  }
  t.same(told, [TAG_MESSAGES + 1, TAG_MESSAGES + 2], 'both are asked for')
  core.receive(0, 0, ben, message(TAG_MESSAGES + 1))
  t.match(take().receipts, [{ seq: TAG_MESSAGES + 1, state: 'received' }])
})

t.test('the inbox is full by size, but one always gets in', async t => {
  const { core, message, take } = inbox()
  const large = (seq: number) => message(seq, { payload: new Uint8Array(MEBIBYTE), tag: `t${seq}` })
  for (let seq = 1; seq <= BYTES / MEBIBYTE; seq++) core.receive(0, 0, ben, large(seq))
  t.same(take().counts, [])
  core.receive(0, 0, ben, message(1_000))
  t.same(take().counts, ['inbox-full'])
})

t.test('more of one tag than a device takes in: all run, once, in order', async t => {
  const { clock, wire, a, b } = pair()
  b.took = () => (b.runs.length < 2 ? 200_000 : 0)
  for (let i = 0; i < TAG_MESSAGES + 500; i++) a.send('x', `${i}`)
  clock.run(60_000)
  wire.open(a, b)
  clock.run(150_000)
  t.equal(b.inbox.list.length, TAG_MESSAGES)
  t.equal(a.outbox.list.filter(({ state }) => state === 'queued').length, 500, 'the rest waits at its sender')
  clock.run(1_000_000)
  t.same(
    b.order.map(text => Number(text.slice(2))),
    Array.from({ length: TAG_MESSAGES + 500 }, (_, i) => i)
  )
  t.equal(a.outbox.list.filter(({ state }) => state !== 'done').length, 0)
})

const hostile = vectors('hostile/tags.json') as { tags: string[] } | undefined
t.test('hostile tags on the wire', { skip: hostile === undefined && missing }, async t => {
  const { core, message, take } = inbox()
  const naughty = vectors('strings/blns.json') as string[]
  const valid = /^[a-z0-9][a-z0-9_-]{0,62}(\/[a-z0-9][a-z0-9_-]{0,62}){0,7}$/
  const tags = [...hostile!.tags, ...naughty, '\ud800', 'x'.repeat(255)].filter(
    tag => !valid.test(tag) || tag.endsWith('\n')
  )
  const taken = tags.filter((tag, i) => {
    core.receive(0, 0, ben, message(i + 1, { tag }))
    const { records, receipts, runs, counts } = take()
    return records.length + receipts.length + runs.length > 0 || counts[0] !== 'tag-malformed'
  })
  t.same(taken, [], `none of ${tags.length} comes in`)
})
