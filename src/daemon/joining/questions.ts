/** Questions that wait for callers of the socket: who made an invitation sees them as details of its progress. */
import { ApiError } from '../../api/api.ts'
import { toBase32 } from '../../wire/base32.ts'

export class Questions {
  readonly #random: (length: number) => Uint8Array
  readonly #waiting = new Map<string, (accept: boolean) => void>()

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random
  }

  /** A name that answers are given under. */
  name(): string {
    return toBase32(this.#random(10))
  }

  /** The answer under that name; undefined when `signal` is aborted first. */
  async wait(request: string, signal: AbortSignal): Promise<boolean | undefined> {
    if (signal.aborted) return undefined
    const { promise, resolve } = Promise.withResolvers<boolean | undefined>()
    const aborted = () => resolve(undefined)
    this.#waiting.set(request, resolve)
    signal.addEventListener('abort', aborted)
    try {
      return await promise
    } finally {
      this.#waiting.delete(request)
      signal.removeEventListener('abort', aborted)
    }
  }

  /** Throws ApiError when nobody waits for that answer. */
  answer(request: string, accept: boolean): void {
    const resolve = this.#waiting.get(request)
    if (resolve === undefined) {
      const sentence = 'nothing is asked under that name: it was answered already, or is of no use any more'
      throw new ApiError('InvalidValue', sentence)
    }
    this.#waiting.delete(request)
    resolve(accept)
  }
}
