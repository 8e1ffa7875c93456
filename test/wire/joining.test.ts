import t from 'tap'
import { hex } from '../../src/wire/bytes.ts'
import {
  decodeCodeRequest,
  decodeGreeting,
  decodeOffer,
  decodeVerdict,
  encodeCodeRequest,
  encodeGreeting,
  encodeJoinMessage,
  encodeOffer,
  encodeVerdict,
  JOIN_MESSAGE_LIMIT,
  JoinMessage,
  joinMessageBody,
  joinMessageLength,
  verdicts
} from '../../src/wire/joining.ts'
import { fc } from '../draws.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const greeting = { versions: { least: 1, greatest: 2 }, features: 3 }
const offer = {
  version: 1,
  bootId: fill(1, 16),
  features: 0,
  gid: fill(2),
  key: fill(3),
  staticKey: fill(4),
  level: 10,
  circle: 'home',
  device: 'anna’s laptop'
}
const request = {
  bootId: fill(1, 16),
  key: fill(5),
  staticKey: fill(6),
  signature: fill(7, 64),
  suites: 1,
  name: 'ben'
}

t.test('messages: a length for each type, and nothing else is one', async t => {
  const bodies = [16, 16, 32, 32, 64, 64, 112, 304]
  for (const [at, length] of bodies.entries()) {
    const type = (0x10 + at) as JoinMessage
    const message = encodeJoinMessage(type, fill(9, length))
    t.equal(message.length, 5 + length)
    t.equal(joinMessageLength(message.subarray(0, 5)), message.length)
    t.same(joinMessageBody(type, message), fill(9, length))
    t.equal(joinMessageBody(((type + 1) & 0x17) as JoinMessage, message), undefined, 'another type')
    t.equal(joinMessageBody(type, message.subarray(0, -1)), undefined)
    t.equal(joinMessageBody(type, Buffer.concat([message, fill(0, 1)])), undefined)
    t.throws(() => encodeJoinMessage(type, fill(9, length + 1)), RangeError)
  }
  t.equal(encodeJoinMessage(JoinMessage.SidA, fill(0, 16)).length, 21)
  t.equal(hex(encodeJoinMessage(JoinMessage.Wrong, Uint8Array.of(2))), '434f54311f02')
  t.equal(JOIN_MESSAGE_LIMIT, 309)
  for (const header of ['434f543118', '434f543100', '434f543210', '534f543110', '434f5431', ''])
    t.equal(joinMessageLength(Buffer.from(header, 'hex')), undefined, header)
})

t.test('payloads and frames: read back what was written; the lengths tell no name', async t => {
  t.same(decodeGreeting(encodeGreeting(greeting)), greeting)
  t.same(decodeOffer(encodeOffer(offer)), offer)
  t.same(decodeCodeRequest(encodeCodeRequest(request)), request)
  for (const verdict of verdicts) t.equal(decodeVerdict(encodeVerdict(verdict)), verdict)
  const longest = 'x'.repeat(64)
  t.equal(encodeOffer({ ...offer, circle: longest, device: longest }).length, encodeOffer(offer).length)
  t.equal(encodeCodeRequest({ ...request, name: longest }).length, encodeCodeRequest(request).length)
  t.same(decodeOffer(encodeOffer({ ...offer, circle: longest, device: longest }))?.device, longest)
})

t.test('frozen', async t => {
  t.equal(hex(encodeGreeting(greeting)), `010200000003${'00'.repeat(58)}`)
  const names = `04686f6d650f616e6e61e2809973206c6170746f70`
  const ids = `${'02'.repeat(32)}${'03'.repeat(32)}${'04'.repeat(32)}`
  t.equal(hex(encodeOffer(offer)), `01${'01'.repeat(16)}00000000${ids}0a${names}${'00'.repeat(117)}`)
  const keys = `${'05'.repeat(32)}${'06'.repeat(32)}${'07'.repeat(64)}`
  t.equal(
    hex(encodeCodeRequest(request)),
    `01${'01'.repeat(16)}${keys}0000000103${hex(Buffer.from('ben'))}${'00'.repeat(61)}`
  )
  t.equal(hex(encodeVerdict('declined')), '0201')
})

t.test('names that may not be are neither written nor read', async t => {
  for (const name of ['', 'a\nb', 'x'.repeat(65), '\u001b[31m']) {
    t.throws(() => encodeCodeRequest({ ...request, name }), RangeError)
    t.throws(() => encodeOffer({ ...offer, circle: name }), RangeError)
  }
  const coloured = encodeCodeRequest(request)
  coloured[150] = 0x1b
  t.equal(decodeCodeRequest(coloured), undefined)
})

t.test('truncated, longer, with something after the end, or with a changed kind: nothing', async t => {
  const whole = [
    [encodeGreeting(greeting), decodeGreeting],
    [encodeOffer(offer), decodeOffer],
    [encodeCodeRequest(request), decodeCodeRequest],
    [encodeVerdict('ok'), decodeVerdict]
  ] as const
  for (const [bytes, decode] of whole) {
    for (let length = 0; length < bytes.length; length++)
      if (decode(bytes.slice(0, length)) !== undefined) t.fail(`${length} of ${bytes.length} bytes`)
    t.equal(decode(Buffer.concat([bytes, fill(0, 1)])), undefined)
    const padded = bytes.slice()
    padded[bytes.length - 1]! ^= 0x80
    t.equal(decode(padded), undefined, 'not zeros')
  }
  t.equal(decodeCodeRequest(encodeVerdict('ok')), undefined)
  t.equal(decodeVerdict(encodeCodeRequest(request)), undefined)
  t.equal(decodeVerdict(Uint8Array.of(2, verdicts.length)), undefined)
})

t.test('anything at all is read without harm, and means what it was', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 320 }), bytes => {
      const read = [decodeGreeting(bytes), decodeOffer(bytes), decodeCodeRequest(bytes), decodeVerdict(bytes)]
      joinMessageLength(bytes)
      const [g, o, r, v] = read as [typeof greeting, typeof offer, typeof request, 'ok']
      const again = (g && encodeGreeting(g)) ?? (o && encodeOffer(o)) ?? (r && encodeCodeRequest(r))
      return (again ?? (v ? encodeVerdict(v) : bytes)).every((byte, at) => byte === bytes[at])
    }),
    { numRuns: 500 }
  )
})
