/** Several addresses of one device: the first of them that answers. */
import type { Link } from '../../net/link.ts'
import type { Surroundings } from '../surroundings.ts'

/**
 * Connects to all addresses at once and asks the first that is there; when it does not answer, the next. One at
 * a time: the inviter should see one handshake.
 */
export async function firstAnswer<T extends object>(
  addresses: readonly string[],
  around: Pick<Surroundings, 'connect'>,
  signal: AbortSignal,
  ask: (link: Link) => Promise<T>
): Promise<(T & { address: string }) | undefined> {
  const left = new Set(addresses)
  while (left.size > 0 && !signal.aborted) {
    const race = new AbortController()
    const either = AbortSignal.any([signal, race.signal])
    const connected = [...left].map(async address => ({
      address,
      link: await around.connect(address, either)
    }))
    const first = await Promise.any(connected).catch(() => undefined)
    for (const other of connected)
      other.then(({ link }) => link !== first?.link && link.destroy()).catch(() => {})
    race.abort()
    if (first === undefined) return undefined
    const cancelled = Promise.withResolvers<never>()
    cancelled.promise.catch(() => {})
    const cancel = () => {
      first.link.destroy()
      cancelled.reject(new Error('cancelled'))
    }
    signal.addEventListener('abort', cancel)
    try {
      return { address: first.address, ...(await Promise.race([ask(first.link), cancelled.promise])) }
    } catch {
      left.delete(first.address)
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
  return undefined
}
