/**
 * The daemon, its database thread and the command line as one file each, in dist/bundle or the directory given:
 * what packages carry. Native addons stay outside; Node finds them in the node_modules beside or above.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'

const top = fileURLToPath(new URL('..', import.meta.url))

/** Loaded by require() where they are installed. */
export const NATIVE = ['better-sqlite3-multiple-ciphers', 'sodium-native', 'sd-notify']

/**
 * CommonJS: as ES modules the files would start later, because an import of one of Node's own modules touches
 * everything in it, and so loads much that nobody uses.
 */
const BANNER = "const bundleUrl = require('node:url').pathToFileURL(__filename).href;"

/** How one file is made of many; paths are relative to the top of the checkout. */
export const ONE_FILE = {
  absWorkingDir: top,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning'
} as const satisfies BuildOptions

/** Resolves, when the files are there, with the names of the npm packages that are in them, sorted. */
export async function bundle(directory: string): Promise<string[]> {
  rmSync(directory, { recursive: true, force: true })
  const { metafile } = await build({
    entryPoints: {
      coteried: 'src/daemon/main.ts',
      worker: 'src/daemon/worker.ts',
      coterie: 'src/cli/main.ts'
    },
    outdir: directory,
    ...ONE_FILE,
    external: NATIVE,
    define: { 'import.meta.url': 'bundleUrl', 'import.meta.main': 'false' },
    banner: { js: BANNER }
  })
  writeFileSync(join(directory, 'package.json'), '{ "type": "commonjs" }\n')
  return packagesOf(Object.keys(metafile.inputs))
}

/** Names of the npm packages that files are of, sorted. */
export function packagesOf(files: readonly string[]): string[] {
  const names = files.flatMap(file => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
  return [...new Set(names)].sort()
}

if (import.meta.main) await bundle(process.argv[2] ?? join(top, 'dist/bundle'))
