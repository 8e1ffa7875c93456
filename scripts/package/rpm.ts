/** An .rpm of a tree, by rpmbuild. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/api/api.ts'
import { MAINTAINER, rpmChangelog } from './changelog.ts'
import { epoch, run } from './run.ts'
import { filled } from './scripts.ts'
import type { Target } from './target.ts'
import { CONFIGURATION, type Tree } from './tree.ts'

/** Directories of our own; the others belong to the system. */
const OWN = [
  '/usr/lib/coterie',
  '/usr/share/coterie',
  '/usr/share/doc/coterie',
  '/usr/share/licenses/coterie',
  '/usr/share/gnome-shell/extensions/coterie@coterie.org',
  '/usr/share/gnome-shell/extensions/coterie-legacy@coterie.org'
]

function fileList(files: readonly string[]): string {
  const directories = new Set<string>()
  for (const file of files)
    if (OWN.some(own => file.startsWith(`${own}/`)))
      for (let d = file.slice(0, file.lastIndexOf('/')); OWN.some(own => `${d}/`.startsWith(`${own}/`)); )
        directories.add(d) && (d = d.slice(0, d.lastIndexOf('/')))
  const kind = (file: string) =>
    CONFIGURATION.includes(file)
      ? '%config(noreplace) '
      : file.startsWith('/usr/share/licenses/')
        ? '%license '
        : file.startsWith('/usr/share/doc/') || file.startsWith('/usr/share/man/')
          ? '%doc '
          : ''
  return [...[...directories].sort().map(d => `%dir ${d}`), ...files.map(f => `${kind(f)}${f}`)].join('\n')
}

/** Returns the path of the file. `work`: a folder to work in. */
export function makeRpm(tree: Tree, target: Target, folder: string, work: string, quickly: boolean): string {
  mkdirSync(work, { recursive: true })
  const spec = join(work, 'coterie.spec')
  const values = {
    VERSION,
    MAINTAINER,
    TREE: tree.root,
    FILES: fileList(tree.files),
    CHANGELOG: rpmChangelog()
  }
  writeFileSync(spec, filled('rpm/coterie.spec', values))
  const definitions = {
    _topdir: work,
    _rpmdir: folder,
    _rpmfilename: '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
    _binary_payload: quickly ? 'w1.zstdio' : 'w9.xzdio',
    _buildhost: 'coterie',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    source_date_epoch_from_changelog: '0'
  }
  run(
    'rpmbuild',
    [
      ...['-bb', '--quiet', '--target', `${target.rpm}-linux`],
      ...Object.entries(definitions).flatMap(([name, value]) => ['--define', `${name} ${value}`]),
      spec
    ],
    { SOURCE_DATE_EPOCH: String(epoch) }
  )
  return join(folder, `coterie-${VERSION}-1.${target.rpm}.rpm`)
}
