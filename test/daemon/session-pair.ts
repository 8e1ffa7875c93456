/** Two sessions over links in memory, with fixed keys, in simulated time. */
import type { Aead } from '../../src/crypto/aead.ts'
import { Session } from '../../src/daemon/sessions/session.ts'
import { Clock } from '../sim/clock.ts'
import { linkPair, type PairOptions } from '../sim/link.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

export interface End {
  readonly session: Session
  readonly frames: { kind: number; body: Uint8Array }[]
  readonly closed: string[]
}

export function sessionPair(options: Partial<PairOptions> & { aead?: Aead } = {}) {
  const clock = options.clock ?? new Clock()
  const links = linkPair({ ...options, clock })
  const keys = {
    send: fill(1),
    receive: fill(2),
    probeSend: fill(3),
    probeReceive: fill(4),
    probeIndexes: { send: 1, receive: 2 },
    hash: fill(5)
  }
  const crossed = { ...keys, send: keys.receive, receive: keys.send }
  const end = (link: typeof links.dialled, own: typeof keys): End => {
    const session = new Session({
      link,
      keys: own,
      peer: 'co1',
      bootId: fill(6, 16),
      logHead: fill(7),
      handshakeUSec: 0,
      now: () => clock.now,
      schedule: act => clock.after(0, act),
      ...(options.aead && { aead: options.aead })
    })
    const frames: End['frames'] = []
    const closed: string[] = []
    session.onFrame = (kind, body) => frames.push({ kind, body })
    session.onClose = reason => closed.push(reason)
    return { session, frames, closed }
  }
  return { clock, links, a: end(links.dialled, keys), b: end(links.accepted, crossed) }
}
