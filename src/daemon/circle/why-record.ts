/** The answer to Why, of what is known of a peer. Pure. */
import type { Properties, Result } from '../../api/api.ts'
import type { PeerId } from '../../crypto/identity.ts'
import type { CandidateView, PeerView } from '../../mesh/mesh.ts'
import { networkOf, within } from '../../net/place.ts'
import { formatHost, parseAddress } from '../../wire/address.ts'
import type { Used } from '../surroundings.ts'
import { advice, type Case } from './advice.ts'
import { evidenceWord } from './roster.ts'
import type { Sighting } from './sightings.ts'

export interface Known {
  readonly view: PeerView
  /** As it is published. */
  readonly shown: Properties<'Peer'>
  readonly candidates: readonly CandidateView[]
  /** Where it was heard since it was lost, the latest first. */
  readonly heard: readonly Sighting[]
  /** Seconds by which its clock is ahead of ours, at least; less than 0: behind. */
  readonly ahead: number
  /** By so much that its announcements are not understood. */
  readonly far: boolean
  /** The interface on whose network we are kept apart. */
  readonly apart: string | undefined
  /** It answers as a neighbour. */
  readonly together: boolean
  /** Others that say that they reach it. */
  readonly reachedBy: readonly PeerId[]
  readonly nameOf: (id: PeerId) => string
  /** Monotonic milliseconds, and milliseconds since 1970, of the same moment. */
  readonly now: number
  readonly wallMs: number
  readonly interfaces: readonly Used[]
  /** Another peer is reachable. */
  readonly others: boolean
}

export function whyRecord(known: Known): Result<'Why'> {
  const { view, shown, candidates, heard, ahead, now, wallMs } = known
  const wall = (agoMs: number) => (agoMs < Infinity ? Math.floor((wallMs - agoMs) * 1000) : 0)
  const { how, by, at } = view.evidence
  return {
    Peer: view.id,
    Name: shown.Name,
    State: view.state,
    Reason: view.reason,
    LatencyUSec: view.latencyUSec,
    LastSeenUSec: shown.LastSeenUSec,
    AsleepSinceUSec: shown.AsleepSinceUSec,
    Evidence: evidenceWord(how),
    EvidenceBy: by,
    EvidenceUSec: how === '' ? 0 : wall(now - at),
    Candidates: candidates.map(one => ({
      Address: one.address,
      Named: one.sources.map(({ source, agoMs }) => ({ By: source, AtUSec: wall(agoMs) })),
      TriedUSec: wall(one.lastTriedAgoMs),
      Result: one.result,
      ProbedUSec: wall(one.lastProbedAgoMs),
      ProbeResult: one.probeResult,
      RoundTripUSec: one.roundTripUSec,
      Link: one.link,
      Metered: one.metered,
      Near: one.near,
      InUse: one.chosen,
      Why: one.why
    })),
    Heard: heard.map(one => ({
      Interface: one.interface,
      Address: one.source,
      HeardUSec: wall(now - one.at),
      Followed: one.followed
    })),
    ReachedBy: [...known.reachedBy],
    Apart: known.apart === undefined ? [] : [known.apart],
    ClockAheadUSec: usec(Math.max(0, ahead) * 1000),
    ClockBehindUSec: usec(Math.max(0, -ahead) * 1000),
    Advice: advice(caseOf(known))
  }
}

function caseOf(known: Known): Case {
  const { view, shown, candidates, heard, ahead, far, apart, together, reachedBy, nameOf } = known
  return {
    name: shown.Name,
    state: view.state,
    reason: view.reason,
    candidates,
    heard: heard.map(one => ({
      interface: one.interface,
      host: bare(one.source),
      listenOnly: one.policy === 'listen',
      followed: one.followed
    })),
    clockAhead: ahead,
    clockFar: far,
    apart: apart === undefined ? [] : [apart],
    together,
    reachedBy: reachedBy.map(nameOf),
    here: hereOf(known)
  }
}

function hereOf({ interfaces, others }: Known): Case['here'] {
  const addresses = interfaces.flatMap(one => one.addresses)
  const named = (policy: 'announce' | 'listen') =>
    interfaces.filter(one => one.policy === policy).map(({ name }) => name)
  const shared = addresses.filter(one => !/^(fe[89ab]|::1|127\.)/i.test(one.address))
  return {
    networks: [...new Set(shared.map(networkText))],
    near: address => within(addresses, hostOf(address)) || /%25/.test(address),
    announcing: named('announce'),
    listening: named('listen'),
    others
  }
}

export const usec = (ms: number): number => Math.max(0, Math.round(ms * 1000))

/** Of an address as sockets give it: without scope. */
export const bare = (source: string): string => source.replace(/%.*/, '')

/** Of an address URI: bare, without scope. */
export function hostOf(address: string): string {
  const parsed = parseAddress(address)
  return parsed === undefined ? '' : formatHost(parsed)
}

/** 192.168.1.0/24; the bytes of networkOf, as people write them. */
function networkText(of: { readonly address: string; readonly prefix: number }): string {
  const [bytes = '', prefix] = networkOf(of).split('/')
  const parts = bytes.split('.').map(Number)
  if (parts.length === 4) return `${bytes}/${prefix}`
  const groups = Array.from({ length: 8 }, (_, i) => ((parts[i * 2]! << 8) | parts[i * 2 + 1]!).toString(16))
  const host = hostOf(`tcp://[${groups.join(':')}]:1`)
  return host === '' ? of.address : `${host}/${prefix}`
}
