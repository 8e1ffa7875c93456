/**
 * The extension of GNOME Shell, made of packaging/gnome-shell for both kinds of shell: as one file each, with the
 * words that the command line uses and the interface of prompt agents in it.
 * `node scripts/package/gnome-shell.ts FOLDER` makes them in FOLDER.
 */
import { copyFileSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { VERSION } from '../../src/api/api.ts'
import { top } from './run.ts'

interface Kind {
  readonly uuid: string
  /** Versions of the shell it was tried in. */
  readonly tried: readonly string[]
  readonly shape: (modules: string) => string
}

/** From GNOME 45 on extensions are ES modules; GNOME 43 and 44 have imports of their own. */
export const kinds: readonly Kind[] = [
  { uuid: 'coterie@coterie.org', tried: ['48'], shape: text => text },
  { uuid: 'coterie-legacy@coterie.org', tried: ['43'], shape: legacy }
]

const SOURCE = join(top, 'packaging/gnome-shell')
const ICONS = join(top, 'packaging/icons/hicolor/symbolic/*/*-symbolic.svg')

/** Makes both, each in a folder of its own below `folder`. */
export async function extensions(folder: string): Promise<void> {
  const modules = await oneModule()
  for (const { uuid, tried, shape } of kinds) {
    const place = join(folder, uuid)
    mkdirSync(join(place, 'icons'), { recursive: true })
    const metadata = {
      uuid,
      name: 'Coterie',
      description: 'Your devices: which of them can be reached, and what to send them.',
      'shell-version': tried,
      'version-name': VERSION
    }
    writeFileSync(join(place, 'metadata.json'), `${JSON.stringify(metadata, undefined, 2)}\n`)
    writeFileSync(join(place, 'extension.js'), shape(modules))
    copyFileSync(join(SOURCE, 'stylesheet.css'), join(place, 'stylesheet.css'))
    for (const icon of globSync(ICONS)) copyFileSync(icon, join(place, 'icons', basename(icon)))
  }
}

async function oneModule(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: top,
    entryPoints: [join(SOURCE, 'extension.js')],
    bundle: true,
    write: false,
    format: 'esm',
    // as of GNOME 43
    target: 'firefox102',
    charset: 'utf8',
    external: ['gi://*', 'resource://*'],
    loader: { '.xml': 'text' },
    logLevel: 'warning'
  })
  return outputFiles[0]!.text
}

/** The shapes that imports and the export have in what esbuild writes. */
const SHAPES: readonly (readonly [RegExp, string | ((...found: string[]) => string)])[] = [
  [/^import (\w+) from "gi:\/\/(\w+)";$/gm, 'const $1 = imports.gi.$2;'],
  [/^import \{ Extension \} from "[^"]+";$/m, 'class Extension {\n}'],
  [
    /^import (?:\* as (\w+)|(\{[^}]+\})) from "resource:\/\/\/org\/gnome\/shell\/([\w/]+)\.js";$/gm,
    (_all, name, names, path) => `const ${name ?? names} = imports.${path!.replaceAll('/', '.')};`
  ],
  [
    /^export \{\n {2}(\w+) as default\n\};$/m,
    'function init(extension) {\n  return Object.assign(new $1(), { path: extension.path });\n}'
  ]
]

/** The same for shells that know no ES modules. Throws when that is not all there is to it. */
function legacy(modules: string): string {
  let text = modules
  for (const [shape, by] of SHAPES) text = text.replace(shape, by as string)
  const left = text.split('\n').find(line => /^(import|export)\b/.test(line))
  if (left !== undefined) throw new Error(`not understood in the extension: ${left}`)
  return text
}

if (import.meta.main) await extensions(process.argv[2] ?? join(top, 'dist/gnome-shell'))
