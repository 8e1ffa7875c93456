/** Choices by a seed. */
import { generator } from '../random.ts'

export class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = generator(seed)
  }

  /** 0 to n - 1. */
  nat(n: number): number {
    return Math.floor(this.#random() * n)
  }
  /** Both ends included. */
  between(least: number, most: number): number {
    return least + this.nat(most - least + 1)
  }
  chance(share: number): boolean {
    return this.#random() < share
  }
  pick<T>(list: readonly T[]): T {
    return list[this.nat(list.length)]!
  }
  /** Weights by name. */
  among<T extends string>(weights: { readonly [name in T]: number }): T {
    const names = Object.keys(weights) as T[]
    let at = this.#random() * names.reduce((sum, name) => sum + weights[name], 0)
    for (const name of names) if ((at -= weights[name]) < 0) return name
    return names[0]!
  }
  shuffled<T>(list: readonly T[]): T[] {
    const all = [...list]
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.nat(i + 1)
      ;[all[i], all[j]] = [all[j]!, all[i]!]
    }
    return all
  }
  /** 8 hexadecimal digits. */
  id(): string {
    return Math.floor(this.#random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  }
}
