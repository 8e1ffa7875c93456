/**
 * What a handler finds in its environment (docs/handlers.md has the table). Nothing else of the daemon's is passed on.
 * Texts that come from others hold printable ASCII only.
 */
import { homedir, userInfo } from 'node:os'
import { type PeerId, shortId } from '../../crypto/identity.ts'
import { DESKTOP } from '../../host/handler-run.ts'
import type { Received } from '../../messages/inbox.ts'
import { shipped } from '../../paths.ts'
import type { Sender } from './handlers.ts'

const PASSED = [
  'LANG',
  'XDG_RUNTIME_DIR',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_STATE_HOME',
  'XDG_CACHE_HOME',
  'XDG_DATA_DIRS'
]

/** Where programs are looked for: so that a handler finds the `coterie` of this daemon, that one's folder first. */
const USUAL = ['/usr/local/bin', '/usr/bin', '/bin']
const searched = [...new Set([shipped('bin'), ...USUAL])].filter(folder => folder !== '').join(':')

export type Environment = { readonly [name: string]: string }

/** A member, as its handlers are told of it. */
export interface Peer {
  readonly id: PeerId
  readonly name: string
  readonly circle: string
  readonly circleId: string
}

export function messageEnvironment(received: Received, from: Sender): Environment {
  return {
    ...plain(),
    COTERIE_EVENT: 'message',
    COTERIE_ID: received.id,
    COTERIE_TAG: received.tag,
    COTERIE_FROM: from.id,
    COTERIE_FROM_SHORT: shortId(from.id),
    COTERIE_FROM_NAME: printable(from.name),
    ...circleOf(from),
    COTERIE_SENT: `${Math.floor(received.sentMs / 1000)}`,
    COTERIE_SIZE: `${received.payload.length}`,
    COTERIE_RUN: `${received.runs}`,
    COTERIE_ASK: received.ask ? '1' : '0'
  }
}

export interface PeerFacts {
  readonly state: string
  readonly reason: string
  /** The one in use, or the best known; '' when none is. */
  readonly address: string
  readonly latencyUSec: number
}

export function peerEnvironment(event: string, peer: Peer, facts: PeerFacts): Environment {
  return {
    ...plain(),
    COTERIE_EVENT: event,
    COTERIE_PEER: peer.id,
    COTERIE_PEER_SHORT: shortId(peer.id),
    COTERIE_PEER_NAME: printable(peer.name),
    ...circleOf(peer),
    COTERIE_STATE: facts.state,
    COTERIE_REASON: facts.reason,
    COTERIE_ADDRESS: facts.address,
    COTERIE_LATENCY_USEC: `${facts.latencyUSec}`
  }
}

export const daemonEnvironment = (event: string): Environment => ({ ...plain(), COTERIE_EVENT: event })

const circleOf = ({ circle, circleId }: Pick<Peer, 'circle' | 'circleId'>): Environment => ({
  COTERIE_CIRCLE: circleId,
  COTERIE_CIRCLE_NAME: printable(circle)
})

function plain(): Environment {
  const passed = [...PASSED, ...DESKTOP].flatMap(name => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return {
    PATH: searched,
    HOME: homedir(),
    USER: userInfo().username,
    ...Object.fromEntries(passed)
  }
}

const printable = (text: string): string => text.replaceAll(/[^ -~]/g, '?')
