/** A .deb of a tree, by dpkg-deb. */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/api/api.ts'
import { MAINTAINER } from './changelog.ts'
import { debianDepends } from './elf.ts'
import { epoch, run } from './run.ts'
import { filled } from './scripts.ts'
import type { Target } from './target.ts'
import { CONFIGURATION, settle, type Tree } from './tree.ts'

const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm']

/** As dpkg counts: a KiB for each begun one, and one for each directory. */
function size({ root, files }: Tree): number {
  const directories = new Set(files.flatMap(f => f.split('/').map((_, i, all) => all.slice(0, i).join('/'))))
  return files.reduce((sum, f) => sum + Math.ceil(lstatSync(join(root, f)).size / 1024), directories.size)
}

/** `quickly`: compressed little, for tests. Returns the path of the file. */
export function makeDeb(tree: Tree, target: Target, folder: string, quickly: boolean): string {
  const { root, files } = tree
  const control = join(root, 'DEBIAN')
  mkdirSync(control)
  const sums = files
    .filter(f => !CONFIGURATION.includes(f))
    .map(f => {
      const sum = createHash('md5')
        .update(readFileSync(join(root, f)))
        .digest('hex')
      return `${sum}  ${f.slice(1)}\n`
    })
  const values = {
    VERSION,
    ARCHITECTURE: target.deb,
    MAINTAINER,
    SIZE: String(size(tree)),
    DEPENDS: debianDepends(tree.needs).join(', ')
  }
  writeFileSync(join(control, 'control'), filled('deb/control', values))
  writeFileSync(join(control, 'md5sums'), sums.join(''))
  writeFileSync(join(control, 'conffiles'), CONFIGURATION.map(f => `${f}\n`).join(''))
  for (const script of SCRIPTS) writeFileSync(join(control, script), filled(`deb/${script}`, values))
  settle(root)
  for (const script of SCRIPTS) chmodSync(join(control, script), 0o755)
  const path = join(folder, `coterie_${VERSION}_${target.deb}.deb`)
  // One thread: with more of them the result would depend on how many.
  const compression = quickly ? ['-Zzstd', '-z1'] : ['-Zxz', '-z9', '-Sextreme', '--threads-max=1']
  run('dpkg-deb', ['--root-owner-group', ...compression, '--build', root, path], {
    SOURCE_DATE_EPOCH: String(epoch)
  })
  return path
}
