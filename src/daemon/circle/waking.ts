/**
 * Waking a member that sleeps: sends the packet on every network of ours where it was seen, else asks others, those
 * first that seem to be on such a network; then waits a moment whether it comes.
 *
 * Asked by another member, it sends the packet itself or says that it cannot; it passes nothing on. How the target
 * is woken everybody knows from its own signed record: who asks says only whom.
 */
import { ApiError, type Call } from '../../api/api.ts'
import { type PeerId, peerKey } from '../../crypto/identity.ts'
import type { PeerView } from '../../mesh/mesh.ts'
import { parseAddress, sameSubnet } from '../../wire/address.ts'
import type { Card } from '../../wire/extra.ts'
import { Kind } from '../../wire/frame.ts'
import { decodeWake, encodeWake, type WakeResult } from '../../wire/wake.ts'
import type { Surroundings } from '../surroundings.ts'
import { Cards } from './cards.ts'
import type { Membership } from './membership.ts'
import type { StoredCircle } from './stored.ts'
import type { Traffic } from './traffic.ts'

/** How long one that was asked may take. */
const ANSWER_MS = 1_000
/** Members asked, one after the other. */
const ASKED_AT_MOST = 8
/** A packet for the same member is not sent again sooner on behalf of others. */
const AGAIN_MS = 5_000
/** What one member may ask at once, and then one in so many milliseconds. */
const ASKS = 5
const ASK_MS = 10_000

export interface Woken {
  /** Who sent the packet, this device included; nobody when it was awake. */
  readonly by: readonly PeerId[]
  /** It is reachable now. */
  readonly came: boolean
}

export class Waking {
  readonly #around: Pick<Surroundings, 'now' | 'after' | 'wakeCard' | 'log'>
  readonly #cards: Cards
  readonly #membership: Pick<Membership, 'self' | 'members'>
  readonly #traffic: Pick<Traffic, 'peers' | 'send' | 'seek'>
  readonly #waiting = new Set<() => void>()
  readonly #asked = new Map<number, { peer: PeerId; done: (result: WakeResult | undefined) => void }>()
  readonly #sentAt = new Map<PeerId, number>()
  readonly #credits = new Map<PeerId, { left: number; at: number }>()
  #token = 0

  constructor(
    stored: StoredCircle,
    around: Pick<Surroundings, 'now' | 'after' | 'wakeCard' | 'log' | 'wall' | 'commit'>,
    membership: Pick<Membership, 'self' | 'members'>,
    traffic: Pick<Traffic, 'peers' | 'send' | 'seek'>
  ) {
    this.#around = around
    this.#cards = new Cards(stored, around)
    this.#membership = membership
    this.#traffic = traffic
  }

  /** Rejects ApiError when nobody could send the packet. */
  async wake(peer: PeerId, waitMs: number, call: Call): Promise<Woken> {
    const { self } = this.#membership
    const { signal } = call
    const name = this.#name(peer)
    if (this.#isHere(peer)) return { by: [], came: true }
    const by = (await this.#send(peer, false)) ? [self] : await this.#askOthers(peer, call)
    if (by.length === 0)
      throw new ApiError(
        'Unreachable',
        this.#cards.of(peer).length === 0
          ? `${name} never said how it can be woken, nor did anybody who was asked know it`
          : `nobody who is awake is on a network where ${name} was seen`
      )
    this.#traffic.seek(peer)
    call.progress(`the packet is sent; waiting for ${name}`)
    if (await this.#comes(peer, waitMs / 2, signal)) return { by, came: true }
    // this may be another network with the same numbers
    const others = by.includes(self) ? await this.#askOthers(peer, call) : []
    const came = await this.#comes(peer, waitMs / 2, signal)
    return { by: [...by, ...others], came }
  }

  /** A member signed that these are its cards. */
  told(peer: PeerId, cards: readonly Card[]): void {
    this.#cards.told(peer, cards)
  }
  /** What is known of others than these is forgotten. */
  keep(members: ReadonlyMap<PeerId, unknown>): void {
    this.#cards.keep(members)
  }

  /** A Wake frame came from a member. */
  receive(from: PeerId, body: Uint8Array): void {
    const frame = decodeWake(body)
    if (frame?.type === 'answer') {
      const asked = this.#asked.get(frame.token)
      if (asked?.peer === from) asked.done(frame.result)
    } else if (frame !== undefined) void this.#serve(from, frame.token, frame.target)
  }

  /** What is shown of a peer has changed. */
  changed(): void {
    for (const look of this.#waiting) look()
  }

  async #serve(from: PeerId, token: number, target: Uint8Array): Promise<void> {
    const peer = [...this.#traffic.peers.keys()].find(id =>
      peerKey(id)?.every((byte, i) => byte === target[i])
    )
    if (peer === undefined || !this.#allowed(from)) return
    const recently = this.#around.now() - (this.#sentAt.get(peer) ?? -Infinity) < AGAIN_MS
    const result = recently ? 'recently' : (await this.#send(peer, true)) ? 'sent' : 'elsewhere'
    const facts = { member: this.#name(peer), for: this.#name(from) }
    if (result === 'sent') this.#around.log('info', 'woke a member for another', facts)
    this.#traffic.send(from, Kind.Wake, encodeWake({ type: 'answer', token, result }))
  }

  /** Whether a packet left, on any of our networks. `forOthers`: on those only where we say that we are there. */
  async #send(peer: PeerId, forOthers: boolean): Promise<boolean> {
    const sent = await Promise.all(this.#cards.of(peer).map(card => this.#around.wakeCard(card, forOthers)))
    if (!sent.includes(true)) return false
    this.#sentAt.set(peer, this.#around.now())
    return true
  }

  /** One after the other, until one has sent it. */
  async #askOthers(peer: PeerId, call: Call): Promise<PeerId[]> {
    for (const other of this.#helpful(peer)) {
      if (call.signal.aborted || this.#isHere(peer)) break
      call.progress(`asking ${this.#name(other)} to wake ${this.#name(peer)}`)
      const result = await this.#ask(other, peer, call.signal)
      if (result === 'sent' || result === 'recently') return [other]
    }
    call.signal.throwIfAborted()
    return []
  }

  #ask(other: PeerId, peer: PeerId, signal: AbortSignal): Promise<WakeResult | undefined> {
    const token = (this.#token = (this.#token + 1) >>> 0)
    return new Promise(resolve => {
      const done = (result: WakeResult | undefined) => {
        this.#asked.delete(token)
        cancel()
        signal.removeEventListener('abort', aborted)
        resolve(result)
      }
      const aborted = () => done(undefined)
      const cancel = this.#around.after(ANSWER_MS, aborted)
      signal.addEventListener('abort', aborted, { once: true })
      this.#asked.set(token, { peer: other, done })
      if (!this.#traffic.send(other, Kind.Wake, encodeWake({ type: 'ask', token, target: peerKey(peer)! })))
        done(undefined)
    })
  }

  /** Those that may be on a network where it was seen first, the nearest of them first. */
  #helpful(peer: PeerId): PeerId[] {
    const known: readonly Card[] = this.#cards.of(peer)
    const near = ({ addresses }: PeerView) =>
      addresses.some(text => {
        const address = parseAddress(text)
        return address !== undefined && known.some(card => sameSubnet(card.address, address))
      })
    return [...this.#traffic.peers.values()]
      .filter(({ state }) => state === 'reachable')
      .map(view => ({ view, near: near(view) ? 0 : 1 }))
      .sort((a, b) => a.near - b.near || a.view.latencyUSec - b.view.latencyUSec)
      .map(({ view }) => view.id)
      .slice(0, ASKED_AT_MOST)
  }

  #name(peer: PeerId): string {
    return this.#membership.members.get(peer)?.name ?? peer
  }

  #isHere(peer: PeerId): boolean {
    return this.#traffic.peers.get(peer)?.state === 'reachable'
  }

  #comes(peer: PeerId, ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(look)
        cancel()
        signal.removeEventListener('abort', end)
        if (signal.aborted) reject(signal.reason)
        else resolve(this.#isHere(peer))
      }
      const look = () => {
        if (this.#isHere(peer)) end()
      }
      const cancel = this.#around.after(ms, end)
      signal.addEventListener('abort', end, { once: true })
      this.#waiting.add(look)
      look()
    })
  }

  #allowed(from: PeerId): boolean {
    const now = this.#around.now()
    const credit = this.#credits.get(from) ?? { left: ASKS, at: now }
    const left = Math.min(ASKS, credit.left + (now - credit.at) / ASK_MS)
    this.#credits.set(from, { left: left < 1 ? left : left - 1, at: now })
    return left >= 1
  }
}
