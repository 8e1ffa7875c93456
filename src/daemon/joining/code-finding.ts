/**
 * Finds the inviter that has this code. Whoever gets our tag can test one code with it, so at most three get
 * one; a silent one gets none.
 */
import { ApiError } from '../../api/api.ts'
import { CodeAsking } from './code-asking.ts'
import { firstAnswer } from './first-answer.ts'
import { type Inviter, Inviters } from './inviters.ts'
import { type CodeJoin, JoinerRunError } from './joiner-run.ts'
import type { Joining } from './joining.ts'
import { TRIES } from './open-invitation.ts'

/** Once one has said that it has another code: how long others are waited for, and those that are silent. */
const OTHERS_MS = 2_500
const SILENT_MS = 6_000
/** Between two looks at who was found. */
const LOOK_MS = 100
/** One that does not answer keeps others waiting no longer; so many are asked at once. */
const NEXT_MS = 500
const AT_ONCE = 3

/** Tells of each address at which an invitation is open, and a name for the inviter, until the signal ends it. */
export type Search = (onFound: (address: string, inviter: string) => void, signal: AbortSignal) => void

/** An inviter that has the code; asking is still to come. */
export interface Found {
  readonly asking: CodeAsking
  readonly address: string
}

export interface CodeFindingOptions extends Pick<Joining, 'around' | 'call' | 'timeoutMs'> {
  readonly code: Omit<CodeJoin, 'mayShow'>
  /** tcp URIs; empty: it is searched for. */
  readonly at: readonly string[]
  readonly search: Search
}

export class CodeFinding {
  readonly #options: CodeFindingOptions
  readonly #inviters = new Inviters()
  #tags = 0
  #wrong: { readonly at: number; readonly triesLeft: number } | undefined

  constructor(options: CodeFindingOptions) {
    this.#options = options
  }

  /** Rejects ApiError, or the reason of the call's signal. */
  async find(): Promise<Found> {
    const { around, at, call, search, timeoutMs } = this.#options
    const over = new AbortController()
    const signal = AbortSignal.any([call.signal, over.signal])
    let wake = () => {}
    if (at.length > 0) this.#inviters.given(at)
    else
      search((address, inviter) => {
        this.#inviters.heard(inviter, address)
        wake()
      }, signal)
    const end = around.now() + timeoutMs
    call.progress('looking for the inviting device')
    let found: Found | undefined
    let asked = 0
    let latest = Number.NEGATIVE_INFINITY
    try {
      for (;;) {
        const woken = new Promise<void>(resolve => {
          wake = resolve
        })
        const now = around.now()
        const wait = asked === AT_ONCE || (asked > 0 && now < latest + NEXT_MS)
        const next = wait ? undefined : this.#inviters.next(now)
        if (next !== undefined) {
          asked++
          latest = now
          this.#ask(next, signal).then(one => {
            asked--
            if (signal.aborted || found !== undefined) one?.asking.close()
            else found = one
            wake()
          })
        }
        await Promise.race([woken, pause(around, LOOK_MS, signal)])
        call.signal.throwIfAborted()
        if (found !== undefined) return found
        this.#giveUp(end, asked)
      }
    } catch (error) {
      found?.asking.close()
      throw error
    } finally {
      over.abort()
    }
  }

  /** undefined: silent, gone, or of another code. */
  async tryAt(addresses: readonly string[], signal: AbortSignal): Promise<Found | 'wrong' | undefined> {
    const { around, code } = this.#options
    const mayShow = () => ++this.#tags <= TRIES
    const answer = await firstAnswer<{ asking: CodeAsking } | { triesLeft: number }>(
      addresses,
      around,
      signal,
      link =>
        around.gate.tryCode(link, { ...code, mayShow }).then(
          ({ offer, session }) => ({ asking: new CodeAsking(offer, session, around) }),
          error => {
            if (!(error instanceof JoinerRunError) || error.reason !== 'wrong') throw error
            return { triesLeft: error.triesLeft }
          }
        )
    )
    if (answer === undefined || 'asking' in answer) return answer
    this.#wrong = { at: around.now(), triesLeft: answer.triesLeft }
    return 'wrong'
  }

  async #ask(inviter: Inviter, signal: AbortSignal): Promise<Found | undefined> {
    this.#inviters.asked(inviter)
    const found = await this.tryAt(inviter.addresses, signal)
    if (found === 'wrong') this.#inviters.wrong(inviter)
    else if (found === undefined) this.#inviters.silent(inviter, this.#options.around.now())
    else return found
    return undefined
  }

  /** Throws ApiError when there is nothing more to hope for. */
  #giveUp(end: number, asked: number): void {
    const { around, at } = this.#options
    const now = around.now()
    const wrong = this.#wrong
    if (wrong !== undefined) {
      const patience = this.#inviters.hopeful ? SILENT_MS : at.length > 0 ? 0 : OTHERS_MS
      const spent = this.#tags >= TRIES && asked === 0
      if (spent || now >= Math.min(end, wrong.at + patience)) throw wrongCode(wrong.triesLeft)
    }
    if (now < end) return
    throw new ApiError(
      'NoInvitation',
      at.length > 0
        ? `no invitation is open at ${at.join(', ')}: \`coterie invite\` must be running there, and its network must let this device through`
        : 'no open invitation was found: `coterie invite` must be running on a device of the circle, on the same network; if it is elsewhere, give its address with --at'
    )
  }
}

/** Resolves early when the signal ends it. */
export function pause(
  around: { after(ms: number, act: () => void): () => void },
  ms: number,
  signal: AbortSignal
): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = around.after(ms, end)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}

function wrongCode(triesLeft: number): ApiError {
  if (triesLeft === 0)
    return new ApiError(
      'WrongCode',
      'wrong code, and that was the last try: the code is no longer good; `coterie invite` makes another'
    )
  const left = triesLeft === 1 ? '1 try' : `${triesLeft} tries`
  return new ApiError('WrongCode', `wrong code: compare it with what the inviting device shows; ${left} left`)
}
