/**
 * The probe keys of one circle: those of the sessions with each peer, and of the last that ended. Sealed with the
 * keys of the session in use, else with the latest that the peer has shown to hold: the one that dials has keys
 * before the other end knows of them. Pure.
 */
import type { PeerId } from '../../crypto/identity.ts'
import type { NotOpened, ProbeCipher } from '../../crypto/probe.ts'
import type { ProbeHeader, ProbeText } from '../../wire/probe.ts'
import type { Session } from './session.ts'

/** Keys outlive the last session of a peer by this. */
const OUTLIVE_MS = 600_000
const LOOK_MS = 1_000
/**
 * Of one peer: the session in use, the one before it, and two that a race of dials may leave beside them. The two
 * ends may see those in another order, so that with two alone they could hold none in common.
 */
const AT_MOST = 4

/** Who is at the other end, and its keys. */
export type ProbeSession = Pick<Session, 'peer' | 'bootId' | 'outgoing' | 'probes'>

export interface ProbeKey {
  readonly peer: PeerId
  readonly cipher: ProbeCipher
}

interface Held extends ProbeKey {
  readonly session: number
  readonly bootId: string
  /** The peer has sealed something with the keys of this session. */
  shown: boolean
  open: boolean
}

interface Of {
  /** Newest first. */
  held: Held[]
  /** When its last session ended; Infinity while there is one. */
  endedAt: number
}

export class ProbeKeyring {
  readonly #peers = new Map<PeerId, Of>()
  readonly #byIndex = new Map<number, Held[]>()
  #looked = 0

  /** A session of a member was confirmed. The keys of another boot of it are forgotten. */
  opened(session: number, { peer, bootId, outgoing, probes: cipher }: ProbeSession): void {
    const of = this.#peers.get(peer) ?? { held: [], endedAt: Infinity }
    const held: Held = { peer, cipher, session, bootId, shown: !outgoing, open: true }
    of.endedAt = Infinity
    this.#peers.set(peer, of)
    const sameBoot = of.held.filter(other => other.bootId === bootId)
    this.#replace(of, [held, ...sameBoot].slice(0, AT_MOST))
  }

  /** A frame came on it. */
  heard(peer: PeerId, session: number): void {
    const held = this.#peers.get(peer)?.held.find(each => each.session === session)
    if (held !== undefined) held.shown = true
  }

  closed(now: number, peer: PeerId, session: number): void {
    const of = this.#peers.get(peer)
    const held = of?.held.find(each => each.session === session)
    if (of === undefined || held === undefined) return
    held.open = false
    if (of.held.every(({ open }) => !open)) of.endedAt = now
  }

  /** Forgets all others at once. */
  keep(members: ReadonlySet<PeerId>): void {
    for (const peer of this.#peers.keys()) if (!members.has(peer)) this.#forget(peer)
  }

  /** Forgets those whose last session ended long ago. Anybody's datagram comes here, so it looks now and then only. */
  #expire(now: number): void {
    if (now < this.#looked + LOOK_MS) return
    this.#looked = now
    for (const [peer, { endedAt }] of this.#peers) if (endedAt + OUTLIVE_MS <= now) this.#forget(peer)
  }

  /** What to seal with for a peer; `inUse` is the session that is written to. */
  of(now: number, peer: PeerId, inUse: number | undefined): ProbeKey | undefined {
    this.#expire(now)
    const held = this.#peers.get(peer)?.held ?? []
    return held.find(each => each.shown && each.session === inUse) ?? held.find(each => each.shown) ?? held[0]
  }

  /** Undefined: no keys have that index. */
  open(
    now: number,
    header: ProbeHeader,
    datagram: Uint8Array
  ): (ProbeKey & { readonly text: ProbeText }) | NotOpened | undefined {
    this.#expire(now)
    let why: NotOpened | undefined
    for (const held of this.#byIndex.get(header.index) ?? []) {
      const text = held.cipher.open(header, datagram)
      if (typeof text === 'string') {
        why = text
        continue
      }
      held.shown = true
      return { peer: held.peer, cipher: held.cipher, text }
    }
    return why
  }

  get size(): number {
    let size = 0
    for (const { held } of this.#peers.values()) size += held.length
    return size
  }

  #forget(peer: PeerId): void {
    const of = this.#peers.get(peer)
    if (of !== undefined) this.#replace(of, [])
    this.#peers.delete(peer)
  }

  #replace(of: Of, next: Held[]): void {
    for (const held of of.held) {
      const { index } = held.cipher
      const others = this.#byIndex.get(index)?.filter(other => other !== held) ?? []
      if (others.length === 0) this.#byIndex.delete(index)
      else this.#byIndex.set(index, others)
    }
    of.held = next
    for (const held of next) {
      const { index } = held.cipher
      this.#byIndex.set(index, [...(this.#byIndex.get(index) ?? []), held])
    }
  }
}
