/** What the icon and its menu show of a picture of the daemon. Pure. */
import type { Result } from '../../api/api.ts'
import { printable } from '../print.ts'
import { address, count, latency, reason, since } from '../words.ts'
import type { Face } from './item.ts'
import type { Entry } from './menu.ts'

export type Status = Result<'Status'>
export type Peer = Status['Peers'][number]

/** Undefined: the daemon is not running. */
export type Picture = Status | undefined

/** What a person can want of it. */
export interface Wishes {
  sendFile(peer: Peer): void
  sendClipboard(peer: Peer): void
  wake(peer: Peer): void
  why(peer: Peer): void
  invite(): void
  cancelInvitation(): void
  quit(): void
}

const ORDER = ['reachable', 'suspect', 'asleep', 'unreachable']
const rank = ({ State }: Peer) => (ORDER.indexOf(State) + ORDER.length + 1) % (ORDER.length + 1)
const iconOf = (state: string) => `coterie-${ORDER.includes(state) ? state : 'unreachable'}`

/** `start`: what to type when it does not run. */
export function faceOf(picture: Picture, start: string, nowUSec: number): Face {
  if (picture === undefined) return { icon: iconOf(''), title: ABSENT, more: start, label: '' }
  const { Peers } = picture
  const near = Peers.filter(p => p.Reachable)
  const states = Peers.map(p => p.State)
  const asleep = states.length > 0 && states.every(state => state === 'asleep')
  const state =
    near.length > 0 ? 'reachable' : states.includes('suspect') ? 'suspect' : asleep ? 'asleep' : 'unreachable'
  return {
    icon: iconOf(state),
    title: heading(picture),
    more: sorted(Peers)
      .map(peer => `${printable(peer.Name)}: ${peer.Reachable ? 'reachable' : away(peer, nowUSec)}`)
      .join('\n'),
    label: Peers.length > 0 ? `${near.length}` : ''
  }
}

/** `inviting`: a code is shown now. `trouble`: what could be told nowhere else. */
export function entriesOf(
  picture: Picture,
  { start, inviting, trouble }: { start: string; inviting: boolean; trouble: string },
  wishes: Wishes,
  nowUSec: number
): Entry[] {
  const blocks: Entry[][] = [
    [say('heading', picture ? heading(picture) : ABSENT)],
    picture === undefined ? [say('start', `To start it: ${start}`)] : devices(picture, wishes, nowUSec),
    picture !== undefined && picture.Circle.Level > 0 ? [invitation(inviting, wishes)] : [],
    [
      ...(trouble ? [say('trouble', trouble)] : []),
      { key: 'quit', label: 'Hide this icon', act: () => wishes.quit() }
    ]
  ]
  return blocks
    .filter(block => block.length > 0)
    .flatMap((block, i) => (i === 0 ? block : [{ key: `line-${i}`, label: '' }, ...block]))
}

const ABSENT = 'Coterie is not running'
const say = (key: string, label: string): Entry => ({ key, label })

const sorted = (peers: readonly Peer[]) =>
  peers.toSorted((a, b) => rank(a) - rank(b) || a.Name.localeCompare(b.Name))

function heading({ Device, Circle, Peers }: Status): string {
  const name = printable(Device.Name)
  if (Device.State === 'locked') return `${name} is locked: its keys cannot be read now`
  if (Circle.Id === '') return `${name} is in no circle yet`
  const where = printable(Circle.Name)
  if (Circle.Level === 0) return `${name} was removed from ${where}`
  if (Peers.length === 0) return `${name} is the only device in ${where}`
  const near = Peers.filter(p => p.Reachable).length
  const facts = `${near} of ${count(Peers.length, 'other device')} reachable`
  return Peers.every(peer => peer.Circle === Circle.Id) ? `${where}: ${facts}` : facts
}

function devices(status: Status, wishes: Wishes, nowUSec: number): Entry[] {
  const { Circle, Circles, Device, Peers } = status
  if (Circle.Id === '' && Device.State === 'new')
    return [say('init', 'To start one: coterie init'), say('join', 'To join one: coterie join CODE')]
  const entry = (peer: Peer) => device(peer, wishes, nowUSec)
  const several = Circles.filter(({ Id }) => Peers.some(peer => peer.Circle === Id))
  if (several.length < 2) return sorted(Peers).map(entry)
  return several.flatMap(({ Id, Name }) => [
    say(`circle-${Id}`, printable(Name)),
    ...sorted(Peers.filter(peer => peer.Circle === Id)).map(entry)
  ])
}

function device(peer: Peer, wishes: Wishes, nowUSec: number): Entry {
  const name = printable(peer.Name)
  const gone = peer.State === 'asleep' || peer.State === 'unreachable'
  const at = peer.Addresses[0] ? printable(address(peer.Addresses[0])) : ''
  return {
    key: `${peer.Circle}/${peer.Id}`,
    label: `${name}  ${peer.Reachable ? latency(peer.LatencyUSec) : away(peer, nowUSec)}`.trimEnd(),
    icon: iconOf(peer.State),
    below: [
      say('state', stateOf(peer, nowUSec)),
      ...(at && !gone ? [say('address', at)] : []),
      { key: 'line', label: '' },
      { key: 'file', label: 'Send a file…', act: () => wishes.sendFile(peer) },
      { key: 'clipboard', label: 'Send the clipboard', act: () => wishes.sendClipboard(peer) },
      ...(gone ? [{ key: 'wake', label: 'Wake', act: () => wishes.wake(peer) }] : []),
      { key: 'why', label: 'Why?', act: () => wishes.why(peer) }
    ]
  }
}

function stateOf(peer: Peer, nowUSec: number): string {
  if (peer.Reachable) return ['Reachable', latency(peer.LatencyUSec)].filter(Boolean).join(', ')
  const why = peer.State === 'unreachable' && peer.LastSeenUSec > 0 ? reason(peer.Reason) : ''
  const text = [away(peer, nowUSec), why].filter(Boolean).join(', ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** By the clock, and not "ago": nobody tells when it is looked at. */
function away(peer: Peer, nowUSec: number): string {
  if (peer.State === 'suspect') return 'does not answer'
  if (peer.State === 'asleep')
    return ['asleep', peer.AsleepSinceUSec > 0 ? since(peer.AsleepSinceUSec, nowUSec) : '']
      .join(' ')
      .trimEnd()
  return peer.LastSeenUSec > 0 ? `away ${since(peer.LastSeenUSec, nowUSec)}` : reason(peer.Reason)
}

const invitation = (inviting: boolean, wishes: Wishes): Entry =>
  inviting
    ? { key: 'cancel', label: 'Cancel the invitation', act: () => wishes.cancelInvitation() }
    : { key: 'invite', label: 'Invite a device…', act: () => wishes.invite() }
