/**
 * What the path of a handler says: which events it is for.
 *
 *   message/backup/start            messages with the tag backup/start
 *   message/backup/start.notify.sh  the same: of a file's name only the part before the first dot counts here
 *   message/@laptop/backup/start    only those of that peer
 *   peer/@laptop/reachable.log.py   when that peer becomes reachable; a word that is an event narrows to it
 *   peer/log                        any event of any peer
 *   daemon/network.sh               when the network changes
 *
 * Only the path below the handler folder counts. `@` begins the name of a peer (its name, id or short id); such a part
 * may be a folder at any level, or for peer/ a word of a file's name, where a name with dots has no place. Any other
 * folder with a dot in its name, and whatever begins with a dot or ends with `~`, is not looked at. See docs/handlers.md.
 */
import { tagProblem } from './tag.ts'

export const FAMILIES = ['message', 'peer', 'daemon'] as const
export type Family = (typeof FAMILIES)[number]
/**
 * peer: it joined the circle or left it, it was met (a session was made), it became reachable, unreachable or asleep,
 * the address it is reached at changed. daemon: it runs or is about to stop, at least one peer can be reached or none
 * can any more, the addresses of this computer changed.
 */
export const EVENTS = {
  peer: ['joined', 'left', 'seen', 'reachable', 'unreachable', 'asleep', 'address'],
  daemon: ['started', 'stopping', 'active', 'inactive', 'network']
} as const
export type PeerEvent = (typeof EVENTS)['peer'][number]
export type DaemonEvent = (typeof EVENTS)['daemon'][number]
const RUN_AGAIN = 'retry'

export interface Naming {
  readonly family: Family
  /** Of messages; '' for events. */
  readonly tag: string
  /** The peers it is for; all of them must be the one it is about. Empty: any. */
  readonly peers: readonly string[]
  /** The events it is for; empty: all of the family. */
  readonly events: readonly string[]
  /** A word `retry` in the file's name: it may be run again when it is not known whether it ended. */
  readonly retry: boolean
}

/** Of a path below the handler folder, parts parted by `/`; a sentence where it names nothing. */
export function namingOf(path: string): Naming | string {
  const parts = path.split('/')
  const file = parts.pop()!
  const [first = '', ...folders] = parts
  const family = FAMILIES.find(name => name === first)
  if (family === undefined) return `it is not below ${FAMILIES.join('/, ')}/`
  const hidden = [...folders, file].find(part => part.startsWith('.') || part.endsWith('~'))
  if (hidden !== undefined) return `${hidden} is hidden or a backup copy`
  const dotted = folders.find(part => part.includes('.') && !isPeer(part))
  if (dotted !== undefined) return `the folder ${dotted} has a dot in its name`
  const [stem, ...words] = file.split('.') as [string, ...string[]]
  const peers = folders.filter(isPeer)
  const named = folders.filter(part => !isPeer(part))
  const retry = words.includes(RUN_AGAIN)
  if (family === 'message') {
    const tag = [...named, stem].join('/')
    const wrong = tagProblem(tag)
    if (wrong !== '') return `${tag} is no tag: ${wrong}`
    return { family, tag, peers: peers.map(bare), events: [], retry }
  }
  const all = [...named, stem, ...words]
  const events = all.filter(word => (EVENTS[family] as readonly string[]).includes(word))
  return { family, tag: '', peers: [...peers, ...all.filter(isPeer)].map(bare), events, retry }
}

const isPeer = (part: string): boolean => part.startsWith('@')
const bare = (part: string): string => part.slice(1)
