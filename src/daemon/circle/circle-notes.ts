/** What one circle says in the notes of the status, a sentence on each subject. */
import type { CircleId } from '../../crypto/identity.ts'
import type { Surroundings } from '../surroundings.ts'

export class CircleNotes {
  readonly #circle: CircleId
  readonly #around: Pick<Surroundings, 'note'>
  readonly #said = new Map<string, string>()

  constructor(circle: CircleId, around: Pick<Surroundings, 'note'>) {
    this.#circle = circle
    this.#around = around
  }

  /** '' when there is nothing to say any more. */
  say(subject: string, sentence: string): void {
    if ((this.#said.get(subject) ?? '') === sentence) return
    this.#said.set(subject, sentence)
    this.#around.note(`${this.#circle} ${subject}`, sentence)
  }

  clear(): void {
    for (const subject of this.#said.keys()) this.say(subject, '')
  }
}
