/** Round trips that somebody waits for. */
export class Pings {
  readonly #waiting = new Map<number, { resolve(uSec: number): void; reject(error: Error): void }>()
  #last = 0

  /** `send` is given a token to pass to the mesh. Resolves microseconds; rejects what `give up` is given. */
  wait(
    send: (token: number) => void,
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
        act()
      }
      const timer = setTimeout(() => end(() => reject(late())), timeoutMs)
      const aborted = () => end(() => reject(signal.reason as Error))
      signal.addEventListener('abort', aborted)
      this.#waiting.set(token, {
        resolve: uSec => end(() => resolve(uSec)),
        reject: error => end(() => reject(error))
      })
      send(token)
    })
  }

  answered(token: number, uSec: number): void {
    this.#waiting.get(token)?.resolve(uSec)
  }
}
