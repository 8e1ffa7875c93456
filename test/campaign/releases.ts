/**
 * Packages to install in boxes, made quickly: of this checkout, and of a version after it, whose database has one
 * table more.
 */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { epoch, top } from '../../scripts/package/run.ts'
import { targets } from '../../scripts/package/target.ts'
import { VERSION } from '../../src/api/api.ts'
import { SCHEMA_VERSION } from '../../src/host/rows.ts'
import type { Teardown } from '../namespace.ts'

const target = targets.find(its => its.node === process.arch)!
export const NEXT = '99.0.0'
export const NEXT_SCHEMA = SCHEMA_VERSION + 1
const NOT_COPIED = ['.git', 'node_modules', 'dist', '.cache', 'test', '.tap']

/** File names of the packages, as boxes that are shown the folder see them. */
export const THIS_DEB = `/host/coterie_${VERSION}_${target.deb}.deb`
export const NEXT_DEB = `/host/coterie_${NEXT}_${target.deb}.deb`

/** The folder they are in; it goes with the test. */
export function releases(t: Teardown, { next }: { next: boolean }): string {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-releases-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  make(top, folder)
  if (next) {
    const copy = join(folder, 'next')
    laterCheckout(copy)
    make(copy, folder)
    rmSync(copy, { recursive: true })
  }
  return folder
}

function make(checkout: string, folder: string): void {
  const args = [join(checkout, 'scripts/package.ts'), target.deb, 'deb', '--quickly', '--out', folder]
  execFileSync(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) }
  })
}

function laterCheckout(copy: string): void {
  mkdirSync(copy)
  for (const name of readdirSync(top).filter(n => !NOT_COPIED.includes(n)))
    cpSync(join(top, name), join(copy, name), { recursive: true })
  symlinkSync(realpathSync(join(top, 'node_modules')), join(copy, 'node_modules'))
  change(copy, 'src/api/api.ts', `VERSION = '${VERSION}'`, `VERSION = '${NEXT}'`)
  change(copy, 'NEWS.md', `## ${VERSION}`, `## ${NEXT}`)
  const rows = 'src/host/rows.ts'
  change(copy, rows, `SCHEMA_VERSION = ${SCHEMA_VERSION}`, `SCHEMA_VERSION = ${NEXT_SCHEMA}`)
  const list = 'migrations: readonly string[] = ['
  const end = /\n\]/g
  const text = readFileSync(join(copy, rows), 'utf8')
  end.lastIndex = text.indexOf(list)
  const at = end.exec(text)!.index
  const more = `${text.slice(0, at)},\n  'CREATE TABLE later (x INTEGER)'${text.slice(at)}`
  writeFileSync(join(copy, rows), more)
}

/** One place in one file; throws when it is not there. */
function change(copy: string, file: string, from: string, to: string): void {
  const text = readFileSync(join(copy, file), 'utf8')
  if (!text.includes(from)) throw new Error(`${file} does not say ${from}`)
  writeFileSync(join(copy, file), text.replace(from, to))
}
