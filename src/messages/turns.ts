/**
 * Numbers of messages that wait to be sent: of one tag in ascending order, the tags in turn, so that a tag of which
 * there is much does not hold up the others.
 */
export class Turns {
  /** By tag; whose turn it is comes first. */
  readonly #queues = new Map<string, Queue>()

  add(tag: string, seq: number): void {
    const queue = this.#queues.get(tag)
    if (queue === undefined) this.#queues.set(tag, new Queue(seq))
    else queue.add(seq)
  }

  clear(): void {
    this.#queues.clear()
  }

  /**
   * Offers the first number of each tag, again and again, until none is taken. `gone`: it is not to be sent any more;
   * `full`: nothing of that tag can be sent now; `over`: nothing at all.
   */
  offer(one: (seq: number) => 'sent' | 'gone' | 'full' | 'over'): void {
    // what is put back at the end comes by again
    for (const [tag, queue] of this.#queues) {
      let answer = one(queue.first)
      while (answer === 'gone' && queue.drop()) answer = one(queue.first)
      if (answer === 'over') return
      if (answer === 'full') continue
      this.#queues.delete(tag)
      if (answer === 'sent' && queue.drop()) this.#queues.set(tag, queue)
    }
  }
}

/** Ascending, each once; never empty. */
class Queue {
  #seqs: number[]
  #head = 0

  constructor(seq: number) {
    this.#seqs = [seq]
  }

  get first(): number {
    return this.#seqs[this.#head]!
  }

  add(seq: number): void {
    let at = this.#seqs.length
    while (at > this.#head && this.#seqs[at - 1]! > seq) at--
    if (at === this.#head || this.#seqs[at - 1] !== seq) this.#seqs.splice(at, 0, seq)
  }

  /** Forgets the first; false when there is no other. */
  drop(): boolean {
    if (++this.#head === 4_096) {
      this.#seqs = this.#seqs.slice(this.#head)
      this.#head = 0
    }
    return this.#head < this.#seqs.length
  }
}
