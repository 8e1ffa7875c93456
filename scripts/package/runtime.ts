/** The Node that packages carry: npm's own packages of it, of the versions and sums in the lock file. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { locked, run, top } from './run.ts'
import type { Target } from './target.ts'

/** Folder with bin/node, include and LICENSE. npm installs only this machine's; another one's is fetched once. */
export function runtime(target: Target): string {
  const name = `node-linux-${target.node}`
  const installed = join(top, 'node_modules', name)
  if (existsSync(join(installed, 'bin/node'))) return installed
  const { version, integrity } = locked(name)
  const kept = join(top, '.cache/package', `${name}-${version}`)
  if (existsSync(join(kept, 'bin/node'))) return kept

  const folder = `${kept}.new`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  console.error(`package: fetching ${name} ${version} from npm`)
  const packed = run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', folder]).trim()
  const archive = join(folder, packed.split('\n').at(-1)!)
  const sum = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (sum !== integrity) throw new Error(`${name} ${version} is not what the lock file says: ${sum}`)
  run('tar', ['-xzf', archive, '--strip-components=1', '-C', folder])
  rmSync(archive)
  renameSync(folder, kept)
  return kept
}
