/**
 * Writes the files that are made from src/api. With --check it writes nothing and fails, naming each file
 * that differs from what would be written.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { INTERFACE } from '../src/api/api.ts'
import { idl } from '../src/api/idl.ts'
import { interfaceFiles } from '../src/api/introspection.ts'
import { reference } from '../src/api/reference.ts'

export interface Generated {
  /** Relative to the top of the checkout. */
  readonly path: string
  content(): string
}
const top = join(import.meta.dirname, '..')

/** Every generated file. */
export const generated: readonly Generated[] = [
  ...interfaceFiles().map(({ path, content }) => ({ path, content: () => content })),
  { path: `dbus/${INTERFACE}.varlink`, content: idl },
  { path: 'docs/api.md', content: reference }
]

/** Files of the folders that hold generated interfaces only, and that nothing makes any more. */
function left(): string[] {
  const known = new Set(generated.map(g => g.path))
  return readdirSync(join(top, 'dbus'))
    .filter(name => name.endsWith('.xml'))
    .map(name => `dbus/${name}`)
    .filter(path => !known.has(path))
}

function stale(): Generated[] {
  return generated.filter(g => {
    try {
      return readFileSync(join(top, g.path), 'utf8') !== g.content()
    } catch {
      return true
    }
  })
}

/** Paths that differ from what src/api says; empty when all is up to date. */
export const outdated = (): string[] => [...stale().map(g => g.path), ...left()]

function write(): void {
  for (const g of stale()) {
    mkdirSync(dirname(join(top, g.path)), { recursive: true })
    writeFileSync(join(top, g.path), g.content())
  }
  for (const path of left()) rmSync(join(top, path))
}

if (import.meta.main) {
  const paths = outdated()
  if (process.argv.includes('--check')) {
    for (const path of paths) console.error(`${path} is out of date: run npm run generate`)
    process.exitCode = paths.length > 0 ? 1 : 0
  } else {
    write()
    for (const path of paths) console.log(path)
  }
}
