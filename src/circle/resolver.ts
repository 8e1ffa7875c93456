/**
 * Who is a member at which level, as a function of the set of signed operations: the order in which they
 * arrive does not matter. Identifiers are opaque text here; signatures were checked before.
 *
 * Levels: 0 recovery code, 1 first device, 2-9 admins, 10 member, 11 relay. Decided one level after the
 * other, each only from what lower levels did, so that no two devices can remove each other:
 *
 *   removed   a device is removed by a live `remove` of an author of a lower level, or by its own.
 *   cut       what it did survives if it lies in the past of every removal by others (or in the past of
 *             the removal's cut heads, when it names a cut); then likewise for its own surviving removals
 *             (leaving), which survive themselves; a cut in those means nothing.
 *   added     live `add`s of authors of lower levels; the smallest level wins; removal wins over adding.
 *   quota     by sequence (1 + the greatest sequence of the same author in the past): of level 10 and above
 *             the first 64 operations count, of others 1,024; a `remove` always counts. Two operations at
 *             one sequence are a fork: both count, the author is flagged.
 *   members   at most 128: of the smallest levels, then of the lesser ids of what added them.
 *   serials   of an author's live `name`s and `rekey`s the greatest serial counts (then the lesser id).
 *
 * The past of each operation is a row of bits over those that came before it: exact even where an author
 * forks, 1.25 KB at 10,000 operations, and a removal is one AND of rows.
 */

import { quota, type Resolution, type Standing, type Step } from './step.ts'

export type { Resolution, Standing, Step } from './step.ts'
export { FIRST_RELAXED_LEVEL, QUOTA_ADMIN, QUOTA_MEMBER, quota } from './step.ts'

export const MAX_MEMBERS = 128
const LEVELS = 12
const NONE = 255

/** What the resolver keeps of an author or target. */
interface Device {
  readonly id: string
  /** Indices of its operations, of the operations that remove it, and of those that add it. */
  readonly authored: number[]
  readonly removals: number[]
  readonly adds: number[]
  readonly sequences: Map<number, number>
  forked: boolean
  // Working values of one resolution:
  level: number
  added: number
  removed: boolean
  left: boolean
}

interface Entry {
  readonly step: Step
  readonly author: Device
  readonly target: Device | undefined
  readonly sequence: number
  /** Offset of its row of ancestors in `rows`, and its words. */
  readonly row: number
  readonly words: number
  readonly cut: readonly number[] | undefined
  live: boolean
}

export class Resolver {
  readonly #entries: Entry[] = []
  readonly #index = new Map<string, number>()
  readonly #devices = new Map<string, Device>()
  #rows = new Uint32Array(1024)
  #used = 0
  #recovery: Device | undefined
  #resolution: Resolution | undefined
  /** Those who said a name or a static since the state was last asked for. */
  readonly #restated = new Set<Device>()
  readonly #heads = new Set<string>()

  get size(): number {
    return this.#entries.length
  }
  has(id: string): boolean {
    return this.#index.has(id)
  }
  /** Operations that no other one has seen. */
  get heads(): ReadonlySet<string> {
    return this.#heads
  }
  /** Ids in an order in which each follows its past. */
  *ids(): Iterable<string> {
    for (const entry of this.#entries) yield entry.step.id
  }
  id(index: number): string | undefined {
    return this.#entries[index]?.step.id
  }
  /** Devices that made two operations at one sequence. The recovery code is none: it may be used anywhere. */
  get forks(): string[] {
    return [...this.#devices.values()].filter(d => d.forked && d !== this.#recovery).map(d => d.id)
  }
  /** Whether an operation is the other one, or in its past. */
  inPast(id: string, of: string): boolean {
    const index = this.#index.get(id)
    return index !== undefined && bit(this.past([of]), index)
  }
  /** The level a device has or, when it is removed, had; 0 for the recovery key. */
  level(id: string): number | undefined {
    this.resolve()
    return this.lastLevel(id)
  }
  /** The level as it was when somebody last asked for the state. */
  lastLevel(id: string): number | undefined {
    const level = this.#devices.get(id)?.level
    return level === NONE ? undefined : level
  }
  /** Ids of the operations by others that remove a device and count. */
  removals(id: string): string[] {
    this.resolve()
    const device = this.#devices.get(id)
    if (device === undefined) return []
    return device.removals
      .map(i => this.#entries[i]!)
      .filter(({ author, live }) => live && author !== device && author.level < device.level)
      .map(({ step }) => step.id)
  }
  /** The operation that gave a device the level it has or had. */
  givenBy(id: string): string | undefined {
    this.resolve()
    const device = this.#devices.get(id)
    return device === undefined || device.added < 0 ? undefined : this.#entries[device.added]!.step.id
  }
  /** How many operations of this author are kept. */
  authored(author: string): number {
    return this.#devices.get(author)?.authored.length ?? 0
  }
  /** Index of the last operation kept of this author. */
  last(author: string): number | undefined {
    return this.#devices.get(author)?.authored.at(-1)
  }
  /** Indices of what adds or removes somebody and counts, with the levels of the authors. */
  deeds(): { index: number; level: number }[] {
    this.resolve()
    return this.#entries.flatMap(({ live, step: { target }, author: { level } }, index) =>
      live && target !== undefined ? [{ index, level }] : []
    )
  }

  /** Whether an operation with these parents has its author in its past: added, first device or recovery. */
  introduced(author: string, prev: readonly string[]): boolean {
    const first = this.#entries[0]
    if (first === undefined) return false
    if (author === first.step.author || author === first.step.recovery) return true
    const adds = this.#devices.get(author)?.adds
    if (adds === undefined || adds.length === 0) return false
    const past = this.past(prev)
    return adds.some(i => bit(past, i))
  }

  /** Bits over indices: the given operations (unknown ones are left out) and everything in their past. */
  past(ids: Iterable<string>): Uint32Array {
    const past = new Uint32Array((this.#entries.length + 31) >>> 5)
    for (const id of ids) {
      const i = this.#index.get(id)
      if (i !== undefined) this.#include(past, i)
    }
    return past
  }

  /** Adds an operation. Returns false if it is known; throws when a parent is not. */
  add(step: Step): boolean {
    if (this.#index.has(step.id)) return false
    const at = this.#entries.length
    if ((step.kind === 'genesis') !== (at === 0)) throw new Error('a log begins with its one genesis')
    const parents = step.prev.map(id => {
      const parent = this.#index.get(id)
      if (parent === undefined) throw new Error(`operation ${step.id} before its parent ${id}`)
      return parent
    })

    const words = (at + 31) >>> 5
    const row = this.#reserve(words)
    const past = this.#rows.subarray(row, row + words)
    for (const parent of parents) this.#include(past, parent)

    const author = this.#device(step.author)
    let sequence = 1
    for (let i = author.authored.length - 1; i >= 0; i--) {
      const own = author.authored[i]!
      if (bit(past, own)) sequence = Math.max(sequence, this.#entries[own]!.sequence + 1)
    }
    const same = (author.sequences.get(sequence) ?? 0) + 1
    author.sequences.set(sequence, same)
    if (same > 1) author.forked = true

    const target = step.target === undefined ? undefined : this.#device(step.target)
    // A cut speaks of what its author had seen: heads outside its past mean nothing.
    const cut = step.cut
      ?.map(id => this.#index.get(id))
      .filter((i): i is number => i !== undefined && bit(past, i))
    author.authored.push(at)
    if (step.kind === 'remove') target!.removals.push(at)
    if (step.kind === 'add') target!.adds.push(at)
    if (step.kind === 'genesis') this.#recovery = this.#device(step.recovery ?? '')
    this.#index.set(step.id, at)
    const entry: Entry = { step, author, target, sequence, row, words, cut, live: false }
    this.#entries.push(entry)
    for (const id of step.prev) this.#heads.delete(id)
    this.#heads.add(step.id)
    this.#follow(entry)
    return true
  }

  /**
   * A new operation is in no other one's past. So (the genesis aside) of an author that counts for nothing, or over its quota,
   * it changes nothing, but that one more leaving of a device that left cuts it further; and a name or a rekey
   * changes only how its author stands. All else is decided anew.
   */
  #follow(entry: Entry): void {
    if (this.#resolution === undefined) return
    const { author, target, step } = entry
    if (step.kind === 'genesis') this.#resolution = undefined
    if (author.level === NONE || !counts(entry)) return
    if (author.removed && !(author.left && target === author && step.kind === 'remove')) return
    if (step.kind === 'name' || step.kind === 'rekey') {
      entry.live = true
      this.#restated.add(author)
    } else this.#resolution = undefined
  }

  resolve(): Resolution {
    if (this.#resolution === undefined) this.#resolution = this.#decide()
    else if (this.#restated.size > 0) {
      const members = new Map(this.#resolution.members)
      for (const device of this.#restated)
        if (members.has(device.id)) members.set(device.id, this.#standing(device))
      this.#resolution = { ...this.#resolution, members }
    }
    this.#restated.clear()
    return this.#resolution
  }

  #decide(): Resolution {
    for (const device of this.#devices.values()) {
      device.level = NONE
      device.added = -1
      device.removed = false
    }
    for (const entry of this.#entries) entry.live = false
    const members = new Map<string, Standing>()
    const removed = new Set<string>()
    const left = new Map<string, number>()
    const first = this.#entries[0]
    if (first === undefined) return { members, removed, left }
    const recovery = this.#recovery!
    recovery.level = 0
    if (first.author !== recovery) this.#give(first.author, 1, 0)

    // Devices by the level they were given; one that got a smaller level since is passed over.
    const given: Device[][] = Array.from({ length: LEVELS }, () => [])
    given[0]!.push(recovery)
    if (first.author !== recovery) given[1]!.push(first.author)
    for (let level = 0; level < LEVELS; level++)
      for (const device of given[level]!) {
        if (device.level !== level) continue
        this.#judge(device)
        for (const i of device.authored) {
          const { live, step, target } = this.#entries[i]!
          if (!live || step.kind !== 'add' || step.level! <= level || step.level! >= LEVELS) continue
          if (this.#give(target!, step.level!, i)) given[step.level!]!.push(target!)
        }
      }

    for (const device of this.#devices.values()) {
      if (device.level === NONE || !device.removed) continue
      removed.add(device.id)
      if (device.left) left.set(device.id, device.level)
    }
    for (const device of this.#standingDevices()) members.set(device.id, this.#standing(device))
    return { members, removed, left }
  }

  /** Returns whether the level is new to the device. */
  #give(device: Device, level: number, by: number): boolean {
    const better =
      level < device.level ||
      (level === device.level && this.#entries[by]!.step.id < this.#entries[device.added]!.step.id)
    if (!better) return false
    const fresh = level !== device.level
    device.level = level
    device.added = by
    return fresh
  }

  /** Decides which operations of a device live, now that all lower levels are decided. */
  #judge(device: Device): void {
    let trusted: Uint32Array | undefined
    for (const i of device.removals) {
      const removal = this.#entries[i]!
      if (removal.author === device || !removal.live || removal.author.level >= device.level) continue
      trusted = this.#intersect(trusted, this.#trustedBy(removal))
    }
    const byOthers = trusted
    for (const i of device.removals) {
      const leaving = this.#entries[i]!
      if (leaving.author !== device || (byOthers && !bit(byOthers, i))) continue
      const past = this.past([leaving.step.id])
      trusted = this.#intersect(trusted, past)
    }
    device.removed = trusted !== undefined
    device.left = device.removed && byOthers === undefined
    for (const i of device.authored) {
      const entry = this.#entries[i]!
      entry.live = (trusted === undefined || bit(trusted, i)) && counts(entry)
    }
  }

  #standingDevices(): Device[] {
    const all = [...this.#devices.values()].filter(
      d => d.level !== NONE && !d.removed && d !== this.#recovery
    )
    if (all.length <= MAX_MEMBERS) return all
    const by = (d: Device) => this.#entries[d.added]!.step.id
    return all.sort((a, b) => a.level - b.level || (by(a) < by(b) ? -1 : 1)).slice(0, MAX_MEMBERS)
  }

  #standing(device: Device): Standing {
    const latest = (kind: 'rekey' | 'name') =>
      device.authored
        .map(i => this.#entries[i]!)
        .filter(e => e.live && e.step.kind === kind)
        .map(e => e.step)
        .sort((a, b) => b.serial! - a.serial! || (a.id < b.id ? -1 : 1))
    return {
      level: device.level,
      added: this.#entries[device.added]!.step.id,
      rekeys: latest('rekey')
        .slice(0, 2)
        .map(s => s.id),
      name: latest('name')[0]?.id
    }
  }

  /** A fresh row: what a removal leaves of its target. */
  #trustedBy(removal: Entry): Uint32Array {
    const past = new Uint32Array((this.#entries.length + 31) >>> 5)
    if (removal.cut === undefined) past.set(this.#rows.subarray(removal.row, removal.row + removal.words))
    else for (const i of removal.cut) this.#include(past, i)
    return past
  }

  #intersect(a: Uint32Array | undefined, b: Uint32Array): Uint32Array {
    if (a !== undefined) for (let i = 0; i < b.length; i++) b[i]! &= a[i]!
    return b
  }

  #include(past: Uint32Array, i: number): void {
    const { row, words } = this.#entries[i]!
    const rows = this.#rows
    for (let w = 0; w < words; w++) past[w]! |= rows[row + w]!
    set(past, i)
  }

  #reserve(words: number): number {
    if (this.#used + words > this.#rows.length) {
      const larger = new Uint32Array(Math.max(this.#rows.length * 2, this.#used + words))
      larger.set(this.#rows.subarray(0, this.#used))
      this.#rows = larger
    }
    const row = this.#used
    this.#used += words
    return row
  }

  #device(id: string): Device {
    let device = this.#devices.get(id)
    if (device === undefined) {
      device = {
        id,
        authored: [],
        removals: [],
        adds: [],
        sequences: new Map(),
        forked: false,
        level: NONE,
        added: -1,
        removed: false,
        left: false
      }
      this.#devices.set(id, device)
    }
    return device
  }
}

const counts = ({ author, step, sequence }: Entry): boolean =>
  sequence <= quota(author.level) || step.kind === 'remove'

export const bit = (row: Uint32Array, i: number): boolean => ((row[i >>> 5] ?? 0) & (1 << (i & 31))) !== 0
const set = (row: Uint32Array, i: number): void => {
  row[i >>> 5]! |= 1 << (i & 31)
}
