/** Members as the rest of the daemon sees them, made from the resolved log. */
import { type PeerId, peerId } from '../crypto/identity.ts'
import { hex, unhex } from '../wire/bytes.ts'
import { type Add, decodeOperation, type Genesis, type Name, type Rekey } from '../wire/operation.ts'
import type { Orphan } from './quarantine.ts'
import type { Resolution, Resolver, Standing } from './resolver.ts'

export interface MemberState {
  readonly id: PeerId
  readonly name: string
  readonly level: number
  /** Peer id of the device (or recovery key) that added it; '' for the first device. */
  readonly addedBy: PeerId | ''
  /** X25519 keys: the current one, then the one before it. */
  readonly statics: readonly Uint8Array[]
  /** 0 = never. */
  readonly expiresMs: number
  /** Bit 0: guest. */
  readonly flags: number
  /** Of its name and its current static as it last said them; 0: those it was added with. */
  readonly serials: { readonly name: number; readonly static: number }
  /** When its current static was made known, by the clock of whoever did; for people. */
  readonly keyChangedMs: number
}

type States = Map<string, { standing: Standing; state: MemberState }>

export class Members {
  #states: States = new Map()
  #byStatic = new Map<string, PeerId>()
  #map: ReadonlyMap<PeerId, MemberState> = new Map()
  #resolution: Resolution | undefined
  readonly #ids = new Map<string, PeerId>()
  /** The bytes of an operation that was taken in. */
  readonly #bytes: (key: string) => Uint8Array

  constructor(bytes: (key: string) => Uint8Array) {
    this.#bytes = bytes
  }

  get map(): ReadonlyMap<PeerId, MemberState> {
    return this.#map
  }
  /** A current member by its current or previous static. */
  owner(staticKey: Uint8Array): PeerId | undefined {
    return this.#byStatic.get(hex(staticKey))
  }
  /** The peer id of a key in hexadecimal. */
  id(author: string): PeerId {
    let id = this.#ids.get(author)
    if (id === undefined) this.#ids.set(author, (id = peerId(unhex(author))))
    return id
  }

  /** Returns whether anything changed, and who ceased to be a member. */
  follow(resolution: Resolution): { changed: boolean; removed: PeerId[] } {
    if (resolution === this.#resolution) return { changed: false, removed: [] }
    this.#resolution = resolution
    let changed = false
    const states: States = new Map()
    for (const [author, standing] of resolution.members) {
      const before = this.#states.get(author)
      if (before !== undefined && same(before.standing, standing)) states.set(author, before)
      else {
        states.set(author, { standing, state: this.#state(author, standing) })
        changed = true
      }
    }
    const gone = [...this.#states.keys()].filter(author => !states.has(author))
    if (!changed && gone.length === 0) return { changed: false, removed: [] }
    this.#states = states
    this.#map = new Map([...states.values()].map(({ state }) => [state.id, state]))
    this.#byStatic = new Map()
    for (const { state } of states.values())
      for (const key of state.statics) {
        const text = hex(key)
        if (!this.#byStatic.has(text)) this.#byStatic.set(text, state.id)
      }
    return { changed: true, removed: gone.map(author => this.id(author)) }
  }

  #state(author: string, standing: Standing): MemberState {
    const added = decodeOperation(this.#bytes(standing.added))!
    const body = added.body as Add | Genesis
    const rekeys = standing.rekeys.map(key => decodeOperation(this.#bytes(key))!)
    const statics = rekeys.map(rekey => (rekey.body as Rekey).static)
    const last = rekeys[0]
    const named = standing.name === undefined ? undefined : (this.#body(standing.name) as Name)
    const first = body.kind === 'genesis'
    return {
      id: this.id(author),
      name: named?.name ?? body.name,
      level: standing.level,
      addedBy: first ? '' : this.id(hex(added.author)),
      statics: [...statics, body.static].slice(0, 2),
      expiresMs: first ? 0 : body.expiresMs,
      flags: first || !body.guest ? 0 : 1,
      serials: { name: named?.serial ?? 0, static: (last?.body as Rekey | undefined)?.serial ?? 0 },
      keyChangedMs: (last ?? added).wallMs
    }
  }

  #body(key: string) {
    return decodeOperation(this.#bytes(key))!.body
  }
}

const same = (a: Standing, b: Standing): boolean =>
  a === b ||
  (a.level === b.level &&
    a.added === b.added &&
    a.name === b.name &&
    a.rekeys.length === b.rekeys.length &&
    a.rekeys.every((key, i) => key === b.rekeys[i]))

/**
 * Who would own a static key if the operations that wait for their parents were taken in: a device that was
 * added, or rekeyed, while this one was away presents its own operations first and the rest of the log after
 * the handshake. Only what a current member (or the recovery key) signed counts, down a chain of such adds.
 */
export function provisionalOwner(
  staticKey: Uint8Array,
  orphans: Iterable<Orphan>,
  resolver: Resolver
): string | undefined {
  const { members, removed } = resolver.resolve()
  const levels = new Map<string, number>()
  const levelOf = (author: string) =>
    members.get(author)?.level ?? (resolver.level(author) === 0 ? 0 : levels.get(author))
  const waiting = [...orphans].map(({ item }) => item)
  const wanted = hex(staticKey)
  let owner: string | undefined
  for (let found = true; found; ) {
    found = false
    for (const { author, operation } of waiting) {
      const { body } = operation
      const level = levelOf(author)
      if (level === undefined || removed.has(author)) continue
      if (body.kind === 'rekey' && hex(body.static) === wanted) owner ??= author
      if (body.kind !== 'add' || body.level <= level) continue
      const target = hex(body.target)
      if (removed.has(target) || members.has(target) || levels.has(target)) continue
      levels.set(target, body.level)
      found = true
      if (hex(body.static) === wanted) owner ??= target
    }
  }
  return owner
}
