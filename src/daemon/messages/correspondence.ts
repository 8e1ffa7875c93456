/** What one circle has to do with handlers: its messages, what happens to its peers, and who its members are to both. */
import { type CircleId, circleId, type PeerId, shortId } from '../../crypto/identity.ts'
import type { PeerView } from '../../mesh/mesh.ts'
import type { Sent } from '../../messages/outbox.ts'
import type { Received } from '../../messages/received.ts'
import type { Membership } from '../circle/membership.ts'
import type { StoredCircle } from '../circle/stored.ts'
import type { Traffic } from '../circle/traffic.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Sender } from './handlers.ts'
import { Happenings } from './happenings.ts'
import { tellReceived, tellSent } from './message-signals.ts'
import { Messages, type Wish } from './messages.ts'
import { isWhole } from './rules.ts'
import type { Acquainted } from './safekeeping.ts'

/** Flag of a member. */
const GUEST = 1

export class Correspondence {
  readonly id: CircleId
  readonly messages: Messages
  readonly #name: string
  readonly #membership: Membership
  readonly #happenings: Happenings
  readonly #traffic: Pick<Traffic, 'peers' | 'retry'>

  constructor(
    { row, messages }: StoredCircle,
    around: Surroundings,
    membership: Membership,
    traffic: Pick<Traffic, 'writing' | 'peers' | 'retry'>
  ) {
    const { handlers, publisher } = around
    const { writing } = traffic
    this.#traffic = traffic
    this.id = circleId(row.gid)
    this.#name = row.name
    this.#membership = membership
    const sender = (peer: PeerId) => this.sender(peer)
    this.#happenings = new Happenings(handlers, sender, around.now)
    this.messages = new Messages({
      gid: row.gid,
      stored: messages,
      around,
      handlers,
      sender,
      circle: {
        self: membership.self,
        signer: membership.signingKey,
        statics: () => membership.statics,
        member: peer => this.#acquainted(peer),
        hasPlenty: peer => writing.hasPlenty(peer)
      },
      send: (peer, body) => writing.write(peer, body),
      onSent: sent => tellSent(publisher, this, sent),
      onReceived: received => {
        tellReceived(publisher, this, received)
        if (received.state === 'dead') this.#tellDead(around, received)
      }
    })
  }

  /** On disk when it resolves. Rejects ApiError. */
  async send(wish: Wish): Promise<Sent> {
    const sent = await this.messages.accept(wish)
    this.#reach(sent.peer)
    return sent
  }

  /** The name of a member, or its id where it is none any more. */
  nameOf(peer: PeerId): string {
    return this.#membership.members.get(peer)?.name ?? peer
  }

  /** A member as handlers and rules know it; undefined when it is none, or its time as a guest is over. */
  sender(peer: PeerId): Sender | undefined {
    const { members } = this.#membership
    const member = members.get(peer)
    if (member === undefined || !this.#membership.admits(peer)) return undefined
    const { id, name, level, flags } = member
    const others = [...members.values()].filter(other => other.id !== id)
    // a device chooses its name itself, and may not pass for another one by it
    const unique = !others.some(other => [other.name, other.id, shortId(other.id)].includes(name))
    return {
      id,
      name,
      level,
      guest: (flags & GUEST) !== 0,
      circle: this.#name,
      circleId: this.id,
      names: new Set([id, shortId(id), ...(unique ? [name] : [])])
    }
  }

  /** A member as custody knows it. */
  #acquainted(peer: PeerId): Acquainted | undefined {
    const member = this.#membership.members.get(peer)
    if (member === undefined || !this.#membership.admits(peer)) return undefined
    const { level, flags, statics, serials } = member
    return {
      whole: isWhole({ level, guest: (flags & GUEST) !== 0 }),
      staticKey: statics[0]!,
      serial: serials.static
    }
  }

  /** Who keeps that message, by their own word. */
  holders(sent: Sent): readonly PeerId[] {
    return this.messages.holders(sent)
  }

  /** All members, this device too, as handlers and rules know them. */
  get members(): readonly Sender[] {
    return [...this.#membership.members.keys()].flatMap(id => this.sender(id) ?? [])
  }

  /** The sender is told too; here only the log has it. */
  #tellDead({ log }: Surroundings, { id, from, tag, reason, exit }: Received): void {
    log('info', 'a message was not done', { from: this.nameOf(from), tag, id, reason, exit })
  }

  viewed(view: PeerView): void {
    this.#happenings.view(view)
    this.messages.viewed()
    this.#reach(view.id)
  }

  /** There is a session with it. */
  met(peer: PeerId, view: PeerView | undefined): void {
    if (this.#membership.admits(peer)) this.#happenings.met(peer, view)
  }

  /** `before`: who was a peer. */
  membersChanged(before: Iterable<PeerId>): void {
    const { members, self } = this.#membership
    for (const peer of before) if (!members.has(peer)) this.messages.remove(peer)
    this.messages.membersChanged()
    this.#happenings.members([...members.keys()].filter(id => id !== self))
  }
  /** In a large circle others may reach a member with whom there is no session: one is made when something waits for it. */
  #reach(peer: PeerId): void {
    if (!this.messages.absent(peer)) return
    if (this.#traffic.peers.get(peer)?.state === 'reachable') this.#traffic.retry(peer)
  }
}
