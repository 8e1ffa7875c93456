/** Signs of life: when a peer was last heard of, how, and by whom. */
import type { PeerId } from '../crypto/identity.ts'
import type { Session } from './peer.ts'

export interface Evidence {
  /**
   * By a frame on a session, a sealed probe or its answer, an answer that came through a witness, or its own
   * signed word; '' when nothing was ever heard.
   */
  readonly how: 'session' | 'probe' | 'witness' | 'word' | ''
  /** The witness. */
  readonly by: PeerId | ''
  /** Monotonic milliseconds; -Infinity when never. */
  readonly at: number
}

/** What is remembered beside that which its open sessions know. Monotonic milliseconds, -Infinity when never. */
export interface Life {
  /** A frame on a session that is over. */
  sessionAt: number
  /** Its answer to a probe of ours: a round trip. */
  pongAt: number
  /** A probe of its own: it reaches us. */
  aliveAt: number
  witnessAt: number
  witness: PeerId | ''
  /** It said goodbye, or that it sleeps. */
  wordAt: number
}

export const newLife = (): Life => ({
  sessionAt: -Infinity,
  pongAt: -Infinity,
  aliveAt: -Infinity,
  witnessAt: -Infinity,
  witness: '',
  wordAt: -Infinity
})

interface Living {
  readonly life: Life
  readonly sessions: readonly Session[]
}

const sessionAt = ({ life, sessions }: Living): number =>
  sessions.reduce((at, session) => Math.max(at, session.heardAt), life.sessionAt)

/** When it last was there for us: a frame on a session, or an answer to a probe. */
export const heardAt = (peer: Living): number => Math.max(sessionAt(peer), peer.life.pongAt)

/** The latest sign of life; of two at the same moment the more direct one. */
export function evidenceOf(peer: Living): Evidence {
  const { pongAt, aliveAt, witnessAt, witness, wordAt } = peer.life
  const all: Evidence[] = [
    { how: 'session', by: '', at: sessionAt(peer) },
    { how: 'probe', by: '', at: Math.max(pongAt, aliveAt) },
    { how: 'witness', by: witness, at: witnessAt },
    { how: 'word', by: '', at: wordAt }
  ]
  const latest = all.reduce((a, b) => (b.at > a.at ? b : a))
  return latest.at === -Infinity ? { how: '', by: '', at: -Infinity } : latest
}
