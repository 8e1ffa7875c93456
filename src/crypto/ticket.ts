/**
 * Tickets: with one, one device joins, once (PROTOCOL 3). Text, to be treated like a password.
 *
 *   text    coterie1: | base32 of (ticket | first 4 bytes of SHA-256(ticket))
 *   ticket  u8 1 | gid 32 | inviter's Ed25519 key 32 | its X25519 static 32 | secret 16 | u64 expiry_ms
 *           | u8 level | u8 naddr | naddr × address (wire/address.ts)
 *
 * Big-endian; at most 8 addresses. White space and upper case in the text do not matter (QR codes, mails).
 */
import { type Address, portable, readAddress, writeAddress } from '../wire/address.ts'
import { fromBase32, toBase32 } from '../wire/base32.ts'
import { Reader, Writer } from '../wire/bytes.ts'
import { equal, hash } from './provider.ts'

export const MAX_TICKET_ADDRESSES = 8
const PREFIX = 'coterie1:'
const VERSION = 1
const CHECK = 4
const HEAD = 1 + 32 + 32 + 32 + 16 + 8 + 1 + 1
const ADDRESS = 19
const none = new Uint8Array(0)

export interface Ticket {
  readonly gid: Uint8Array
  /** Ed25519 key and X25519 static of the device that invites. */
  readonly inviter: Uint8Array
  readonly inviterStatic: Uint8Array
  /** 16 bytes. */
  readonly secret: Uint8Array
  /** Milliseconds since 1970, by the inviter's clock. */
  readonly expiresMs: number
  readonly level: number
  readonly addresses: readonly Address[]
}

/** The text is no ticket that can be used. The message is for people, the reason for programs. */
export class TicketError extends Error {
  override name = 'TicketError'
  readonly reason: 'not-a-ticket' | 'newer' | 'cut-short' | 'mistyped'
  constructor(reason: TicketError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** Link-local addresses, which mean nothing to another device, are left out, and those beyond the eighth. */
export function encodeTicket(ticket: Ticket): string {
  const addresses = ticket.addresses.filter(portable).slice(0, MAX_TICKET_ADDRESSES)
  const writer = new Writer()
    .uint8(VERSION)
    .bytes(ticket.gid, 32)
    .bytes(ticket.inviter, 32)
    .bytes(ticket.inviterStatic, 32)
    .bytes(ticket.secret, 16)
    .uint64(ticket.expiresMs)
    .uint8(ticket.level)
    .uint8(addresses.length)
  for (const address of addresses) {
    const room = new Uint8Array(ADDRESS)
    writer.bytes(room.subarray(0, writeAddress(room, 0, address)))
  }
  const bytes = writer.take()
  return PREFIX + toBase32(writer.bytes(hash(bytes).subarray(0, CHECK)).take())
}

/** Throws TicketError. */
export function decodeTicket(text: string): Ticket {
  const line = text.replace(/\s/g, '').toLowerCase()
  if (!line.startsWith(PREFIX)) {
    if (/^coterie[0-9]+:/.test(line)) throw newer()
    throw new TicketError('not-a-ticket', `this is no ticket: a ticket begins with ${PREFIX}`)
  }
  const characters = line.slice(PREFIX.length)
  if (!/^[a-z2-7]*$/.test(characters)) throw mistyped()
  // Whole bytes of a text of any length, to tell one that is cut short from one that is mistyped.
  const bytes = fromBase32(characters) ?? fromBase32(`${characters.slice(0, -1)}a`) ?? none
  if (characters.length >= 2 && firstByte(characters) > VERSION) throw newer()
  const end = endOf(bytes)
  if (end === undefined || bytes.length < end + CHECK) throw cutShort()
  const ticket = fromBase32(characters) === undefined ? undefined : read(bytes, end)
  if (ticket === undefined) throw mistyped()
  return ticket
}

function read(bytes: Uint8Array, end: number): Ticket | undefined {
  if (bytes.length !== end + CHECK) return undefined
  if (!equal(hash(bytes.subarray(0, end)).subarray(0, CHECK), bytes.subarray(end))) return undefined
  const reader = new Reader(bytes)
  if (reader.uint8() !== VERSION) return undefined
  const gid = reader.bytes(32)
  const inviter = reader.bytes(32)
  const inviterStatic = reader.bytes(32)
  const secret = reader.bytes(16)
  const expiresMs = reader.uint64()
  const level = reader.uint8()
  const count = reader.uint8()
  const addresses: Address[] = []
  for (let at = HEAD; addresses.length < count; ) {
    const next = readAddress(bytes, at)
    if (next === undefined) return undefined
    addresses.push(next.address)
    at = next.end
  }
  if (Number.isNaN(expiresMs) || count > MAX_TICKET_ADDRESSES || level < 1 || level > 11) return undefined
  return { gid, inviter, inviterStatic, secret, expiresMs, level, addresses }
}

/** Where the check begins, by the lengths the ticket tells of itself; undefined when it ends before that. */
function endOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEAD) return undefined
  let at = HEAD
  for (let n = bytes[HEAD - 1]!; n > 0; n--) {
    const family = bytes[at]
    if (family === undefined) return undefined
    at += family === 4 ? 7 : ADDRESS
  }
  return at
}

/** Of the first two characters of base32. */
function firstByte(characters: string): number {
  return fromBase32(`${characters.slice(0, 2)}aaaaaa`.slice(0, 8))?.[0] ?? 0
}

const newer = () =>
  new TicketError('newer', 'this ticket was made by a newer coterie; upgrade the one on this device')
const cutShort = () =>
  new TicketError('cut-short', 'the ticket is cut short: its end is missing; copy the whole line')
const mistyped = () =>
  new TicketError(
    'mistyped',
    'the ticket is mistyped: its checksum is wrong; copy it again, or make a new one'
  )
