import t from 'tap'
import { hex, unhex } from '../../src/wire/bytes.ts'
import {
  decodeMessageBody,
  decodeNext,
  encodeCancel,
  encodeMessage,
  encodeNext,
  encodeQuestion,
  encodeReceipts,
  type Message,
  type Receipt
} from '../../src/wire/message.ts'

const epoch = unhex('0102030405060708')
const id = unhex('00112233445566778899')
const message: Message = {
  id,
  epoch,
  seq: 7,
  floor: 3,
  sentMs: 1_795_219_200_000,
  ttl: 604_800,
  ask: true,
  tag: 'backup/start',
  payload: unhex('c0ffee')
}
const receipt: Receipt = { seq: 7, state: 'dead', reason: 'failed', exit: 3, output: unhex('6e6f') }

t.test('bytes that stay as they are', async t => {
  const frozen: [Uint8Array, string][] = [
    [
      encodeMessage(message),
      '0101010203040506070800000000000000070011223344556677889900000000000000030000' +
        '01a1fb67180000093a800c6261636b75702f7374617274c0ffee'
    ],
    [encodeReceipts(epoch, [receipt]), '020102030405060708000100000000000000070505030000000' + '26e6f'],
    [
      encodeQuestion(epoch, 3, [4, 9]),
      '030102030405060708000000000000000300020000000000000004' + '0000000000000009'
    ],
    [encodeCancel(epoch, 7, id), '0401020304050607080000000000000007' + '00112233445566778899']
  ]
  for (const [bytes, text] of frozen) t.equal(hex(bytes), text)
})

t.test('there and back', async t => {
  t.same(decodeMessageBody(encodeMessage(message)), { type: 'message', message })
  t.same(decodeMessageBody(encodeReceipts(epoch, [receipt])), {
    type: 'receipts',
    epoch,
    receipts: [receipt]
  })
  t.same(decodeMessageBody(encodeQuestion(epoch, 3, [4, 9])), {
    type: 'question',
    epoch,
    floor: 3,
    seqs: [4, 9]
  })
  t.same(decodeMessageBody(encodeCancel(epoch, 7, id)), { type: 'cancel', epoch, seq: 7, id })
  t.equal(decodeNext(encodeNext(12)), 12)
})

t.test('refused as a whole', async t => {
  const wrong: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['another type', Uint8Array.of(9)],
    ['a flag that is none', encodeMessage(message).with(1, 2)],
    ['number 0', encodeMessage({ ...message, seq: 0, floor: 0 })],
    ['below the floor', encodeMessage({ ...message, seq: 2 })],
    ['no time left', encodeMessage({ ...message, ttl: 0 })],
    ['one number twice', encodeReceipts(epoch, [receipt, receipt])],
    ['a state that is none', encodeReceipts(epoch, [receipt]).with(19, 99)],
    ['asked below the floor', encodeQuestion(epoch, 5, [4])],
    ['cut short', encodeReceipts(epoch, [receipt]).slice(0, -1)],
    ['too long', Uint8Array.of(...encodeCancel(epoch, 7, id), 0)]
  ]
  for (const [what, body] of wrong) t.equal(decodeMessageBody(body), undefined, what)
  const whole = encodeMessage({ ...message, payload: new Uint8Array() })
  for (let i = 0; i < whole.length; i++)
    t.equal(decodeMessageBody(whole.slice(0, i)), undefined, `${i} bytes`)
})
