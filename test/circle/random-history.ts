/**
 * Random membership histories: devices that keep the rules as far as they have heard, apart and together
 * again. Each knows only what it has met; it builds on the heads of that. Clones go on under one key.
 */
import type { Step } from '../../src/circle/resolver.ts'
import type { Dice } from './dice.ts'

/** Authors are hexadecimal, as keys are in the log: d0 the first device, d1 to db others, ec the recovery key. */
export const RECOVERY = 'ec'
export const FIRST = 'd0'
const DEVICES = 12

/** One computer: a key, and what it has heard as bits over the steps. */
interface Copy {
  readonly key: string
  view: bigint
  part: number
}

export class Writer {
  readonly steps: Step[] = []
  /** Of each step: its past and itself. */
  readonly #past: bigint[] = []
  readonly #at = new Map<string, number>()
  readonly #serials = new Map<string, number>()
  /** The smallest level that anybody tried to give. */
  readonly levels = new Map<string, number>()
  readonly dice: Dice

  constructor(dice: Dice) {
    this.dice = dice
    this.#push({ id: dice.id(), prev: [], kind: 'genesis', author: FIRST, recovery: RECOVERY })
    this.levels.set(FIRST, 1).set(RECOVERY, 0)
  }

  get ids(): string[] {
    return this.steps.map(s => s.id)
  }
  /** Bits of an operation and its past. */
  past(id: string): bigint {
    return this.#past[this.#at.get(id)!]!
  }
  /** Those of a view that nothing else in it stands on; at most 16. */
  heads(view: bigint): string[] {
    const found: string[] = []
    let covered = 0n
    for (let i = this.steps.length - 1; i >= 0; i--) {
      const bit = 1n << BigInt(i)
      if ((view & bit) === 0n) continue
      if ((covered & bit) === 0n) found.push(this.steps[i]!.id)
      covered |= this.#past[i]!
    }
    return found.slice(0, 16)
  }
  seen(view: bigint): Step[] {
    return this.steps.filter((_, i) => (view & (1n << BigInt(i))) !== 0n)
  }

  add(author: string, prev: readonly string[], target: string, level: number): bigint {
    this.levels.set(target, Math.min(level, this.levels.get(target) ?? 255))
    return this.#write({ kind: 'add', author, prev, target, level })
  }
  remove(author: string, prev: readonly string[], target: string, cut?: readonly string[]): bigint {
    return this.#write({ kind: 'remove', author, prev, target, cut })
  }
  /** Of a name or static; the serial goes on from the last, unless given. */
  say(author: string, prev: readonly string[], kind: 'name' | 'rekey', serial?: number): bigint {
    const next = serial ?? (this.#serials.get(author) ?? 0) + 1
    this.#serials.set(author, next)
    return this.#write({ kind, author, prev, serial: next })
  }

  #write(step: Omit<Step, 'id'>): bigint {
    this.#push({ id: this.dice.id(), ...step, prev: [...new Set(step.prev)].sort() })
    return this.#past.at(-1)!
  }
  #push(step: Step): void {
    let past = 1n << BigInt(this.steps.length)
    for (const parent of step.prev) past |= this.past(parent)
    this.#at.set(step.id, this.steps.length)
    this.#past.push(past)
    this.steps.push(step)
  }
}

/** A circle's life of 8 to `most` events. `wild`: its devices also do what they may not. */
export class Life {
  readonly writer: Writer
  readonly #dice: Dice
  readonly #copies: Copy[]
  readonly #wild: boolean

  constructor(dice: Dice, most: number) {
    this.#dice = dice
    this.writer = new Writer(dice)
    this.#wild = dice.chance(0.15)
    this.#copies = [{ key: FIRST, view: 1n, part: 0 }]
    const devices = dice.between(2, DEVICES)
    for (let events = dice.between(8, most); events > 0; events--) this.#event(devices)
  }

  #event(devices: number): void {
    const copy = this.#dice.pick(this.#copies)
    const what = this.#dice.among({ meet: 9, apart: 1, act: 18 })
    if (what === 'meet') {
      const other = this.#dice.pick(this.#copies)
      if (other.part === copy.part) copy.view = other.view = copy.view | other.view
    } else if (what === 'apart') {
      const parts = this.#dice.between(1, 3)
      for (const each of this.#copies) each.part = this.#dice.nat(parts)
    } else this.#act(copy, devices)
  }

  #act(copy: Copy, devices: number): void {
    const { writer } = this
    const dice = this.#dice
    const seen = writer.seen(copy.view)
    const gone = seen.some(s => s.kind === 'remove' && s.target === copy.key)
    if (gone && !this.#wild) return
    const level = writer.levels.get(copy.key) ?? 11
    const heads = writer.heads(copy.view)
    const below = this.#wild
      ? [...writer.levels.keys()].filter(key => key !== RECOVERY)
      : [...writer.levels].filter(([, its]) => its > level).map(([key]) => key)
    const leaving = seen.find(
      s =>
        s.kind === 'remove' &&
        s.author === s.target &&
        (writer.levels.get(s.author) ?? 0) > level &&
        !seen.some(r => r.kind === 'remove' && r.target === s.target && r.author !== s.author)
    )
    switch (dice.among({ add: 8, remove: 3, leave: 0.5, finish: 6, say: 4, recover: 0.4, clone: 0.4 })) {
      case 'add': {
        const fresh = `d${Math.min(this.#keys, devices - 1).toString(16)}`
        const target = dice.chance(0.15) && below.length > 0 ? dice.pick(below) : fresh
        if (target === FIRST || (level >= 11 && !this.#wild)) break
        const given = this.#wild ? dice.between(1, 11) : dice.between(level + 1, 11)
        const rounded = dice.chance(0.4) && level < 10 ? 10 : given
        copy.view |= writer.add(copy.key, heads, target, rounded)
        if (!this.#copies.some(c => c.key === target))
          this.#copies.push({ key: target, view: copy.view, part: copy.part })
        break
      }
      case 'remove':
        if (below.length > 0) copy.view |= this.#remove(copy.key, heads, dice.pick(below), copy.view)
        break
      case 'leave':
        copy.view |= writer.remove(copy.key, heads, copy.key)
        break
      case 'finish':
        if (leaving !== undefined) copy.view |= writer.remove(copy.key, heads, leaving.target!, heads)
        break
      case 'say':
        copy.view |= writer.say(copy.key, heads, dice.chance(0.5) ? 'name' : 'rekey')
        break
      case 'recover':
        this.#recover(copy, heads)
        break
      case 'clone':
        this.#copies.push({ ...copy })
    }
  }

  /** As far as it saw, up to a point before, as far as all it has, or not at all. */
  #remove(by: string, heads: readonly string[], target: string, view: bigint): bigint {
    const { writer } = this
    const cuts = {
      none: undefined,
      since: [this.#dice.pick(writer.seen(view)).id],
      heads,
      nothing: []
    }
    const kind = this.#dice.among({ none: 5, since: 3, heads: 1, nothing: 1 })
    return writer.remove(by, heads, target, cuts[kind])
  }

  /** On a member: a new first device, and the one before it removed. */
  #recover(copy: Copy, heads: readonly string[]): void {
    copy.view |= this.writer.add(RECOVERY, heads, copy.key, 1)
    const others = [...this.writer.levels.keys()].filter(key => key !== RECOVERY && key !== copy.key)
    if (others.length > 0 && this.#dice.chance(0.8)) {
      const next = this.writer.heads(copy.view)
      copy.view |= this.#remove(RECOVERY, next, this.#dice.pick(others), copy.view)
    }
  }

  get #keys(): number {
    return new Set(this.#copies.map(c => c.key)).size
  }
}
