/** Everything that a package installs, laid out below one folder, with modes and one time. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { VERSION } from '../../src/api/api.ts'
import { bundle } from '../bundle.ts'
import { placeAddons } from './addons.ts'
import { bill } from './bill.ts'
import { debianChangelog } from './changelog.ts'
import { bash, fish, zsh } from './completions.ts'
import { components } from './components.ts'
import { copyrightFile } from './copyright.ts'
import { type Needs, needs } from './elf.ts'
import { extensions } from './gnome-shell.ts'
import { page, pages } from './pages.ts'
import { epoch, run, top } from './run.ts'
import { runtime } from './runtime.ts'
import type { Target } from './target.ts'

/** Where the two kinds of package differ. */
export type Format = 'deb' | 'rpm'

export interface Tree {
  /** The folder. */
  readonly root: string
  /** Absolute, as installed, sorted. */
  readonly files: readonly string[]
  readonly needs: Needs
}

/** What is taken as it is: from the checkout, to where it is installed. */
const COPIED: readonly (readonly [from: string, to: string])[] = [
  ['systemd/coterie.service', '/usr/lib/systemd/user/'],
  ['systemd/coterie.socket', '/usr/lib/systemd/user/'],
  ['systemd/coterie-tray.service', '/usr/lib/systemd/user/'],
  ['packaging/org.coterie.Coterie.desktop', '/usr/share/applications/'],
  ['systemd/90-coterie.preset', '/usr/lib/systemd/user-preset/'],
  ['systemd/hardening.conf', '/usr/share/coterie/'],
  ['dbus/org.coterie.Coterie1.service', '/usr/share/dbus-1/services/'],
  ['dbus/*.xml', '/usr/share/dbus-1/interfaces/'],
  ['dbus/org.coterie.Coterie1.varlink', '/usr/share/coterie/'],
  ['packaging/firewalld/coterie.xml', '/usr/lib/firewalld/services/'],
  ['packaging/ufw/coterie', '/etc/ufw/applications.d/'],
  ['docs/{api,handlers,desktop}.md', '/usr/share/doc/coterie/']
]

/** Whole folders. */
const FOLDERS: readonly (readonly [from: string, to: string])[] = [
  ['handlers', '/usr/share/coterie/handlers'],
  ['packaging/icons', '/usr/share/icons']
]

/** Changed by administrators, kept in upgrades. */
export const CONFIGURATION = ['/etc/ufw/applications.d/coterie']

const LIBRARY = '/usr/lib/coterie'
const DOC = '/usr/share/doc/coterie'
const PROGRAMS = /^\/usr\/bin\/|^\/usr\/lib\/coterie\/node$/

/** Makes `root` anew. */
export async function layOut(root: string, target: Target, format: Format): Promise<Tree> {
  rmSync(root, { recursive: true, force: true })
  const place = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    return join(root, path)
  }
  const write = (path: string, content: string | Buffer) => writeFileSync(place(path), content)
  const packed = (path: string, content: string) => write(`${path}.gz`, gzipSync(content, { level: 9 }))

  const node = runtime(target)
  const inside = await bundle(place(LIBRARY))
  copyFileSync(join(node, 'bin/node'), place(`${LIBRARY}/node`))
  inside.push(...(await placeAddons(place(`${LIBRARY}/node_modules`), target, node)))
  const binaries = [`${root}${LIBRARY}/node`, ...globSync(`${root}${LIBRARY}/node_modules/*/addon.node`)]
  for (const file of binaries)
    run(`${target.triplet}-strip`, ['--strip-unneeded', '-R', '.comment', '-R', '.note', file])

  for (const name of ['coterie', 'coteried']) copyFileSync(join(top, 'bin', name), place(`/usr/bin/${name}`))
  for (const [from, to] of COPIED)
    for (const file of globSync(from, { cwd: top }))
      copyFileSync(join(top, file), place(`${to}${basename(file)}`))
  for (const [from, to] of FOLDERS) cpSync(join(top, from), place(to), { recursive: true })
  await extensions(join(root, '/usr/share/gnome-shell/extensions'))

  for (const name of pages) packed(`/usr/share/man/man${name.at(-1)}/${name}`, page(name))
  write('/usr/share/bash-completion/completions/coterie', bash())
  write(`/usr/share/zsh/${format === 'deb' ? 'vendor-completions' : 'site-functions'}/_coterie`, zsh())
  write('/usr/share/fish/vendor_completions.d/coterie.fish', fish())

  const all = components(inside, target)
  write(`${DOC}/copyright`, copyrightFile(all))
  packed(`${DOC}/sbom.cdx.json`, bill(all, VERSION, target))
  if (format === 'deb') {
    packed(`${DOC}/changelog`, debianChangelog())
    copyFileSync(join(top, 'packaging/deb/lintian-overrides'), place('/usr/share/lintian/overrides/coterie'))
  } else copyFileSync(join(top, 'LICENSE'), place('/usr/share/licenses/coterie/LICENSE'))

  return { root, files: settle(root), needs: needs(binaries) }
}

/** Modes and times; the files, as installed, sorted. */
export function settle(root: string): string[] {
  const files: string[] = []
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const installed = path.slice(root.length)
    if (!entry.isDirectory()) files.push(installed)
    const program = PROGRAMS.test(installed) || (entry.isFile() && isScript(path, installed))
    if (!entry.isSymbolicLink()) chmodSync(path, entry.isDirectory() || program ? 0o755 : 0o644)
    lutimesSync(path, epoch, epoch)
  }
  chmodSync(root, 0o755)
  lutimesSync(root, epoch, epoch)
  return files.sort()
}

/** Handlers that come ready-made are programs. */
const isScript = (path: string, installed: string) =>
  installed.startsWith('/usr/share/coterie/handlers/') &&
  readFileSync(path).subarray(0, 2).toString() === '#!'
