/**
 * What `ping` does: round trips to a peer over its session, one after another, and beside them by UDP to each
 * address that is known of it, so many in a second that the peer's own limit is left to its watcher.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Call, PingPathRecord } from '../../api/api.ts'

type Path = { -readonly [name in keyof PingPathRecord]: PingPathRecord[name] }

/** Between two datagrams; a peer answers 50 in a second. */
const GAP_MS = 80
/** Datagrams to one address, whatever is asked for. */
const EACH_AT_MOST = 25
const ADDRESSES_AT_MOST = 8
/** An address that has answered nothing so often is asked no more. */
const SILENT = 3

export interface Measured {
  /** Address URIs, the one in use first. */
  readonly addresses: readonly string[]
  /** Over the session, in microseconds. Rejects when there is no session or no answer. */
  session(): Promise<number>
  /** By UDP: microseconds, or a word why not. */
  probe(address: string): Promise<number | string>
}

/** The session comes first. Rejects what the session's round trip rejects, when no address answers either. */
export async function measure(peer: Measured, count: number, call: Call): Promise<PingPathRecord[]> {
  const [session, probes] = await Promise.all([overSession(peer, count, call), byProbes(peer, count, call)])
  call.signal.throwIfAborted()
  const answered = probes.some(({ LatencyUSec }) => LatencyUSec.length > 0)
  if (session.error !== undefined && !answered) throw session.error
  return [session.path, ...probes]
}

async function overSession(peer: Measured, count: number, call: Call) {
  const path = pathOf('session', peer.addresses[0] ?? '')
  for (let i = 0; i < count; i++) {
    try {
      path.LatencyUSec.push(await peer.session())
    } catch (error) {
      path.Lost = 1
      path.Reason = 'unreachable'
      return { path, error }
    }
    call.progress(`${i + 1} of ${count}: ${(path.LatencyUSec.at(-1)! / 1000).toFixed(2)} ms`)
  }
  return { path, error: undefined }
}

async function byProbes(peer: Measured, count: number, { signal }: Call): Promise<Path[]> {
  const paths = peer.addresses.slice(0, ADDRESSES_AT_MOST).map(address => pathOf('probe', address))
  const under: Promise<void>[] = []
  for (let i = 0; i < Math.min(count, EACH_AT_MOST); i++)
    for (const path of paths) {
      if (path.LatencyUSec.length === 0 && path.Lost >= SILENT) continue
      if (under.length > 0) await delay(GAP_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) return paths
      under.push(peer.probe(path.Address).then(outcome => record(path, outcome)))
    }
  await Promise.all(under)
  return paths
}

function record(path: Path, outcome: number | string): void {
  if (typeof outcome === 'number') path.LatencyUSec.push(outcome)
  else {
    path.Lost++
    path.Reason = outcome
  }
}

const pathOf = (Via: 'session' | 'probe', Address: string): Path => ({
  Via,
  Address,
  LatencyUSec: [],
  Lost: 0,
  Reason: ''
})
