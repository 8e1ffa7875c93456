/** Round trips that somebody waits for. */
export class Pings {
  readonly #waiting = new Map<number, { resolve(uSec: number): void; reject(error: Error): void }>()
  #last = 0

  readonly #forget: (token: number) => void

  /** `forget`: nobody waits for the answer to this token any more. */
  constructor(forget: (token: number) => void) {
    this.#forget = forget
  }

  /** `send` is given a token to pass to the mesh; false: in vain. Resolves microseconds; rejects what `late` gives. */
  wait(
    send: (token: number) => boolean,
    timeoutMs: number,
    late: () => Error,
    signal: AbortSignal
  ): Promise<number> {
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    const token = ++this.#last
    return new Promise<number>((resolve, reject) => {
      const end = (act: () => void) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', aborted)
        this.#waiting.delete(token)
        this.#forget(token)
        act()
      }
      const timer = setTimeout(() => end(() => reject(late())), timeoutMs)
      const aborted = () => end(() => reject(signal.reason as Error))
      signal.addEventListener('abort', aborted)
      this.#waiting.set(token, {
        resolve: uSec => end(() => resolve(uSec)),
        reject: error => end(() => reject(error))
      })
      if (!send(token)) end(() => reject(late()))
    })
  }

  answered(token: number, uSec: number): void {
    this.#waiting.get(token)?.resolve(uSec)
  }
}
