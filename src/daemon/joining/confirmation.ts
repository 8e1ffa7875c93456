/**
 * Whether a device may join is asked of a person, wherever one may be: of whoever made the invitation, of a
 * prompt agent, by a desktop notification. All are asked at once, and the first answer counts.
 */
import type { JoinAsk } from './open-invitation.ts'

/** One place where a person may be. */
export interface Asker {
  readonly name: 'caller' | 'agent' | 'notification'
  /** Somebody could be asked there now; `ask` looks for itself. */
  there(): Promise<boolean>
  /**
   * true: let it in; false: do not; undefined: no answer will come from there. When the signal is aborted, the
   * question is taken back, and the answer counts no more.
   */
  ask(ask: JoinAsk, signal: AbortSignal): Promise<boolean | undefined>
}

export interface Answer {
  readonly accepted: boolean
  readonly by: Asker['name']
}

/** Code points of a device's name that are shown in a question. */
const LONGEST_NAME = 64

/** Those of the askers that can be asked now. */
export async function present(askers: readonly Asker[]): Promise<Asker[]> {
  const there = await Promise.all(askers.map(asker => asker.there()))
  return askers.filter((_, i) => there[i])
}

/**
 * The first answer; undefined when no asker has one, or when `signal` is aborted. Then nobody is being asked
 * any more.
 */
export async function firstAnswer(
  askers: readonly Asker[],
  ask: JoinAsk,
  signal: AbortSignal
): Promise<Answer | undefined> {
  if (signal.aborted) return undefined
  const settled = new AbortController()
  const over = AbortSignal.any([signal, settled.signal])
  const answers = askers.map(async asker => {
    const accepted = await asker.ask(ask, over)
    // none, so that another one counts
    if (accepted === undefined) throw new Error('no answer')
    return { accepted, by: asker.name }
  })
  const aborted = new Promise<undefined>(resolve => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  try {
    return await Promise.race([Promise.any(answers), aborted])
  } catch {
    return undefined
  } finally {
    settled.abort()
  }
}

/** A name as it may be shown: one line, no control or direction characters, of a length that can be read. */
export function bounded(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
  const points = [...line]
  return points.length <= LONGEST_NAME ? line : `${points.slice(0, LONGEST_NAME - 1).join('')}…`
}
