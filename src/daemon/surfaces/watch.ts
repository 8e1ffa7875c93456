/** One reader of the events: what it has not taken yet waits, up to a bound; beyond it the reader is told. */
import type { Result, StreamCall } from '../../api/api.ts'
import type { Publisher } from './publisher.ts'

/** Events that may wait for one reader. */
const WAITING_AT_MOST = 8192

/** Replies events after the cursor until the reader is gone. */
export async function watch(
  publisher: Publisher,
  since: string,
  call: StreamCall<Result<'Watch'>>
): Promise<void> {
  let waiting = publisher.since(since).events
  let wake = () => {}
  const end = publisher.subscribe(events => {
    // a cursor that nobody gave out: the reader gets a Gap, then everything as it is now
    if (waiting.length + events.length > WAITING_AT_MOST) waiting = publisher.since('fell-behind').events
    else waiting.push(...events)
    wake()
  })
  call.signal.addEventListener('abort', () => wake(), { once: true })
  try {
    while (!call.signal.aborted) {
      const batch = waiting
      waiting = []
      for (const event of batch) await call.reply(event)
      if (waiting.length === 0 && !call.signal.aborted)
        await new Promise<void>(resolve => {
          wake = resolve
        })
    }
  } finally {
    end()
  }
}
