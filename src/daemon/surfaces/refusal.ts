/**
 * A daemon that cannot start says why to whoever connected. Without that a client would learn nothing, and systemd,
 * at whose socket it still waits, would start the daemon for it again and again until it gives the socket up.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Implementation, methods } from '../../api/api.ts'
import type { Log } from './answer.ts'
import { SocketSurface } from './socket.ts'

/** A client that has just connected sends its call by then. */
const REFUSE_MS = 1_000
/** Who connected at the same time as the first that was answered has sent its call too. */
const MORE_MS = 50

/** `fds`: listening sockets that systemd passed. Resolves when those who waited have been answered. */
export async function refuse(fds: readonly number[], sentence: string, log: Log): Promise<void> {
  if (fds.length === 0) return
  const asked = Promise.withResolvers<void>()
  const refusal = async () => {
    asked.resolve()
    throw new ApiError('NotStarted', sentence)
  }
  const all = Object.fromEntries(Object.keys(methods).map(name => [name, refusal]))
  const surface = new SocketSurface({ implementation: all as unknown as Implementation, log })
  for (const fd of fds) await surface.listen({ fd })
  // no longer than that: what was wrong may be mended now, and the next one starts it anew
  await Promise.race([delay(REFUSE_MS), asked.promise])
  await delay(MORE_MS)
  await surface.stop()
}
