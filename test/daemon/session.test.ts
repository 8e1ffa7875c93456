import t from 'tap'
import { nobleAead } from '../../src/crypto/noble-aead.ts'
import { nodeAead, sodiumAead } from '../../src/crypto/provider.ts'
import { REKEY_MS, REKEY_RECORDS } from '../../src/crypto/record.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { sessionPair } from './session-pair.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const texts = (frames: { body: Uint8Array }[]) => frames.map(({ body }) => Buffer.from(body).toString())
const sodium = sodiumAead()

for (const aead of [nodeAead, nobleAead, ...(sodium ? [sodium] : [])]) {
  t.test(`${aead.name}: all that is sent arrives whole and in order, however the link cuts it`, async t => {
    let seed = 7
    const random = () => (seed = (seed * 48_271) % 2_147_483_647)
    for (const chunk of [
      () => 1,
      () => 2,
      () => 1 + (random() % 100),
      () => 1 + (random() % 70_000),
      undefined
    ]) {
      const { clock, a, b } = sessionPair({ aead, delayMs: 3, window: 50_000, ...(chunk && { chunk }) })
      const sent: Uint8Array[] = []
      for (let round = 0; round < 10; round++) {
        for (let index = 0; index < 5; index++) {
          const body = new Uint8Array(index === 4 && round === 5 ? 300_000 : random() % 900).fill(random())
          sent.push(body)
          a.session.send(Kind.Message, body)
          b.session.send(Kind.Message, body)
        }
        clock.run(clock.now + 1)
      }
      clock.run(clock.now + 1000)
      for (const end of [a, b]) {
        t.equal(end.frames.length, sent.length)
        t.ok(end.frames.every(({ body }, index) => Buffer.from(body).equals(sent[index]!)))
        t.same(end.closed, [])
      }
    }
  })
}

t.test('the first frame of a tick leaves at once, the others together at its end', async t => {
  const { clock, links, a, b } = sessionPair()
  let records = 0
  const write = links.dialled.write.bind(links.dialled)
  links.dialled.write = parts => {
    records++
    write(parts)
  }
  for (let index = 0; index < 100; index++) a.session.send(Kind.Message, bytes(`${index}`))
  t.equal(records, 1)
  clock.run(0)
  t.equal(records, 2)
  t.same(
    texts(b.frames),
    Array.from({ length: 100 }, (_, index) => `${index}`)
  )
  a.session.send(Kind.Message, bytes('x'))
  t.equal(records, 3, 'a new tick')
})

t.test('a ping waits for one record of bulk at most', async t => {
  const { clock, a, b } = sessionPair({ delayMs: 10, window: 65_537 })
  const order: number[] = []
  b.session.onFrame = kind => order.push(kind)
  for (let index = 0; index < 20; index++) a.session.send(Kind.Data, new Uint8Array(60_000))
  clock.run(35)
  const before = order.length
  t.ok(before > 0 && before < 10, 'in the midst of it')
  a.session.send(Kind.Ping, new Uint8Array(8))
  clock.run(1000)
  const waited = order.indexOf(Kind.Ping) - before
  // One record is on its way and one may wait in the link; each holds at most two of these.
  t.ok(waited >= 0 && waited <= 4, `${waited} frames went before it`)
  t.equal(order.length, 21)
})

t.test('backlog is what waits here; onDrain says when nothing does', async t => {
  const { clock, a, b } = sessionPair({ delayMs: 5, window: 65_537 })
  let drained = 0
  a.session.onDrain = () => {
    drained++
    t.equal(a.session.backlog, 0)
  }
  a.session.send(Kind.Data, new Uint8Array(100))
  clock.run(1)
  t.equal(drained, 0, 'nothing had to wait')
  for (let index = 0; index < 5; index++) a.session.send(Kind.Data, new Uint8Array(60_000))
  t.ok(a.session.backlog > 100_000)
  clock.run(1000)
  t.equal(drained, 1)
  t.equal(b.frames.length, 6)
})

t.test('every flipped byte ends the session at once, without plaintext and without an answer', async t => {
  const probe = sessionPair()
  probe.a.session.send(Kind.Message, bytes('secret'))
  const length = probe.links.dialled.bytesWritten
  for (let at = 0; at < length; at++) {
    const { clock, links, a, b } = sessionPair()
    links.dialled.tamper = record => {
      record[at]! ^= 1 << (at & 7)
      return record
    }
    a.session.send(Kind.Message, bytes('secret'))
    clock.run(10)
    // A longer length waits for bytes that do not come; any more of them end it too.
    a.session.send(Kind.Data, new Uint8Array(65_000))
    a.session.send(Kind.Data, new Uint8Array(65_000))
    clock.run(20)
    if (b.frames.length > 0) t.fail(`byte ${at}: plaintext came out`)
    if (b.closed.join() !== 'protocol') t.fail(`byte ${at}: ${b.closed.join()}`)
    if (links.accepted.bytesWritten > 0) t.fail(`byte ${at}: an answer`)
    if (links.accepted.state !== 'closed') t.fail(`byte ${at}: still open`)
  }
  t.ok(length >= 82)
})

t.test('records lost, repeated, swapped or cut short end the session', async t => {
  const cases: { [what: string]: (index: number, record: Buffer) => Buffer | undefined } = {
    lost: (index, record) => (index === 1 ? undefined : record),
    repeated: (index, record) => (index === 1 ? Buffer.concat([record, record]) : record),
    'cut short': (index, record) => (index === 1 ? record.subarray(0, -1) : record),
    'a byte too many': (index, record) => (index === 1 ? Buffer.concat([record, Buffer.of(9)]) : record),
    'of no length': (index, record) => (index === 1 ? Buffer.of(0, 0) : record),
    'too short to be one': (index, record) => (index === 1 ? Buffer.alloc(81, 0).fill(79, 1, 2) : record)
  }
  for (const [what, change] of Object.entries(cases)) {
    const { clock, links, a, b } = sessionPair()
    let index = 0
    links.dialled.tamper = record => change(index++, record)
    for (const text of ['one', 'two', 'three', 'four']) {
      a.session.send(Kind.Message, bytes(text))
      clock.run(clock.now + 1)
    }
    a.session.send(Kind.Data, new Uint8Array(65_000))
    clock.run(clock.now + 1)
    t.same(b.closed, ['protocol'], what)
    t.ok(b.frames.length <= 2, what)
  }
})

t.test('keys change by age and by count, in both directions, unnoticed', async t => {
  const { clock, a, b } = sessionPair()
  const before = b.frames.length
  for (let index = 0; index < 10; index++) {
    a.session.send(Kind.Ping, new Uint8Array(8))
    b.session.send(Kind.Pong, new Uint8Array(8))
    clock.run(clock.now + REKEY_MS / 2)
  }
  t.equal(b.frames.length - before, 10)
  const records = REKEY_RECORDS * 2 + 10
  for (let index = 0; index < records; index++) {
    a.session.send(Kind.Ping, new Uint8Array(8))
    clock.run(clock.now)
  }
  t.equal(b.frames.length, 10 + records)
  t.same([...a.closed, ...b.closed], [])
})

t.test('keys change after 64 MiB', async t => {
  const { clock, a, b } = sessionPair()
  const body = new Uint8Array(1_000_000)
  let received = 0
  b.session.onFrame = (_, { length }) => {
    received += length
  }
  for (let index = 0; index < 140; index++) {
    a.session.send(Kind.Data, body)
    clock.run(clock.now)
  }
  t.equal(received, 140_000_000)
  t.same(b.closed, [])
})

t.test(
  'closing says why, after what the link takes at once and what is urgent; nothing comes after it',
  async t => {
    const { clock, links, a, b } = sessionPair({ delayMs: 2, window: 70_000 })
    a.session.send(Kind.Message, bytes('first'))
    a.session.send(Kind.Message, bytes('of the same tick'))
    for (let index = 0; index < 9; index++) a.session.send(Kind.Data, new Uint8Array(60_000))
    a.session.send(Kind.Log, bytes('urgent'))
    a.session.close(CloseReason.Left)
    a.session.send(Kind.Message, bytes('too late'))
    a.session.close(CloseReason.Stopping)
    clock.run(100)
    const kinds = b.frames.map(({ kind }) => kind)
    t.same(kinds.slice(0, 2), [Kind.Message, Kind.Message])
    t.same(kinds.slice(-2), [Kind.Log, Kind.Close])
    t.ok(kinds.length < 8, 'bulk that waited is dropped')
    t.same(b.frames.at(-1)!.body, Uint8Array.of(0, CloseReason.Left))
    t.same(b.closed, ['closed'])
    t.same(a.closed, [])
    t.equal(links.dialled.state, 'closed')
    t.equal(links.accepted.state, 'closed')
  }
)

t.test('a link that takes nothing any more does not keep a session from ending', async t => {
  const { clock, links, a, b } = sessionPair({ delayMs: 1_000_000, window: 10_000 })
  let drained = 0
  a.session.onDrain = () => drained++
  a.session.send(Kind.Data, new Uint8Array(60_000))
  a.session.send(Kind.Data, new Uint8Array(60_000))
  clock.run(1)
  a.session.close(CloseReason.Stopping)
  t.equal(links.dialled.state, 'closing', 'the link has all it needs to end')
  t.equal(a.session.backlog, 0)
  clock.run(1e9)
  t.equal(drained, 0)
  t.same(b.frames.at(-1)?.kind, Kind.Close)
})

t.test('a link that is lost is told once, and nothing throws afterwards', async t => {
  const { clock, links, a, b } = sessionPair()
  links.accepted.destroy()
  clock.run(1)
  t.same(a.closed, ['reset'])
  a.session.send(Kind.Message, bytes('x'))
  a.session.close(CloseReason.Stopping)
  a.session.destroy()
  b.session.destroy()
  clock.run(10)
  t.same(a.closed, ['reset'])
  t.equal(a.session.backlog, 0)
})

t.test('a session may be ended from within its own frame', async t => {
  const { clock, a, b } = sessionPair()
  b.session.onFrame = kind => {
    b.frames.push({ kind, body: bytes('') })
    b.session.close(CloseReason.Done)
  }
  for (let index = 0; index < 5; index++) a.session.send(Kind.Message, bytes('x'))
  clock.run(10)
  t.equal(b.frames.length, 1)
  t.same(
    a.frames.map(({ kind }) => kind),
    [Kind.Close]
  )
  t.same(b.closed, [])
})

t.test('bodies stay as they came while later records arrive, all but those of streams', async t => {
  for (const aead of [nodeAead, ...(sodium ? [sodium] : [])]) {
    const { clock, a, b } = sessionPair({ aead, chunk: () => 50 })
    const lent: string[] = []
    b.session.onFrame = (kind, body) => {
      if (kind === Kind.Stream || kind === Kind.Relay) lent.push(Buffer.from(body).toString())
      else b.frames.push({ kind, body })
    }
    for (let index = 0; index < 50; index++) {
      a.session.send(Kind.Stream, bytes(`stream ${index}`))
      a.session.send(Kind.Data, bytes(`data ${index}`))
      a.session.send(Kind.Relay, bytes(`relay ${index}`))
      clock.run(clock.now)
      a.session.send(Kind.Message, bytes(`body ${index}`))
      clock.run(clock.now)
    }
    const count = Array.from({ length: 50 }, (_, index) => index)
    t.same(
      texts(b.frames),
      count.flatMap(index => [`data ${index}`, `body ${index}`])
    )
    t.same(
      lent,
      count.flatMap(index => [`stream ${index}`, `relay ${index}`])
    )
  }
})
