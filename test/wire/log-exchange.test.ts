import t from 'tap'
import {
  chunks,
  decodeLogFrame,
  encodeLogFrame,
  type LogFrame,
  MAX_BODY,
  MAX_WANTS
} from '../../src/wire/log-exchange.ts'
import { fc } from '../draws.ts'

const id = (fill: number) => new Uint8Array(32).fill(fill)
const samples: LogFrame[] = [
  { type: 'greet', round: 1, heads: [id(1), id(2)], locator: [id(9), id(3)] },
  { type: 'greet', round: 2 ** 32 - 1, heads: [], locator: [] },
  { type: 'operations', round: 2, operations: [new Uint8Array(5).fill(7), new Uint8Array(0)] },
  { type: 'wants', round: 3, ids: [id(4)] },
  { type: 'wrap', round: 4, wrap: new Uint8Array(20) },
  { type: 'state', round: 5, received: 77, digest: id(6) }
]

t.test('each frame reads back, and nothing shorter or longer does', async t => {
  for (const frame of samples) {
    const body = encodeLogFrame(frame)
    t.same(decodeLogFrame(body), frame)
    if (frame.type === 'wrap') continue
    t.equal(decodeLogFrame(body.subarray(0, body.length - 1)), undefined, `${frame.type} cut`)
    t.equal(decodeLogFrame(Uint8Array.of(...body, 0)), undefined, `${frame.type} longer`)
  }
})

t.test('bounds', async t => {
  t.equal(decodeLogFrame(encodeLogFrame({ ...samples[0]!, round: 0 })), undefined, 'rounds begin with 1')
  const ids = Array.from({ length: MAX_WANTS + 1 }, () => id(1))
  t.equal(decodeLogFrame(encodeLogFrame({ type: 'wants', round: 1, ids })), undefined)
  const descending: LogFrame = { type: 'greet', round: 1, heads: [id(2), id(1)], locator: [] }
  t.equal(decodeLogFrame(encodeLogFrame(descending)), undefined)
  const large: LogFrame = { type: 'operations', round: 1, operations: [new Uint8Array(4097)] }
  t.equal(decodeLogFrame(encodeLogFrame(large)), undefined)
  t.equal(decodeLogFrame(Uint8Array.of(6, 0, 0, 0, 1)), undefined, 'no such type')
})

t.test('operations are cut into bodies that fit', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4096), { maxLength: 200 }), lengths => {
      const operations = lengths.map(n => new Uint8Array(n))
      const cut = chunks(operations)
      const bodies = cut.map(c => encodeLogFrame({ type: 'operations', round: 1, operations: c }))
      return cut.flat().length === operations.length && bodies.every(b => b.length <= MAX_BODY)
    })
  )
})

t.test('random bodies do no harm', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), body => {
      if (body.length > 0) body[0]! %= 7
      decodeLogFrame(body)
    }),
    { numRuns: 500 }
  )
})
