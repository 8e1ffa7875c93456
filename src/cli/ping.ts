/** `coterie ping`: round trips to a peer over its session, and by UDP to each of its addresses. */
import type { PingPathRecord, Result } from '../api/api.ts'
import { json, out, printable, progressLine } from './print.ts'
import { circleOf, UNREACHABLE, UsageError, withDaemon } from './run.ts'
import { address, latency, result } from './words.ts'

export async function ping(
  peer: string,
  options: { count?: string; circle?: string; json?: boolean }
): Promise<void> {
  const count = options.count === undefined ? 1 : Number(options.count)
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`--count takes a number from 1, not ${JSON.stringify(options.count)}`)
  }
  await withDaemon(async client => {
    const waiting = progressLine()
    const measured = await client
      .call('Ping', { ...circleOf(options), Peer: peer, Count: count }, waiting.show)
      .finally(waiting.clear)
    if (measured.LatencyUSec.length === 0) process.exitCode = UNREACHABLE
    if (options.json) return void json(measured)
    for (const line of pingLines(peer, measured)) out(line)
  })
}

export function pingLines(peer: string, { Address, LatencyUSec, Paths }: Result<'Ping'>): string[] {
  const from = `${printable(peer)} (${printable(address(Address))})`
  const session = LatencyUSec.map(usec => `${from}: ${latency(usec)}`)
  const lost = Paths.some(({ Via, Lost }) => Via === 'session' && Lost > 0) ? [`${from}: no answer`] : []
  return [...session, ...lost, ...Paths.filter(({ Via }) => Via === 'probe').map(probeLine)]
}

function probeLine({ Address, LatencyUSec, Lost, Reason }: PingPathRecord): string {
  const to = `by UDP to ${printable(address(Address))}`
  if (LatencyUSec.length === 0) return `${to}: ${printable(result(Reason))}`
  const [least, most] = [latency(Math.min(...LatencyUSec)), latency(Math.max(...LatencyUSec))]
  const times = least === most ? least : `${least} to ${most}`
  return Lost === 0 ? `${to}: ${times}` : `${to}: ${times}, ${Lost} of ${LatencyUSec.length + Lost} lost`
}
