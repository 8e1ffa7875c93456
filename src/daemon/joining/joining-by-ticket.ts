/**
 * Joining by ticket, from the side of the device that joins: it dials the addresses of the ticket until the
 * inviter answers, and takes the circle in.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError } from '../../api/api.ts'
import { decodeTicket, type Ticket, TicketError } from '../../crypto/ticket.ts'
import { formatAddress } from '../../wire/address.ts'
import { CloseReason } from '../../wire/frame.ts'
import type { JoinKeys } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import { firstAnswer } from './first-answer.ts'
import { checkName } from './founding.ts'
import { type Joined, type Joining, keysOf, receive } from './joining.ts'

/** Between two rounds over all addresses. */
const PAUSE_MS = 1_000
/** Rejects ApiError; nothing of the circle has been stored then. */
export async function joinByTicket(text: string, device: string, joining: Joining): Promise<Joined> {
  const ticket = readTicket(text)
  joining.check(ticket.gid)
  checkName('Device', device)
  const secrets = await joining.secrets(ticket.secret)
  const keys = keysOf(secrets, ticket.gid, device, joining.around)
  const limit = AbortSignal.timeout(joining.timeoutMs)
  for (;;) {
    const { session, address } = await reach(ticket, keys, joining, limit)
    joining.call.progress('the inviting device answered; receiving the circle')
    try {
      return await receive({ gid: ticket.gid, of: ticket.secret, secrets, keys, address }, session, joining)
    } catch (error) {
      session.close(CloseReason.Done)
      // the ticket is these keys' now: with no others can it be tried again
      if (limit.aborted || !(error instanceof ApiError) || error.code !== 'Unreachable') throw error
    }
  }
}

function readTicket(text: string): Ticket {
  try {
    return decodeTicket(text)
  } catch (error) {
    if (error instanceof TicketError) throw new ApiError('InvalidTicket', error.message)
    throw error
  }
}

/** Dials all addresses at once, again and again. */
async function reach(
  ticket: Ticket,
  keys: JoinKeys,
  { around, call }: Joining,
  limit: AbortSignal
): Promise<{ session: Session; address: string }> {
  const addresses = ticket.addresses.map(formatAddress)
  if (addresses.length === 0)
    throw new ApiError(
      'InvalidTicket',
      'the inviting device had no network when it made this ticket; make another'
    )
  const signal = AbortSignal.any([call.signal, limit])
  const invitation = {
    gid: ticket.gid,
    key: ticket.inviter,
    staticKey: ticket.inviterStatic,
    secret: ticket.secret
  }
  for (let round = 1; ; round++) {
    call.progress(
      round === 1
        ? 'looking for the inviting device'
        : 'waiting for the inviting device: it must be running and reachable'
    )
    const first = await firstAnswer(addresses, around, signal, link =>
      around.gate.join(link, invitation, keys)
    )
    if (first?.session !== undefined) return { session: first.session, address: first.address }
    if (first !== undefined) throw refusal(first.answer.result)
    call.signal.throwIfAborted()
    if (limit.aborted)
      throw new ApiError(
        'Timeout',
        `nobody answered to this ticket at ${addresses.join(', ')}: the device that made it must be running, reachable, and still in that circle`
      )
    await delay(PAUSE_MS, undefined, { signal }).catch(() => {})
  }
}

function refusal(result: string): ApiError {
  switch (result) {
    case 'expired':
      return new ApiError(
        'TicketExpired',
        'this ticket has expired; make a new one with `coterie invite --ticket`'
      )
    case 'used':
      return new ApiError(
        'TicketUsed',
        'another device has joined with this ticket; each is good for one device'
      )
    default:
      return new ApiError('NotAllowed', 'the inviting device refused; its log says why')
  }
}
