/** Which of a peer's addresses is in use, and why the others are not: for people who ask. */
import type { Address } from '../wire/address.ts'
import type { Candidate, Source } from './candidates.ts'
import type { Peer } from './peer.ts'

/**
 * in-use · trying: an attempt is under way · failed: the last one came to nothing · untried: not needed, or not
 * its turn yet · reserve: a session was made there before, and the one in use serves.
 */
export type Why = 'in-use' | 'trying' | 'failed' | 'untried' | 'reserve'

export interface CandidateView {
  /** Canonical. */
  readonly address: string
  /** Who named it, the latest first. None: a session came in from there, and nobody names it. */
  readonly sources: readonly { readonly source: Source; readonly agoMs: number }[]
  /** Of the last attempt; Infinity when there was none. */
  readonly lastTriedAgoMs: number
  /**
   * What came of the last one that is over: '' (there was none), connected, cancelled (not needed any more), handshake
   * (somebody takes the connection and does not answer as this peer), or why there was no connection.
   */
  readonly result: string
  /** Since then; Infinity when there was none. */
  readonly lastResultAgoMs: number
  /** Of the last answer to a probe, or fault, or since no answer comes; Infinity when there was none. */
  readonly lastProbedAgoMs: number
  /** answered, timeout, or what hindered it; '' when there was none. */
  readonly probeResult: string
  /** 0 when unknown. */
  readonly roundTripUSec: number
  readonly chosen: boolean
  readonly why: Why
}

/** What is not answered by then was not answered. */
const PATIENCE = 1_500

/** What is in use first, then as they are tried. `own`: addresses of this device. */
export function candidatesOf(now: number, peer: Peer, own: readonly Address[]): CandidateView[] {
  const session = peer.nominated
  const used = session && peer.candidates.dialable(session)
  const views = peer.candidates.ranked(own).map(candidate => viewOf(now, peer, candidate, used))
  if (session === undefined || used === undefined) return views
  const measured = Math.round(session.roundTrip)
  const chosen = views.find(({ chosen }) => chosen) ?? { ...UNNAMED, address: used }
  return [
    { ...chosen, roundTripUSec: measured || chosen.roundTripUSec },
    ...views.filter(({ chosen }) => !chosen)
  ]
}

/** In use, and nobody names it. */
const UNNAMED: Omit<CandidateView, 'address'> = {
  sources: [],
  lastTriedAgoMs: Infinity,
  result: '',
  lastResultAgoMs: Infinity,
  lastProbedAgoMs: Infinity,
  probeResult: '',
  roundTripUSec: 0,
  chosen: true,
  why: 'in-use'
}

function viewOf(now: number, peer: Peer, candidate: Candidate, used: string | undefined): CandidateView {
  const { text, result, probeResult, roundTripUSec, askedAt } = candidate
  const silent = askedAt > candidate.probedAt && now - askedAt >= PATIENCE
  const sources = [...candidate.sources]
    .sort(([, a], [, b]) => b - a)
    .map(([source, at]) => ({ source, agoMs: now - at }))
  return {
    address: text,
    sources,
    lastTriedAgoMs: now - candidate.triedAt,
    result,
    lastResultAgoMs: now - candidate.endedAt,
    lastProbedAgoMs: now - (silent ? askedAt : candidate.probedAt),
    probeResult: silent ? 'timeout' : probeResult,
    roundTripUSec,
    chosen: text === used,
    why: text === used ? 'in-use' : whyNot(peer, candidate)
  }
}

function whyNot(peer: Peer, { text, result }: Candidate): Why {
  for (const { address } of peer.plan.attempts.values()) if (address === text) return 'trying'
  if (result === 'connected') return 'reserve'
  return result === '' || result === 'cancelled' ? 'untried' : 'failed'
}
