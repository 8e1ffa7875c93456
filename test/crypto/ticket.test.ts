import t from 'tap'
import { ticketPsk } from '../../src/crypto/handshake.ts'
import { decodeTicket, encodeTicket, type Ticket, TicketError } from '../../src/crypto/ticket.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { hex } from '../../src/wire/bytes.ts'
import { fc } from '../draws.ts'

const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill)
const ticket: Ticket = {
  gid: bytes(1),
  inviter: bytes(2),
  inviterStatic: bytes(3),
  secret: bytes(4, 16),
  expiresMs: 1_800_000_000_000,
  level: 10,
  addresses: ['tcp://192.168.1.5:24747', 'tcp://[2001:db8::1]:24747'].map(text => parseAddress(text)!)
}
const text = encodeTicket(ticket)
const reason = (wrong: string): string => {
  try {
    decodeTicket(wrong)
    return 'none'
  } catch (error) {
    if (error instanceof TicketError) return error.reason
    throw error
  }
}

t.test('reads back what was written; white space and case do not matter; frozen', async t => {
  t.same(decodeTicket(text), ticket)
  t.same(decodeTicket(`  ${text.toUpperCase().slice(0, 90)}\n ${text.slice(90)}\r\n`), ticket)
  t.same(decodeTicket(encodeTicket({ ...ticket, addresses: [] })), { ...ticket, addresses: [] })
  t.equal(
    text,
    'coterie1:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcambqgaydambqgaydambqgaydambqgaydambqgaydambqgaydambqibaeaqcaibaeaqcaibaeaqcaiaaaagrrqxcqaafaebgavaaqkyflayqacdnyaaaaaaaaaaaaaaaaaaawbkyoiqog4'
  )
  t.equal(hex(ticketPsk(ticket.secret)), 'b57b2ddf05fbc5862da0992fd793deb4871c7731b087ce83b44d2a0bdf34f3cc')
  const many = { ...ticket, addresses: Array.from({ length: 20 }, () => ticket.addresses[0]!) }
  t.equal(decodeTicket(encodeTicket(many)).addresses.length, 8)
  const scoped = parseAddress('tcp://[fe80::1%25eth0]:24747')!
  t.same(decodeTicket(encodeTicket({ ...ticket, addresses: [scoped, ...ticket.addresses] })), ticket)
})

t.test('says what is wrong', async t => {
  for (const none of ['', 'hello', 'K7QF-2M9X', 'coterie:abc', text.slice(1)])
    t.equal(reason(none), 'not-a-ticket')
  t.equal(reason(text.replace('coterie1:', 'coterie2:')), 'newer')
  t.equal(reason(`coterie1:ai${text.slice(11)}`), 'newer')
  for (let length = 9; length < text.length; length++)
    t.equal(reason(text.slice(0, length)), 'cut-short', `${length} characters`)
  t.equal(reason(`${text}aa`), 'mistyped')
  t.equal(reason(text.replace(/.$/, '1')), 'mistyped')
  t.throws(() => decodeTicket(text.slice(0, 50)), /cut short: its end is missing; copy the whole line/)
})

t.test('no single mistyped character passes', async t => {
  for (let i = 9; i < text.length; i++)
    for (const other of 'a7m')
      if (text[i] !== other) {
        const why = reason(text.slice(0, i) + other + text.slice(i + 1))
        if (why === 'none') t.fail(`character ${i} as ${other}`)
      }
  t.pass()
})

t.test('anything else is refused without harm', async () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), rest => {
      const why = reason(`coterie1:${rest}`)
      if (why === 'none') throw new Error('accepted')
    }),
    { numRuns: 500 }
  )
})
