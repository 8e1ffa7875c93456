import t from 'tap'
import { bodyLimit, Kind } from '../../src/wire/frame.ts'
import { decodeWake, encodeWake, magicPacket, type WakeFrame } from '../../src/wire/wake.ts'

const target = new Uint8Array(32).fill(7)
const frames: WakeFrame[] = [
  { type: 'ask', token: 0xffff_fffe, target },
  { type: 'answer', token: 1, result: 'sent' },
  { type: 'answer', token: 2, result: 'elsewhere' },
  { type: 'answer', token: 3, result: 'recently' }
]

t.test('frames come back, and fit', async t => {
  for (const frame of frames) {
    const body = encodeWake(frame)
    t.same(decodeWake(body), frame)
    t.ok(body.length <= bodyLimit(Kind.Wake)!)
  }
  t.equal(Buffer.from(encodeWake(frames[1]!)).toString('hex'), '020000000101')
})

t.test('whatever else is none', async t => {
  for (const frame of frames) {
    const body = encodeWake(frame)
    for (let length = 0; length < body.length; length++)
      t.equal(decodeWake(body.subarray(0, length)), undefined)
    t.equal(decodeWake(Uint8Array.of(...body, 0)), undefined, 'something behind it')
    t.equal(decodeWake(Uint8Array.of(3, ...body.subarray(1))), undefined, 'another type')
  }
  for (const result of [0, 4, 255]) t.equal(decodeWake(Uint8Array.of(2, 0, 0, 0, 1, result)), undefined)
})

t.test('the packet', async t => {
  const packet = Buffer.from(magicPacket(Uint8Array.of(2, 0x77, 0, 0, 0, 3)))
  t.equal(packet.toString('hex'), 'ff'.repeat(6) + '027700000003'.repeat(16))
})
