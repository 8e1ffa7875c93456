/** What devices do that do not keep the rules: operations of any shape, at any point of a history. */
import { Resolver, type Step } from '../../src/circle/resolver.ts'
import { Dice } from './dice.ts'
import { Life, RECOVERY, type Writer } from './random-history.ts'

export const OUTSIDER = 'ff'
/** Keys that attackers bring in. */
const SYBILS = ['e0', 'e1', 'e2']

export interface History {
  /** Each after its parents. */
  readonly steps: readonly Step[]
  /** 1 to 8 operations, or a burst over the quota as one of them; they may build on each other. */
  readonly attack: readonly Step[]
  /** Whose keys the attack has; those that it brings in aside. */
  readonly attackers: readonly string[]
}

export interface Sizes {
  /** Events of a life at most; 90. */
  readonly events?: number
  /** How often an operation is a burst over the quota; 0.01. */
  readonly bursts?: number
}

export function randomHistory(seed: number, { events = 90, bursts = 0.01 }: Sizes = {}): History {
  const dice = new Dice(seed)
  const { writer } = new Life(dice, events)
  const steps = [...writer.steps]
  const attackers = choose(dice, steps)
  const attack = new Attack(dice, writer, attackers)
  for (let n = dice.between(1, 8); n > 0; n--) attack.operation(bursts)
  return { steps, attack: writer.steps.slice(steps.length), attackers }
}

/** One or two of those removed, of those there, of those that left, or one that never was there. */
function choose(dice: Dice, steps: readonly Step[]): string[] {
  const resolver = new Resolver()
  for (const s of steps) resolver.add(s)
  const { members, removed, left } = resolver.resolve()
  const all = {
    removed: [...removed].filter(key => !left.has(key) && key !== RECOVERY),
    member: [...members.keys()],
    left: [...left.keys()].filter(key => key !== RECOVERY),
    outsider: [OUTSIDER]
  }
  const chosen = Array.from({ length: dice.chance(0.3) ? 2 : 1 }, () => {
    const kind = dice.among({
      removed: all.removed.length > 0 ? 5 : 0,
      member: all.member.length > 0 ? 5 : 0,
      left: all.left.length > 0 ? 1 : 0,
      outsider: 0.5
    })
    return dice.pick(all[kind])
  })
  return [...new Set(chosen)]
}

class Attack {
  readonly #dice: Dice
  readonly #writer: Writer
  readonly #attackers: readonly string[]
  /** Theirs, and those that they brought in. */
  readonly #keys: string[]
  readonly #targets: readonly string[]

  constructor(dice: Dice, writer: Writer, attackers: readonly string[]) {
    this.#dice = dice
    this.#writer = writer
    this.#attackers = attackers
    this.#keys = [...attackers]
    this.#targets = [...writer.levels.keys()]
  }

  operation(bursts: number): void {
    const dice = this.#dice
    const by = dice.pick(this.#keys)
    const at = this.#point(by)
    if (dice.chance(bursts)) {
      this.#burst(by, at)
      return
    }
    const kinds = { bring: 3, promote: 2, upward: 4, foreign: 1, readd: 2, say: 1, leave: 0.5 }
    switch (dice.among(kinds)) {
      case 'bring': {
        const sybil = dice.pick(SYBILS)
        this.#writer.add(by, at, sybil, dice.between(1, 11))
        if (!this.#keys.includes(sybil)) this.#keys.push(sybil)
        break
      }
      case 'promote':
        this.#writer.add(by, at, dice.pick(this.#keys), dice.between(1, 10))
        break
      case 'upward':
        this.#writer.remove(by, at, dice.pick(this.#targets), this.#cut(at))
        break
      case 'foreign':
        this.#writer.remove(by, at, dice.pick(this.#targets), [dice.pick(this.#writer.ids), dice.id()])
        break
      case 'readd':
        this.#writer.add(by, at, dice.pick(this.#targets), dice.between(1, 11))
        break
      case 'say':
        this.#writer.say(by, at, dice.chance(0.5) ? 'name' : 'rekey', dice.between(1, 99))
        break
      case 'leave':
        this.#writer.remove(by, at, dice.pick(this.#attackers), this.#cut(at))
    }
  }

  /** More than anybody may say: in a row, or all at one place. */
  #burst(by: string, at: readonly string[]): void {
    const inRow = this.#dice.chance(0.5)
    let prev = at
    for (let n = 0; n < 70; n++) {
      this.#writer.say(by, prev, 'name', n + 1)
      if (inRow) prev = [this.#writer.steps.at(-1)!.id]
    }
  }

  /** Old points, the latest ones, or its own last: back-dated, up to date, or in a row. */
  #point(by: string): string[] {
    const dice = this.#dice
    const { ids, steps } = this.#writer
    const own = steps.findLast(s => s.author === by)
    const latest = () => this.#writer.heads((1n << BigInt(ids.length)) - 1n)
    switch (dice.among({ old: 5, heads: 3, own: 2, sibling: 2 })) {
      case 'heads':
        return latest()
      case 'own':
        return own ? [own.id] : [dice.pick(ids)]
      case 'sibling':
        return own && own.prev.length > 0 ? [...own.prev] : [dice.pick(ids)]
      default:
        return Array.from({ length: dice.between(1, 3) }, () => dice.pick(ids))
    }
  }

  #cut(at: readonly string[]): readonly string[] | undefined {
    const cuts = { none: undefined, nothing: [], heads: at, any: [this.#dice.pick(this.#writer.ids)] }
    return cuts[this.#dice.among({ none: 3, nothing: 2, heads: 1, any: 2 })]
  }
}
