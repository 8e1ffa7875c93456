/** One subscriber: told at once, then when a threshold is crossed and its interval is over. Else nothing runs. */
import { ApiError, type Params, type Properties, type Result, type StreamCall } from '../../api/api.ts'
import type { Clock } from './pace.ts'
import type { Publisher } from './publisher.ts'
import { type PeerState, peerStates, Thresholds, type Wish } from './thresholds.ts'

/** As often as an object tells of itself on D-Bus. */
const SHORTEST_MS = 50
const LONGEST_USEC = 86_400_000_000

/**
 * What was asked, checked; `find` turns names of circle and peer into ids and throws ApiError for those that are not
 * there. Throws ApiError.
 */
export function wishOf(
  asked: Params<'Subscribe'>,
  find: (circle: string, peer: string) => { circle: string; peer: string }
): Wish {
  const { Circle, All, Peer, States, LatencyUSec, LatencyPercent, IntervalUSec } = asked
  const wrong = (sentence: string) => new ApiError('InvalidValue', `Subscribe.${sentence}`)
  if (All && (Circle !== '' || Peer !== '')) throw wrong('All: with it neither Circle nor Peer is given')
  const unknown = States.find(state => !peerStates.includes(state as PeerState))
  if (unknown !== undefined)
    throw wrong(`States: there is no state ${JSON.stringify(unknown)}; known: ${peerStates.join(', ')}`)
  if (IntervalUSec > LONGEST_USEC) throw wrong('IntervalUSec: at most a day, 86400000000')
  const whose = All ? { circle: '', peer: '' } : find(Circle, Peer)
  return { ...whose, states: States, LatencyUSec, LatencyPercent }
}

/** Replies until the reader is gone. `intervalMs`: from one reply to the next, at least 50. */
export async function subscribe(
  publisher: Publisher,
  wish: Wish,
  intervalMs: number,
  call: StreamCall<Result<'Subscribe'>>,
  clock: Clock
): Promise<void> {
  const thresholds = new Thresholds(wish)
  let pausing = false
  let wake = () => {}
  const wait = () =>
    new Promise<void>(resolve => {
      wake = resolve
      if (call.signal.aborted) resolve()
    })
  const end = publisher.subscribe(events => {
    for (const { Object: path, Kind } of events)
      if (Kind === 'Peer') thresholds.see(path, peerAt(publisher, path))
    if (thresholds.crossed && !pausing) wake()
  })
  call.signal.addEventListener('abort', () => wake(), { once: true })
  try {
    for (const { path, properties } of publisher.list('Peer')) thresholds.see(path, properties)
    let next = clock.now()
    for (let first = true; !call.signal.aborted; first = false) {
      const early = next - clock.now()
      if (!first && !thresholds.crossed) await wait()
      else if (early > 0) {
        pausing = true
        const cancel = clock.after(Math.ceil(early), () => wake())
        await wait()
        cancel()
        pausing = false
      } else {
        next = clock.now() + Math.max(SHORTEST_MS, intervalMs)
        await call.reply(thresholds.take())
      }
    }
  } finally {
    end()
  }
}

function peerAt(publisher: Publisher, path: string): Properties<'Peer'> | undefined {
  const object = publisher.get(path)
  return object?.kind === 'Peer' ? (object.properties as Properties<'Peer'>) : undefined
}
