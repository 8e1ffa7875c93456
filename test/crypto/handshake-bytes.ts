/** Handshakes between two fixed devices: what the tests play with, and what is frozen. */
import {
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  createTicketInitiation,
  door,
  type InitiationOptions,
  SUITES,
  staticProof,
  ticketPsk
} from '../../src/crypto/handshake.ts'
import { ed25519, x25519 } from '../../src/crypto/provider.ts'
import type { Answer, Hello, Request } from '../../src/wire/hello.ts'

export const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

export const gid = fill(0xc1)
export const initiatorKey = x25519(fill(1))
export const responderKey = x25519(fill(2))
export const identity = ed25519(fill(3))
export const psk = ticketPsk(fill(4, 16))
export const ourDoor = door(gid, responderKey)

export const options: InitiationOptions = {
  gid,
  key: initiatorKey,
  peerKey: responderKey.publicKey,
  ephemeral: x25519(fill(5))
}
export const hello: Hello = {
  versions: { least: 1, greatest: 1 },
  bootId: fill(6, 16),
  logHead: fill(7),
  features: 0,
  operations: [fill(8, 300), fill(9, 20)]
}
export const request: Request = {
  versions: { least: 1, greatest: 1 },
  bootId: fill(6, 16),
  features: 0,
  key: identity.publicKey,
  signature: identity.sign(staticProof(gid, identity.publicKey, initiatorKey.publicKey, 0)),
  suites: SUITES,
  name: 'Zoë’s laptop'
}
export const answer: Answer = {
  version: 1,
  bootId: fill(10, 16),
  logHead: fill(11),
  features: 0,
  result: 'ok'
}

export function memberHandshake() {
  const initiation = createInitiation(options, hello)
  const consumed = consumeInitiation(initiation.message, ourDoor, [])!
  const response = createResponse(consumed, x25519(fill(12)), answer)
  return { initiation, consumed, response, finished: consumeResponse(initiation, response.message)! }
}

export function ticketHandshake() {
  const initiation = createTicketInitiation(options, psk, request)
  const consumed = consumeInitiation(initiation.message, ourDoor, [fill(99), psk])!
  const response = createResponse(consumed, x25519(fill(12)), { ...answer, result: 'used' })
  return { initiation, consumed, response, finished: consumeResponse(initiation, response.message)! }
}

function indexes({ send, receive }: { send: number; receive: number }): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setUint32(0, send)
  new DataView(bytes.buffer).setUint32(4, receive)
  return bytes
}

export function bytes(): { [name: string]: Uint8Array } {
  const member = memberHandshake()
  const ticket = ticketHandshake()
  return {
    'member message 1': member.initiation.message,
    'member message 2': member.response.message,
    'member send': member.finished.keys.send,
    'member receive': member.finished.keys.receive,
    'member probe send': member.finished.keys.probeSend,
    'member probe receive': member.finished.keys.probeReceive,
    'member probe indexes': indexes(member.finished.keys.probeIndexes),
    'member hash': member.finished.keys.hash,
    'ticket message 1': ticket.initiation.message,
    'ticket message 2': ticket.response.message,
    'ticket send': ticket.finished.keys.send
  }
}
