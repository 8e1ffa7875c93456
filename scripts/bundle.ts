/**
 * The daemon, its database thread and the command line as one file each, in dist/ or the directory given:
 * what packages carry. Native addons stay outside; Node finds them in the node_modules beside or above.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const top = fileURLToPath(new URL('..', import.meta.url))

/** Loaded by require() where they are installed. */
const NATIVE = ['better-sqlite3-multiple-ciphers', 'sodium-native', 'sd-notify']

/** CommonJS packages inside ask for Node's own modules by require(). */
const BANNER = `import { createRequire as makeRequire } from 'node:module'
const require = makeRequire(import.meta.url)`

/** Resolves when the files are there. */
export async function bundle(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true })
  await build({
    absWorkingDir: top,
    entryPoints: {
      coteried: 'src/daemon/main.ts',
      worker: 'src/daemon/worker.ts',
      coterie: 'src/cli/main.ts'
    },
    outdir: directory,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    external: NATIVE,
    banner: { js: BANNER },
    logLevel: 'warning'
  })
}

if (import.meta.main) await bundle(process.argv[2] ?? `${top}dist`)
