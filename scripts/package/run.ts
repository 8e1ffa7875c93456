/** Programs that packaging runs, and where it runs. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const top = join(import.meta.dirname, '../..')

/** What it printed; throws with what it complained about. */
export function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  return execFileSync(command, args, {
    cwd: top,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...environment }
  })
}

/** Seconds since 1970 that every file, package and signature of a build bears: those of the last commit. */
export const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? run('git', ['log', '-1', '--format=%ct']))

interface Locked {
  readonly version: string
  readonly integrity?: string
  readonly license?: string
}

const lock = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8')) as {
  packages: { [path: string]: Locked }
}

/** What the lock file says of a package of the first level. Throws when it does not know it. */
export function locked(name: string): Locked {
  const found = lock.packages[`node_modules/${name}`]
  if (!found) throw new Error(`package-lock.json does not know ${name}`)
  return found
}
