/** Official test vectors lie beside the checkout, never in it. */
import { readFileSync } from 'node:fs'

/** The parsed JSON file, or undefined when the vectors are not there: then skip, and say so. */
export function vectors(path: string): unknown {
  try {
    return JSON.parse(readFileSync(new URL(`../../shared/vectors/${path}`, import.meta.url), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
export const missing = 'official vectors are not beside this checkout'
