/** Which of a peer's addresses is in use, and why the others are not: for people who ask. */
import { parseAddress } from '../wire/address.ts'
import type { Candidate, Source } from './candidates.ts'
import {
  type Grade,
  gradeBetween,
  gradeOf,
  type LinkKind,
  linkKindOf,
  type OwnAddress,
  UNKNOWN
} from './paths.ts'
import type { Peer } from './peer.ts'
import { FASTER_SHARE } from './switching.ts'

/**
 * in-use · trying: an attempt is under way · failed: the last one came to nothing · untried: not needed, or not
 * its turn yet · reserve: a session was made there before, and the one in use serves.
 *
 * While another one is in use, that is better than this: metered, kind (of link), far (through a router), slower (or
 * not faster by enough). Or this should be better, and that is not proved: unproved.
 */
export type Why =
  | 'in-use'
  | 'trying'
  | 'failed'
  | 'untried'
  | 'reserve'
  | 'metered'
  | 'kind'
  | 'far'
  | 'slower'
  | 'unproved'

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
  /** By which of our links it is reached, as far as we can tell. */
  readonly link: LinkKind
  readonly metered: boolean
  /** Without a router between. */
  readonly near: boolean
  readonly chosen: boolean
  readonly why: Why
}

/** What is not answered by then was not answered. */
const PATIENCE = 1_500

/** What is in use. */
interface Used {
  readonly address: string
  readonly grade: Grade
  /** Microseconds; 0 when unknown. */
  readonly roundTrip: number
}

/** What is in use first, then as they are tried. `own`: addresses of this device. */
export function candidatesOf(now: number, peer: Peer, own: readonly OwnAddress[]): CandidateView[] {
  const used = usedOf(peer, own)
  const views = peer.candidates.ranked(own).map(candidate => viewOf(now, peer, candidate, used, own))
  if (used === undefined) return views
  const chosen = views.find(({ chosen }) => chosen) ?? { ...UNNAMED, address: used.address }
  const { roundTrip, grade } = used
  return [
    { ...chosen, ...gradeWords(grade), roundTripUSec: roundTrip || chosen.roundTripUSec },
    ...views.filter(({ chosen }) => !chosen)
  ]
}

function usedOf(peer: Peer, own: readonly OwnAddress[]): Used | undefined {
  const session = peer.nominated
  if (session === undefined) return undefined
  const address = peer.candidates.dialable(session)
  const grade = gradeBetween(session.local, address, own)
  const parsed = parseAddress(address)
  return {
    address,
    grade: grade ?? (parsed === undefined ? UNKNOWN : gradeOf(parsed, own)),
    roundTrip: Math.round(session.roundTrip)
  }
}

/** In use, and nobody names it. */
const UNNAMED: Omit<CandidateView, 'address' | 'link' | 'metered' | 'near'> = {
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

function viewOf(
  now: number,
  peer: Peer,
  candidate: Candidate,
  used: Used | undefined,
  own: readonly OwnAddress[]
): CandidateView {
  const { text, result, probeResult, roundTripUSec, askedAt } = candidate
  const silent = askedAt > candidate.probedAt && now - askedAt >= PATIENCE
  const sources = [...candidate.sources]
    .sort(([, a], [, b]) => b - a)
    .map(([source, at]) => ({ source, agoMs: now - at }))
  const grade = gradeOf(candidate.address, own)
  const chosen = text === used?.address
  return {
    address: text,
    sources,
    lastTriedAgoMs: now - candidate.triedAt,
    result,
    lastResultAgoMs: now - candidate.endedAt,
    lastProbedAgoMs: now - (silent ? askedAt : candidate.probedAt),
    probeResult: silent ? 'timeout' : probeResult,
    roundTripUSec,
    ...gradeWords(grade),
    chosen,
    why: chosen ? 'in-use' : whyNot(peer, candidate, grade, used)
  }
}

const gradeWords = ([metered, kind, distance]: Grade): Pick<CandidateView, 'link' | 'metered' | 'near'> => ({
  link: linkKindOf(kind),
  metered: metered > 0,
  near: distance === 0
})

const WORSE = ['metered', 'kind', 'far'] as const

function whyNot(peer: Peer, candidate: Candidate, grade: Grade, used: Used | undefined): Why {
  const { text, result, roundTripUSec } = candidate
  for (const { address } of peer.plan.attempts.values()) if (address === text) return 'trying'
  const tried = result !== '' && result !== 'cancelled'
  if (tried && result !== 'connected') return 'failed'
  const before = tried ? 'reserve' : 'untried'
  if (used === undefined) return before
  const differs = WORSE.findIndex((_, i) => grade[i] !== used.grade[i])
  if (differs >= 0) return grade[differs]! > used.grade[differs]! ? WORSE[differs]! : 'unproved'
  if (roundTripUSec === 0 || used.roundTrip === 0) return before
  return roundTripUSec > used.roundTrip * FASTER_SHARE ? 'slower' : 'unproved'
}
