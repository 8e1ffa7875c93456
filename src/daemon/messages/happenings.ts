/** What happens to the peers of a circle, as handlers are told of it: compares how each is with how it was. */
import type { PeerId } from '../../crypto/identity.ts'
import type { PeerView, State } from '../../mesh/mesh.ts'
import type { PeerEvent } from '../../messages/naming.ts'
import type { Handlers, Sender } from './handlers.ts'

/** A peer is seen again no sooner, milliseconds. */
const SEEN_GAP = 60_000
/** `suspect` is not told: it passes in a moment, one way or the other. */
const EVENTS: { readonly [S in State]?: PeerEvent } = {
  reachable: 'reachable',
  asleep: 'asleep',
  unreachable: 'unreachable'
}

interface Known {
  state: State
  address: string
  seenAt: number
}

export class Happenings {
  readonly #handlers: Handlers
  readonly #sender: (peer: PeerId) => Sender | undefined
  readonly #now: () => number
  readonly #known = new Map<PeerId, Known>()
  #members: ReadonlyMap<PeerId, Sender> | undefined

  constructor(handlers: Handlers, sender: (peer: PeerId) => Sender | undefined, now: () => number) {
    this.#handlers = handlers
    this.#sender = sender
    this.#now = now
  }

  /** Who belongs, this device aside. The first time nobody has joined. */
  members(ids: Iterable<PeerId>): void {
    const before = this.#members
    const now = new Map([...ids].flatMap(id => [[id, this.#sender(id)] as const]).filter(isSender))
    this.#members = now
    if (before === undefined) return
    for (const [id, peer] of now) if (!before.has(id)) this.#tell('joined', peer, undefined)
    for (const [id, peer] of before) {
      if (now.has(id)) continue
      this.#known.delete(id)
      this.#tell('left', peer, undefined)
    }
  }

  /** There is a session with it. */
  met(peer: PeerId, view: PeerView | undefined): void {
    const known = this.#of(peer)
    const sender = this.#sender(peer)
    if (sender === undefined || this.#now() < known.seenAt + SEEN_GAP) return
    known.seenAt = this.#now()
    this.#tell('seen', sender, view)
  }

  view(view: PeerView): void {
    const known = this.#of(view.id)
    const sender = this.#sender(view.id)
    const address = view.state === 'reachable' ? (view.addresses[0] ?? '') : known.address
    const event = view.state === known.state ? undefined : EVENTS[view.state]
    const moved = address !== known.address && known.address !== ''
    if (view.state !== 'suspect') known.state = view.state
    known.address = address
    if (sender === undefined) return
    if (event !== undefined) this.#tell(event, sender, view)
    if (moved && event === undefined) this.#tell('address', sender, view)
  }

  #of(peer: PeerId): Known {
    let known = this.#known.get(peer)
    if (known === undefined)
      this.#known.set(peer, (known = { state: 'unreachable', address: '', seenAt: -Infinity }))
    return known
  }

  #tell(event: PeerEvent, peer: Sender, view: PeerView | undefined): void {
    this.#handlers.peer(event, peer, {
      state: view?.state ?? '',
      reason: view?.reason ?? '',
      address: view?.addresses[0] ?? '',
      latencyUSec: view?.latencyUSec ?? 0
    })
  }
}

const isSender = (entry: readonly [PeerId, Sender | undefined]): entry is readonly [PeerId, Sender] =>
  entry[1] !== undefined
