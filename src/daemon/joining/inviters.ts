/**
 * Which inviter a code is tried at next: those given, in their order, or those heard, the latest first. One
 * that has said that it is another code is not asked again; a silent one is, after a while.
 */
export interface Inviter {
  readonly name: string
  readonly addresses: readonly string[]
}

interface Known {
  readonly addresses: Set<string>
  /** Order of hearing, or of being given. */
  order: number
  /** When it may be tried (again). */
  from: number
}

/** Between two attempts at one that does not answer. */
const PAUSE_MS = 1_000

export class Inviters {
  readonly #known = new Map<string, Known>()
  readonly #wrong = new Set<string>()
  #order = 0

  /** An address of this inviter was heard. The latest comes first. */
  heard(name: string, address: string): void {
    this.#add(name, address, ++this.#order)
  }

  given(addresses: readonly string[]): void {
    for (const address of addresses) this.#add(address, address, -++this.#order)
  }

  /** Some are known that have not said no. */
  get hopeful(): boolean {
    return [...this.#known.keys()].some(name => !this.#wrong.has(name))
  }

  next(now: number): Inviter | undefined {
    let best: [string, Known] | undefined
    for (const [name, known] of this.#known) {
      if (known.from > now || this.#wrong.has(name)) continue
      if (best === undefined || known.order > best[1].order) best = [name, known]
    }
    return best && { name: best[0], addresses: [...best[1].addresses] }
  }

  /** It is not named again until `silent` says that it may. */
  asked({ name }: Inviter): void {
    this.#from(name, Number.POSITIVE_INFINITY)
  }

  /** It did not answer. */
  silent({ name }: Inviter, now: number): void {
    this.#from(name, now + PAUSE_MS)
  }

  /** It has another code. */
  wrong({ name }: Inviter): void {
    this.#wrong.add(name)
  }

  #from(name: string, from: number): void {
    const known = this.#known.get(name)
    if (known !== undefined) known.from = from
  }

  #add(name: string, address: string, order: number): void {
    const known = this.#known.get(name) ?? { addresses: new Set(), order, from: 0 }
    known.order = order
    known.addresses.add(address)
    this.#known.set(name, known)
  }
}
