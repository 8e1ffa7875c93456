/** Where a peer may be: every address we were told, by whom, how it went, and in which order to try them. */
import type { Address } from '../wire/address.ts'
import { addressClass, formatAddress, parseAddress, sameHost, sameSubnet } from '../wire/address.ts'
import { compare, gradeOf, type OwnAddress } from './paths.ts'

/** Best first: what the user wrote, what was heard a moment ago, what worked once, what others say; a guess last. */
const SOURCES = ['static', 'announcement', 'known', 'gossip', 'inbound', 'overlay'] as const
export type Source = (typeof SOURCES)[number]

/** Addresses kept of each source. The user's own are not bounded by us. */
const LIMITS: Record<Source, number> = {
  static: Infinity,
  announcement: 8,
  known: 8,
  gossip: 16,
  inbound: 4,
  overlay: 8
}

/** A guess is tried no more often. */
const GUESS_AGAIN = 600_000

/** Who is there and may be spoken to answers sooner. */
const SILENT = 1_000

/** An address that works is kept again no more often. */
const KEEP_INTERVAL = 3_600_000

export interface Candidate {
  /** Canonical. */
  readonly text: string
  readonly address: Address
  /** When each source last named it. */
  readonly sources: Map<Source, number>
  workedAt: number
  /** Attempts that failed since it last worked. */
  failures: number
  /** When the last attempt began. */
  triedAt: number
  /** What came of the last one that is over, a word, and when: connected, or why not; '' when there was none. */
  result: string
  endedAt: number
  /** When the first probe was sent that nothing came of yet; before `probedAt` when there is none. */
  askedAt: number
  /** When an answer or a fault of the last probe came, and which: answered, or why not. */
  probedAt: number
  probeResult: string
  /** Of the last handshake or probe, microseconds; 0: none came through. */
  roundTripUSec: number
  /** When it was last given out to be kept over a restart. */
  keptAt: number
}

/** Some device is there, as an overlay network says, and nobody says that it is this one. */
export const isGuess = ({ sources, workedAt }: Candidate): boolean =>
  workedAt === -Infinity && [...sources.keys()].every(source => source === 'overlay')

/** Not a guess that was tried a while ago. */
export const isTimely = (now: number, candidate: Candidate): boolean =>
  !isGuess(candidate) || now - candidate.triedAt >= GUESS_AGAIN

export class Candidates {
  readonly #all = new Map<string, Candidate>()

  get size(): number {
    return this.#all.size
  }

  get(text: string): Candidate | undefined {
    return this.#all.get(text)
  }

  /** Adds or refreshes one. `none`: that is no address. */
  offer(now: number, text: string, source: Source): 'new' | 'known' | 'none' {
    const address = parseAddress(text)
    if (address === undefined) return 'none'
    const canonical = formatAddress(address)
    const found = this.#all.get(canonical)
    if (found !== undefined) {
      found.sources.set(source, now)
      return 'known'
    }
    this.#all.set(canonical, {
      text: canonical,
      address,
      sources: new Map([[source, now]]),
      workedAt: -Infinity,
      failures: 0,
      triedAt: -Infinity,
      result: '',
      endedAt: -Infinity,
      askedAt: -Infinity,
      probedAt: -Infinity,
      probeResult: '',
      roundTripUSec: 0,
      keptAt: -Infinity
    })
    this.#bound(source)
    return 'new'
  }

  /** What a source says now, in canonical texts, is all that it says. True when that brought an address never heard before. */
  replace(now: number, texts: readonly string[], source: Source): boolean {
    const before = [...this.#all.values()].filter(candidate => candidate.sources.has(source))
    let fresh = false
    for (const text of texts) if (this.offer(now, text, source) === 'new') fresh = true
    for (const candidate of before) if (!texts.includes(candidate.text)) this.#withdraw(candidate, source)
    return fresh
  }

  /** An attempt begins. */
  tried(now: number, text: string): void {
    const candidate = this.#all.get(text)
    if (candidate !== undefined) candidate.triedAt = now
  }

  /** It came to nothing; a word says why. */
  failed(now: number, text: string, result: string): void {
    const candidate = this.#all.get(text)
    if (candidate === undefined) return
    candidate.failures++
    candidate.result = result
    candidate.endedAt = now
  }

  /** It is not wanted any more. When nothing came of it for SILENT, that says something; else the one before does. */
  cancelled(now: number, text: string): void {
    const candidate = this.#all.get(text)
    if (candidate === undefined) return
    if (now - candidate.triedAt >= SILENT) {
      candidate.result = 'timeout'
      candidate.endedAt = now
    } else if (candidate.result === '') candidate.result = 'cancelled'
  }

  /** A session was made there. True when that should be kept: it is new, or was kept long ago. */
  worked(now: number, text: string, roundTripUSec = 0): boolean {
    this.offer(now, text, 'known')
    const candidate = this.#all.get(text)
    if (candidate === undefined) return false
    candidate.workedAt = now
    candidate.failures = 0
    candidate.result = 'connected'
    candidate.endedAt = now
    if (roundTripUSec > 0) candidate.roundTripUSec = roundTripUSec
    if (now - candidate.keptAt < KEEP_INTERVAL) return false
    candidate.keptAt = now
    return true
  }

  /** A probe was sent there. */
  asked(now: number, text: string): void {
    const candidate = this.#all.get(text)
    if (candidate !== undefined && candidate.askedAt <= candidate.probedAt) candidate.askedAt = now
  }

  /** A probe to it was answered, or could not be sent, or was refused. */
  probed(now: number, text: string, result: string, roundTripUSec = 0): void {
    const candidate = this.#all.get(text)
    if (candidate === undefined) return
    candidate.probedAt = now
    candidate.probeResult = result
    if (roundTripUSec > 0) candidate.roundTripUSec = roundTripUSec
  }

  /** The address to show for a session: one that came in is from a port nobody listens on. */
  dialable(session: { address: string; outgoing: boolean }): string {
    if (session.outgoing) return session.address
    const remote = parseAddress(session.address)
    if (remote === undefined) return session.address
    for (const candidate of this.#all.values()) {
      if (sameHost(candidate.address, remote)) return candidate.text
    }
    return session.address
  }

  /** Those that something other than gossip or a session from there has named. */
  named(): Candidate[] {
    return [...this.#all.values()].filter(({ sources }) =>
      (['static', 'known', 'announcement'] as const).some(source => sources.has(source))
    )
  }

  /** All of them but our own addresses, best first, families alternating (RFC 8305, 4). */
  ranked(own: readonly OwnAddress[]): Candidate[] {
    const ours = (candidate: Candidate): boolean =>
      own.some(address => address.port === candidate.address.port && sameHost(address, candidate.address))
    const scored = [...this.#all.values()]
      .filter(candidate => !ours(candidate))
      .map(candidate => ({ candidate, score: score(candidate, own) }))
      .sort((a, b) => compare(a.score, b.score) || (a.candidate.text < b.candidate.text ? -1 : 1))
      .map(({ candidate }) => candidate)
    return alternate(scored)
  }

  #withdraw(candidate: Candidate, source: Source): void {
    candidate.sources.delete(source)
    if (candidate.sources.size === 0) this.#all.delete(candidate.text)
  }

  #bound(source: Source): void {
    const named = [...this.#all.values()].filter(candidate => candidate.sources.has(source))
    if (named.length <= LIMITS[source]) return
    const oldest = named.reduce((a, b) => (b.sources.get(source)! < a.sources.get(source)! ? b : a))
    this.#withdraw(oldest, source)
  }
}

/**
 * Lower is better, from the left: does it not fail every time, by which of our links, did it work last, is it on a link
 * we are on, is it near, who says so.
 */
function score(candidate: Candidate, own: readonly OwnAddress[]): number[] {
  const [metered, kind] = gradeOf(candidate.address, own)
  const near = own.some(address => sameSubnet(address, candidate.address))
  const distance = { 'link-local': 0, private: 1, global: 2, loopback: 3 }[addressClass(candidate.address)]
  const source = SOURCES.findIndex(name => candidate.sources.has(name))
  const failures = isGuess(candidate) ? 4 : Math.min(candidate.failures, 3)
  return [failures, metered, kind, -candidate.workedAt, near ? 0 : 1, distance, source]
}

/** Keeps the order within each family and the best one first. */
function alternate(sorted: readonly Candidate[]): Candidate[] {
  const first = sorted[0]
  if (first === undefined) return []
  const same = sorted.filter(({ address }) => address.family === first.address.family)
  const other = sorted.filter(({ address }) => address.family !== first.address.family)
  const result: Candidate[] = []
  for (let i = 0; i < Math.max(same.length, other.length); i++) {
    if (same[i] !== undefined) result.push(same[i]!)
    if (other[i] !== undefined) result.push(other[i]!)
  }
  return result
}
