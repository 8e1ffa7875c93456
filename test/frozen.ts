/**
 * Our own wire bytes, made with fixed keys and kept in test/vectors-own, so that a format cannot change
 * unnoticed. `node test/frozen.ts` writes them anew: only when the protocol is meant to change.
 */
import { readFileSync, writeFileSync } from 'node:fs'

export type Frozen = { readonly [name: string]: string }

/** Names to bytes in hex, as committed. */
export function frozen(file: string): Frozen {
  return JSON.parse(readFileSync(path(file), 'utf8')) as Frozen
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function path(file: string): URL {
  return new URL(`vectors-own/${file}.json`, import.meta.url)
}

if (import.meta.main) {
  for (const file of ['code', 'handshake', 'probe', 'record']) {
    const made = (await import(`./crypto/${file}-bytes.ts`)) as { bytes(): { [name: string]: Uint8Array } }
    const text = Object.fromEntries(Object.entries(made.bytes()).map(([name, bytes]) => [name, hexOf(bytes)]))
    writeFileSync(path(file), `${JSON.stringify(text, undefined, 2)}\n`)
  }
}
