/**
 * Joining by ticket, from the side of the device that joins: it dials the addresses of the ticket until the
 * inviter answers, takes in the whole log and the discovery key, and hands the rows over to be stored. Until
 * then it is nobody; after that the session goes on as an ordinary one.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Call } from '../api/api.ts'
import { DiscoveryKeys } from '../circle/discovery-keys.ts'
import { MembershipLog } from '../circle/log.ts'
import { peerId } from '../crypto/identity.ts'
import { ed25519, verifyBatch, x25519 } from '../crypto/provider.ts'
import { decodeTicket, type Ticket, TicketError } from '../crypto/ticket.ts'
import type { Row, Write } from '../host/database.ts'
import type { Link } from '../net/link.ts'
import { formatAddress } from '../wire/address.ts'
import { CloseReason, Kind } from '../wire/frame.ts'
import { decodeOperation } from '../wire/operation.ts'
import { checkName } from './founding.ts'
import type { JoinKeys } from './gate.ts'
import type { Cores } from './membership.ts'
import type { OwnSecrets } from './pending-join.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** Between two rounds over all addresses. */
const PAUSE_MS = 1_000
/** For the log and the keys, once the inviter has answered. */
const TRANSFER_MS = 20_000

export interface Joined {
  readonly gid: Uint8Array
  readonly writes: readonly Write[]
  readonly cores: Cores
  readonly session: Session
  /** What came while the rows were being stored. */
  readonly early: readonly { kind: number; body: Uint8Array }[]
  /** Why the session ended meanwhile, if it did. */
  readonly ended: () => string | undefined
}

interface Joining {
  readonly around: Surroundings
  /** Throws ApiError when this device may not join that circle. */
  readonly check: (gid: Uint8Array) => void
  /** Own keys for the ticket with this secret. */
  readonly secrets: (ticketSecret: Uint8Array) => Promise<OwnSecrets>
  readonly timeoutMs: number
  readonly call: Call
}

/** Rejects ApiError; nothing of the circle has been stored then. */
export async function joinByTicket(text: string, device: string, joining: Joining): Promise<Joined> {
  const ticket = readTicket(text)
  joining.check(ticket.gid)
  checkName('Device', device)
  const { seed, secret } = await joining.secrets(ticket.secret)
  const keys: JoinKeys = {
    identity: ed25519(seed),
    static: x25519(secret),
    bootId: joining.around.bootId(ticket.gid),
    name: device
  }
  const limit = AbortSignal.timeout(joining.timeoutMs)
  for (;;) {
    const { session, address } = await reach(ticket, keys, joining, limit)
    joining.call.progress('the inviting device answered; receiving the circle')
    try {
      return await receive(ticket, { seed, secret, device, keys, address }, session, joining)
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

/**
 * Connects to all addresses at once and asks the first that is there; when it does not answer, the next. One at
 * a time: the inviter should see one handshake.
 */
async function firstAnswer<T extends object>(
  addresses: readonly string[],
  around: Surroundings,
  signal: AbortSignal,
  ask: (link: Link) => Promise<T>
): Promise<(T & { address: string }) | undefined> {
  const left = new Set(addresses)
  while (left.size > 0 && !signal.aborted) {
    const race = new AbortController()
    const either = AbortSignal.any([signal, race.signal])
    const connected = [...left].map(async address => ({
      address,
      link: await around.connect(address, either)
    }))
    const first = await Promise.any(connected).catch(() => undefined)
    for (const other of connected)
      other.then(({ link }) => link !== first?.link && link.destroy()).catch(() => {})
    race.abort()
    if (first === undefined) return undefined
    const cancel = () => first.link.destroy()
    signal.addEventListener('abort', cancel)
    try {
      return { address: first.address, ...(await ask(first.link)) }
    } catch {
      left.delete(first.address)
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
  return undefined
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

/** As its genesis says. */
function circleName(log: MembershipLog): string {
  const body = decodeOperation(log.operations[0]!)?.body
  return body?.kind === 'genesis' ? body.circle : ''
}

/** Runs the two cores over the session until this device is a member and holds the discovery key. */
function receive(
  ticket: Ticket,
  own: { seed: Uint8Array; secret: Uint8Array; device: string; keys: JoinKeys; address: string },
  session: Session,
  { around, call }: Joining
): Promise<Joined> {
  const { gid } = ticket
  const self = peerId(own.keys.identity.publicKey)
  const log = new MembershipLog({ gid })
  const keys = new DiscoveryKeys({ gid, self, statics: [own.keys.static] })
  const rows: Row[] = []
  const early: { kind: number; body: Uint8Array }[] = []
  let done = false
  let verifying = 0
  let ended: string | undefined

  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      done = true
      clearTimeout(timer)
      call.signal.removeEventListener('abort', aborted)
      act()
    }
    const timer = setTimeout(
      () =>
        end(() =>
          reject(new ApiError('Timeout', 'the inviting device did not send the circle in time; try again'))
        ),
      TRANSFER_MS
    )
    const aborted = () => end(() => reject(call.signal.reason as Error))
    call.signal.addEventListener('abort', aborted)

    const pump = (): void => {
      const { records, outputs } = log.take()
      rows.push(...records)
      for (const output of outputs) {
        if (output.type === 'send') session.send(Kind.Log, output.body)
        if (output.type === 'changed') keys.setMembers(output.members)
        if (output.type === 'wrap') {
          const kept = keys.receive(output.wrap)
          if (kept !== undefined) rows.push(kept.put)
        }
        if (output.type === 'verify') {
          verifying++
          verifyBatch(output.items).then(ok => {
            verifying--
            if (done) return
            log.verified(around.now(), output.batch, ok)
            pump()
          })
        }
      }
      if (outputs.length > 0) {
        pump()
        return
      }
      // the log lives on: a frame of which the signatures are still out would hold up all that follow
      if (done || verifying > 0) return
      if (log.members.has(self) && log.synced(session.peer) && keys.current !== undefined)
        end(() =>
          resolve({
            gid,
            writes: [...circleRows(), ...rows].map(put => ({ put })),
            cores: { log, keys },
            session,
            early,
            ended: () => ended
          })
        )
    }
    const circleRows = (): Row[] => [
      {
        table: 'circle',
        gid,
        name: circleName(log),
        device: own.device,
        position: 0,
        seed: own.seed,
        secret: own.secret,
        serial: 0,
        joinedMs: around.wall()
      },
      { table: 'address', gid, peer: session.peer, address: own.address, lastMs: around.wall() }
    ]
    session.onFrame = (kind, body) => {
      if (kind === Kind.Ping) session.send(Kind.Pong, body)
      else if (done || kind !== Kind.Log) early.push({ kind, body })
      else {
        log.receive(around.now(), session.peer, body)
        pump()
      }
    }
    session.onClose = reason => {
      ended = reason
      if (done) return
      end(() => reject(new ApiError('Unreachable', `the inviting device went away (${reason}); try again`)))
    }
    log.greet(around.now(), session.peer)
    pump()
  })
}
