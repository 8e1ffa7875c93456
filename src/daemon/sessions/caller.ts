/** The calling side of handshakes: on a link that was dialled, to a member, with a ticket, or with a code. */
import {
  createInitiation,
  createTicketInitiation,
  type InitiationOptions,
  type SessionKeys,
  SUITES,
  staticProof,
  ticketPsk,
  VERSION
} from '../../crypto/handshake.ts'
import { type PeerId, peerId } from '../../crypto/identity.ts'
import { x25519 } from '../../crypto/provider.ts'
import type { Link } from '../../net/link.ts'
import { Kind } from '../../wire/frame.ts'
import { type Exchanged, exchange } from './exchange.ts'
import type { HandshakeCircle, JoinAnswer, JoinKeys, JoinTicket, StaticKey } from './handshake-circle.ts'
import { Session, type SessionOptions } from './session.ts'

/** What handshakes need of the daemon. */
export interface HandshakeSurroundings {
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  /** Returns what cancels. */
  readonly after: (ms: number, act: () => void) => () => void
  /** Plans the end of this tick, if not as sessions do by themselves. */
  readonly schedule: ((act: () => void) => void) | undefined
}

export interface Callee {
  readonly id: PeerId
  readonly staticKey: Uint8Array
}

const versions = { least: VERSION, greatest: VERSION }
const none = new Uint8Array(0)

/** Rejects Error whose message is the reason, a word. */
export async function callMember(
  link: Link,
  circle: Pick<HandshakeCircle, 'gid' | 'staticTowards' | 'bootId' | 'logHead' | 'introduction'>,
  peer: Callee,
  around: HandshakeSurroundings
): Promise<Session> {
  const { bootId, logHead } = circle
  const operations = circle.introduction(peer.id)
  const options = initiation(around, circle.gid, circle.staticTowards(peer.id), peer.staticKey)
  const message = createInitiation(options, { versions, bootId, logHead, features: 0, operations })
  return opened(link, peer.id, await exchange(link, message, around.now, around.after), around)
}

/** The session is there when the answer is ok. Rejects as callMember. */
export async function callWithTicket(
  link: Link,
  ticket: JoinTicket,
  keys: JoinKeys,
  around: HandshakeSurroundings
): Promise<{ answer: JoinAnswer; session: Session | undefined }> {
  const { publicKey } = keys.identity
  const message = createTicketInitiation(
    initiation(around, ticket.gid, keys.static, ticket.staticKey),
    ticketPsk(ticket.secret),
    {
      versions,
      bootId: keys.bootId,
      features: 0,
      key: publicKey,
      signature: keys.identity.sign(staticProof(ticket.gid, publicKey, keys.static.publicKey, 0)),
      suites: SUITES,
      name: keys.name
    }
  )
  const exchanged = await exchange(link, message, around.now, around.after)
  const { result } = exchanged.answer
  if (result === 'ok')
    return { answer: { result }, session: opened(link, peerId(ticket.key), exchanged, around) }
  link.onData = link.onClose = () => {}
  link.close()
  return { answer: { result }, session: undefined }
}

/** A session over a link whose handshake is through. */
export function sessionOn(
  link: Link,
  keys: SessionKeys,
  peer: PeerId,
  { now, schedule }: HandshakeSurroundings,
  rest: Pick<SessionOptions, 'bootId' | 'logHead' | 'handshakeUSec' | 'onConfirmed'>
): Session {
  return new Session({ link, keys, peer, now, ...(schedule && { schedule }), ...rest })
}

function initiation(
  { random }: HandshakeSurroundings,
  gid: Uint8Array,
  key: StaticKey,
  peerKey: Uint8Array
): InitiationOptions {
  return { gid, key, peerKey, ephemeral: x25519(random(32)) }
}

function opened(
  link: Link,
  peer: PeerId,
  { answer, keys, roundTripUSec }: Exchanged,
  around: HandshakeSurroundings
): Session {
  const { bootId, logHead } = answer
  const session = sessionOn(link, keys, peer, around, { bootId, logHead, handshakeUSec: roundTripUSec })
  // The first record confirms the keys to the other side; it says nothing else.
  session.send(Kind.Padding, none)
  return session
}
