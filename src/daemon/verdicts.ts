/** What a check of `coterie doctor` may say. */
import type { CheckRecord } from '../api/api.ts'

export const ok = (Name: string, Text: string): CheckRecord => ({ Name, State: 'ok', Text, Mend: '' })
export const warning = (Name: string, Text: string, Mend: string): CheckRecord => ({
  Name,
  State: 'warning',
  Text,
  Mend
})
export const failed = (Name: string, Text: string, Mend: string): CheckRecord => ({
  Name,
  State: 'failed',
  Text,
  Mend
})

/** `a`, `a and b`, `a, b and c`. */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
