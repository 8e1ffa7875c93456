import t from 'tap'
import { SendQueue } from '../../src/daemon/sessions/send-queue.ts'
import { FrameReader, Kind } from '../../src/wire/frame.ts'

const LIMIT = 65_513

/** Takes records until nothing is left; each as the kinds and lengths it brings to completion. */
function drain(queue: SendQueue, reader = new FrameReader(), between?: (index: number) => void) {
  const records: { kind: number; length: number }[][] = []
  while (queue.bytes > 0) {
    const record = new Uint8Array(LIMIT)
    const end = queue.take(record, 2, LIMIT)
    const frames: { kind: number; length: number }[] = []
    if (
      !reader.read(record.subarray(0, end), (kind, body) => frames.push({ kind, length: body.length }) > 0)
    ) {
      throw new Error('not frames')
    }
    records.push(frames)
    between?.(records.length)
  }
  return records
}

t.test('the urgent goes before messages, those before bulk; each in its order', async t => {
  const queue = new SendQueue()
  const kinds = [Kind.Stream, Kind.Message, Kind.Pong, Kind.Gossip, Kind.Data, Kind.Log, Kind.Nominate]
  for (const [index, kind] of kinds.entries()) queue.push(kind, new Uint8Array(index))
  const [record] = drain(queue)
  t.same(
    record?.map(frame => frame.kind),
    [Kind.Pong, Kind.Log, Kind.Nominate, Kind.Message, Kind.Gossip, Kind.Stream, Kind.Data]
  )
  t.same(
    record?.map(frame => frame.length),
    [2, 5, 6, 1, 3, 0, 4]
  )
  t.equal(queue.bytes, 0)
})

t.test('a ping waits for one record of bulk, even in the middle of a long body', async t => {
  const queue = new SendQueue()
  for (let index = 0; index < 5; index++) queue.push(Kind.Data, new Uint8Array(300_000))
  const records = drain(queue, new FrameReader(), index => {
    if (index === 3) queue.push(Kind.Ping, new Uint8Array(8))
  })
  t.equal(records.length, Math.ceil(1_500_008 / LIMIT))
  t.same(records[3]?.[0], { kind: Kind.Ping, length: 8 }, 'in the very next record, first')
  t.equal(records.flat().filter(frame => frame.kind === Kind.Data && frame.length === 300_000).length, 5)
})

t.test('a message passes bulk that has begun, and its own kind stays in order', async t => {
  const queue = new SendQueue()
  queue.push(Kind.Stream, new Uint8Array(65_536))
  const reader = new FrameReader()
  const records = drain(queue, reader, index => {
    if (index === 1)
      for (let length = 200_000; length < 200_003; length++) queue.push(Kind.Message, new Uint8Array(length))
  })
  t.same(
    records.flat().map(frame => frame.length),
    [200_000, 200_001, 200_002, 65_536]
  )
})

t.test('many small frames: nothing lost, nothing out of order', async t => {
  const queue = new SendQueue()
  const lengths: number[] = []
  const push = (index: number) => {
    lengths.push(index % 700)
    queue.push(Kind.Message, new Uint8Array(index % 700))
  }
  for (let index = 0; index < 10_000; index++) push(index)
  const records = drain(queue, new FrameReader(), index => {
    if (index < 20) for (let more = 0; more < 100; more++) push(more)
  })
  t.same(
    records.flat().map(frame => frame.length),
    lengths
  )
  t.ok(records.slice(0, -1).every(record => record.length > 0))
})

t.test('the longest body and the empty one, and forgetting all', async t => {
  const queue = new SendQueue()
  queue.push(Kind.Message, new Uint8Array(1_048_576))
  queue.push(Kind.Message, new Uint8Array(0))
  t.same(
    drain(queue)
      .flat()
      .map(frame => frame.length),
    [1_048_576, 0]
  )
  queue.push(Kind.Message, new Uint8Array(100))
  queue.push(Kind.Ping, new Uint8Array(8))
  queue.push(Kind.Data, new Uint8Array(100_000))
  queue.take(new Uint8Array(1000), 2, 1000)
  t.ok(queue.bytes > 99_000 && queue.bytes < 100_000, 'a part of the data is gone')
  queue.push(Kind.Log, new Uint8Array(50))
  queue.dropRest()
  t.equal(queue.bytes, 56)
  t.same(drain(queue), [[{ kind: Kind.Log, length: 50 }]])
  queue.push(Kind.Ping, new Uint8Array(8))
  queue.clear()
  t.equal(queue.bytes, 0)
  t.equal(queue.take(new Uint8Array(100), 2, 100), 2)
})
