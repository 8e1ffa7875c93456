import t from 'tap'
import {
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createTicketInitiation,
  door,
  doorOf,
  MESSAGE_LIMIT,
  messageLength
} from '../../src/crypto/handshake.ts'
import { x25519 } from '../../src/crypto/provider.ts'
import { decodeHello, encodeAnswer, encodeHello, encodeRequest, HELLO_LIMIT } from '../../src/wire/hello.ts'
import { frozen, hexOf } from '../frozen.ts'
import {
  answer,
  bytes,
  fill,
  gid,
  hello,
  initiatorKey,
  memberHandshake,
  options,
  ourDoor,
  psk,
  request,
  responderKey,
  ticketHandshake
} from './handshake-bytes.ts'

t.test('the bytes are those that were frozen', async t => {
  const committed = frozen('handshake')
  const now = bytes()
  t.same(Object.keys(now), Object.keys(committed))
  for (const [name, value] of Object.entries(now)) t.equal(hexOf(value), committed[name], name)
})

t.test('two members end with the same keys, crossed, and each other’s words', async t => {
  const { initiation, consumed, response, finished } = memberHandshake()
  t.equal(messageLength(initiation.message.subarray(0, 8)), initiation.message.length)
  t.equal(messageLength(response.message.subarray(0, 8)), response.message.length)
  t.same(consumed.hello, hello)
  t.same(consumed.staticKey, initiatorKey.publicKey)
  t.same(finished.answer, answer)
  const { keys } = finished
  t.same(keys.send, response.keys.receive)
  t.same(keys.receive, response.keys.send)
  t.same(keys.probeSend, response.keys.probeReceive)
  t.same(keys.probeReceive, response.keys.probeSend)
  t.equal(keys.probeIndexes.send, response.keys.probeIndexes.receive)
  t.equal(keys.probeIndexes.receive, response.keys.probeIndexes.send)
  t.same(keys.hash, response.keys.hash)
  const all = [keys.send, keys.receive, keys.probeSend, keys.probeReceive, keys.hash].map(hexOf)
  t.equal(new Set(all).size, 5)
})

t.test('by ticket: the one psk that fits is found, the request is read, the answer comes back', async t => {
  const { consumed, finished, response } = ticketHandshake()
  t.same(consumed.joining, { psk: 1, request })
  t.equal(consumed.hello, undefined)
  t.equal(finished.answer.result, 'used')
  t.same(finished.keys.send, response.keys.receive)
})

t.test('a door opens only for its own circle and key', async t => {
  const { message } = createInitiation(options, hello)
  const other = door(fill(0xc2), responderKey)
  const older = door(gid, x25519(fill(77)))
  t.equal(doorOf(message, [other, older]), undefined)
  t.equal(doorOf(message, [other, older, ourDoor]), ourDoor)
  t.equal(consumeInitiation(message, other, []), undefined, 'nor would the noise part open')
  t.equal(consumeInitiation(message, older, []), undefined)
})

t.test('every flipped bit and every truncation of message 1 is refused without a throw', async t => {
  for (const { message } of [
    createInitiation(options, hello),
    createTicketInitiation(options, psk, request)
  ]) {
    for (let bit = 0; bit < message.length * 8; bit++) {
      const changed = message.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      if (doorOf(changed, [ourDoor])) t.fail(`mac1 let bit ${bit} pass`)
      // Behind a forged mac1 the rest must hold by itself; the header is part of the prologue.
      if (bit >> 3 < message.length - 16 && (bit & 7) === 0 && consumeInitiation(changed, ourDoor, [psk])) {
        t.fail(`byte ${bit >> 3} is not authenticated`)
      }
    }
    for (let length = 0; length < message.length; length++) {
      const cut = message.slice(0, length)
      if (length >= 16 && doorOf(cut, [ourDoor])) t.fail(`mac1 let ${length} bytes pass`)
      if (consumeInitiation(cut, ourDoor, [psk])) t.fail(`${length} bytes were read`)
    }
  }
})

t.test('every flipped byte and every truncation of message 2 is refused without a throw', async t => {
  const whole = memberHandshake().response.message
  for (let at = 0; at < whole.length; at++) {
    const changed = whole.slice()
    changed[at]! ^= 1 << (at & 7)
    if (consumeResponse(createInitiation(options, hello), changed)) t.fail(`byte ${at}`)
    if (consumeResponse(createInitiation(options, hello), whole.slice(0, at))) t.fail(`${at} bytes`)
  }
  t.ok(consumeResponse(createInitiation(options, hello), whole), 'while the whole one is taken')
  t.notOk(
    consumeResponse(createInitiation(options, hello), ticketHandshake().response.message),
    'the answer to a ticket is none to a member'
  )
})

t.test('lengths a stranger may claim', async t => {
  const header = (type: number, length: number) =>
    Uint8Array.of(0x43, 0x4f, 0x54, 0x31, type, 1, length >> 8, length & 255)
  const lengths = Array.from({ length: 65536 }, (_, length) => messageLength(header(1, length)))
  const allowed = lengths.filter(length => length !== undefined)
  t.equal(allowed.length, 30)
  t.equal(Math.max(...allowed), MESSAGE_LIMIT)
  t.ok(MESSAGE_LIMIT <= 2048)
  t.same(
    [0, 2, 4, 5, 0x10, 0x20, 255].map(type => messageLength(header(type, 160))),
    Array(7).fill(undefined)
  )
  t.equal(messageLength(Buffer.from('GET / HT')), undefined)
  t.equal(messageLength(new Uint8Array(0)), undefined)
})

t.test('keys of small order, wrong versions, foreign signatures, psks that do not fit', async t => {
  const { message } = createInitiation(options, hello)
  message.fill(0, 8, 40)
  t.equal(consumeInitiation(message, ourDoor, []), undefined)
  const future = createInitiation(options, { ...hello, versions: { least: 2, greatest: 9 } })
  t.equal(consumeInitiation(future.message, ourDoor, []), undefined)
  const wider = createInitiation(options, { ...hello, versions: { least: 1, greatest: 9 } })
  t.ok(consumeInitiation(wider.message, ourDoor, []))
  const foreign = createTicketInitiation({ ...options, key: x25519(fill(50)) }, psk, request)
  t.equal(
    consumeInitiation(foreign.message, ourDoor, [psk]),
    undefined,
    'the signature binds another static key'
  )
  const joining = createTicketInitiation(options, psk, request)
  t.equal(consumeInitiation(joining.message, ourDoor, []), undefined)
  t.equal(consumeInitiation(joining.message, ourDoor, [fill(1), fill(2)]), undefined)
})

t.test('a hello takes as many operations as fit, and reads nothing but its own form', async t => {
  const many = { ...hello, operations: [fill(1, 700), fill(2, 700), fill(3, 700), fill(4, 5), fill(5, 5)] }
  t.equal(decodeHello(encodeHello(many))?.operations.length, 2)
  for (let length = 0; length < 2000; length++) {
    const encoded = encodeHello({ ...hello, operations: [fill(1, length)] })
    if (encoded.length % 64 !== 0 || encoded.length > HELLO_LIMIT) t.fail(`${length} is padded wrongly`)
    const count = decodeHello(encoded)?.operations.length
    if (count !== (58 + length <= HELLO_LIMIT ? 1 : 0)) t.fail(`${length} bytes: ${count} operations`)
  }
  const encoded = encodeHello(hello)
  for (let at = 0; at < encoded.length; at++) {
    if (decodeHello(encoded.subarray(0, at))) t.fail(`${at} bytes were read`)
    const longer = new Uint8Array(encoded.length + 64)
    longer.set(encoded)
    if (decodeHello(longer)) t.fail('a block too many was read')
  }
  encoded[encoded.length - 1] = 1
  t.equal(decodeHello(encoded), undefined, 'padding is zeros')
  t.throws(() => encodeRequest({ ...request, name: 'x'.repeat(65) }), RangeError)
  t.throws(() => encodeAnswer({ ...answer, bootId: fill(1, 15) }), RangeError)
})
