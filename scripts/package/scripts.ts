/** The templates of packaging/, filled. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { top } from './run.ts'

/** Replaces each `@NAME@`; throws when one is not given. */
export function filled(path: string, values: { readonly [name: string]: string }): string {
  const all = { ...values, INSTANCES: readFileSync(join(top, 'packaging/instances.sh'), 'utf8').trimEnd() }
  return readFileSync(join(top, 'packaging', path), 'utf8').replaceAll(/@([A-Z]+)@/g, (_, name: string) => {
    const value = (all as { [name: string]: string })[name]
    if (value === undefined) throw new Error(`packaging/${path}: nothing is known for @${name}@`)
    return value
  })
}
