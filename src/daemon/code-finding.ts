/**
 * Finds the inviter that has this code. Whoever gets our tag can test one code with it, so at most three get
 * one; a silent one gets none.
 */
import { ApiError } from '../api/api.ts'
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

/** Tells of each address at which an invitation is open, and a name for the inviter, until the signal ends it. */
export type Search = (onFound: (address: string, inviter: string) => void, signal: AbortSignal) => void

/** An inviter that has the code; asking is still to come. */
export interface Found {
  readonly asking: CodeAsking
  readonly address: string
}

export interface CodeFindingOptions extends Pick<Joining, 'around' | 'call' | 'timeoutMs'> {
  readonly code: Omit<CodeJoin, 'onTag'>
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
    if (at.length > 0) this.#inviters.given(at)
    else search((address, inviter) => this.#inviters.heard(inviter, address), signal)
    const end = around.now() + timeoutMs
    call.progress('looking for the inviting device')
    try {
      for (;;) {
        call.signal.throwIfAborted()
        const next = this.#inviters.next(around.now())
        const found = next && (await this.#ask(next, signal))
        if (found !== undefined) return found
        this.#giveUp(end)
        if (next === undefined) await pause(around, LOOK_MS, signal)
      }
    } finally {
      over.abort()
    }
  }

  /** undefined: silent, gone, or of another code. */
  async tryAt(addresses: readonly string[], signal: AbortSignal): Promise<Found | 'wrong' | undefined> {
    if (this.#tags >= TRIES) return undefined
    const { around, code } = this.#options
    const onTag = () => {
      this.#tags++
    }
    const answer = await firstAnswer<{ asking: CodeAsking } | { triesLeft: number }>(
      addresses,
      around,
      signal,
      link =>
        around.gate.tryCode(link, { ...code, onTag }).then(
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
    const found = await this.tryAt(inviter.addresses, signal)
    if (found === 'wrong') this.#inviters.wrong(inviter)
    else if (found === undefined) this.#inviters.silent(inviter, this.#options.around.now())
    else return found
    return undefined
  }

  /** Throws ApiError when there is nothing more to hope for. */
  #giveUp(end: number): void {
    const { around, at, call } = this.#options
    const now = around.now()
    const wrong = this.#wrong
    if (wrong !== undefined) {
      const patience = this.#inviters.hopeful ? SILENT_MS : at.length > 0 ? 0 : OTHERS_MS
      if (this.#tags >= TRIES || now >= Math.min(end, wrong.at + patience)) throw wrongCode(wrong.triesLeft)
    }
    if (now < end || call.signal.aborted) return
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
