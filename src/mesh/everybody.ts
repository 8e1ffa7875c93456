/** What is shown of every member, made when it is asked for: of most of ten thousand it never is. */
import type { PeerId } from '../crypto/identity.ts'
import type { Members } from './members.ts'
import type { PeerView } from './peer.ts'

export class Everybody implements ReadonlyMap<PeerId, PeerView> {
  readonly #members: Members
  readonly #self: PeerId
  readonly #view: (id: PeerId, member: number) => PeerView

  constructor(members: Members, self: PeerId, view: (id: PeerId, member: number) => PeerView) {
    this.#members = members
    this.#self = self
    this.#view = view
  }

  get size(): number {
    return this.#members.size - 1
  }

  has(id: PeerId): boolean {
    return id !== this.#self && this.#members.number(id) >= 0
  }

  get(id: PeerId): PeerView | undefined {
    return this.has(id) ? this.#view(id, this.#members.number(id)) : undefined
  }

  *entries(): MapIterator<[PeerId, PeerView]> {
    for (const [member, id] of this.#members.ids.entries())
      if (id !== this.#self) yield [id, this.#view(id, member)]
  }

  *keys(): MapIterator<PeerId> {
    for (const id of this.#members.ids) if (id !== this.#self) yield id
  }

  *values(): MapIterator<PeerView> {
    for (const [, view] of this.entries()) yield view
  }

  [Symbol.iterator](): MapIterator<[PeerId, PeerView]> {
    return this.entries()
  }

  forEach(act: (view: PeerView, id: PeerId, all: ReadonlyMap<PeerId, PeerView>) => void): void {
    for (const [id, view] of this.entries()) act(view, id, this)
  }
}
