/**
 * Makes packages: `npm run package [-- amd64 | arm64 | deb | rpm …] [--quickly] [--out FOLDER] [--twice]`.
 * All of them into dist/ when none is named. --quickly compresses little; --twice makes all of them a second time
 * and fails where a byte differs.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeDeb } from './package/deb.ts'
import { makeRpm } from './package/rpm.ts'
import { top } from './package/run.ts'
import { type Target, targets } from './package/target.ts'
import { type Format, layOut } from './package/tree.ts'

export interface Made {
  readonly path: string
  readonly target: Target
  readonly format: Format
  /** Bytes, of the file and of what it installs. */
  readonly size: number
  readonly installed: number
  readonly sha256: string
}

export interface Wanted {
  readonly targets: readonly Target[]
  readonly formats: readonly Format[]
  /** Where the packages go; made when it is not there. */
  readonly folder: string
  readonly quickly: boolean
}

/** Resolves when they are there. */
export async function makePackages(wanted: Wanted): Promise<Made[]> {
  mkdirSync(wanted.folder, { recursive: true })
  const work = mkdtempSync(join(tmpdir(), 'coterie-package-'))
  const made: Made[] = []
  try {
    for (const target of wanted.targets)
      for (const format of wanted.formats) {
        const tree = await layOut(join(work, `${target.deb}-${format}`), target, format)
        const installed = tree.files.reduce((sum, file) => sum + statSync(join(tree.root, file)).size, 0)
        const path =
          format === 'deb'
            ? makeDeb(tree, target, wanted.folder, wanted.quickly)
            : makeRpm(tree, target, wanted.folder, join(work, `rpm-${target.rpm}`), wanted.quickly)
        const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
        made.push({ path, target, format, size: statSync(path).size, installed, sha256 })
      }
  } finally {
    rmSync(work, { recursive: true })
  }
  return made
}

const MB = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quickly: { type: 'boolean', default: false },
      twice: { type: 'boolean', default: false },
      out: { type: 'string', default: join(top, 'dist') }
    }
  })
  const formats: readonly Format[] = ['deb', 'rpm']
  const chosen = <T>(all: readonly T[], name: (one: T) => string): readonly T[] => {
    const some = all.filter(one => positionals.includes(name(one)))
    return some.length > 0 ? some : all
  }
  const wanted: Wanted = {
    targets: chosen(targets, t => t.deb),
    formats: chosen(formats, f => f),
    folder: resolve(values.out),
    quickly: values.quickly
  }
  const made = await makePackages(wanted)
  for (const { path, size, installed, sha256 } of made)
    console.log(`${basename(path)}  ${MB(size)}, installed ${MB(installed)}  sha256 ${sha256}`)
  if (!values.twice) return
  const folder = mkdtempSync(join(tmpdir(), 'coterie-again-'))
  const again = await makePackages({ ...wanted, folder })
  rmSync(folder, { recursive: true })
  const different = made.filter(({ sha256 }, i) => sha256 !== again[i]!.sha256)
  for (const { path } of different) console.error(`${basename(path)}: made twice, it differs`)
  console.log(`made twice: ${made.length - different.length} of ${made.length} the same`)
  process.exitCode = different.length > 0 ? 1 : 0
}

if (import.meta.main) await main()
