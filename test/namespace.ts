/**
 * A test file inside a network of its own: it starts itself again in new network and mount namespaces, where
 * `lo` is up, /sys shows the new network (read-only, as NetworkManager wants it) and /run is empty.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { FILE_MS } from './lab/deadline.ts'

export interface Teardown {
  teardown(fn: () => unknown): void
}

interface Root {
  plan(n: number, skip: string): void
  setTimeout(ms: number): void
}

const MARK = 'COTERIE_TEST_NAMESPACE'

/** Why it cannot be done here, or ''. */
export const missing: string =
  process.getuid?.() === 0 ? '' : 'needs root, to make network namespaces: run it with sudo'

/**
 * True inside. Outside the file's own TAP comes from the inner process, and the caller has nothing to do but
 * end. Give `import.meta.url`.
 */
export function inside(t: Root, url: string): boolean {
  t.setTimeout(FILE_MS)
  if (process.env[MARK]) return true
  if (missing) {
    t.plan(0, missing)
    return false
  }
  const script = 'mount -t sysfs -o ro sysfs /sys; mount -t tmpfs tmpfs /run; ip link set lo up; exec "$@"'
  const args = ['-n', '-m', '--propagation', 'private', 'sh', '-ec', script, 'sh', process.execPath]
  const child = spawn('unshare', [...args, fileURLToPath(url)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' }
  })
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
  return false
}

const text = { encoding: 'utf8', stdio: 'pipe' } as const
const IP = missing ? '' : execFileSync('sh', ['-c', 'command -v ip'], text).trim()

/** Runs `ip` and gives what it prints; throws with what it complained about. */
export const ip = (...args: string[]): string => execFileSync(IP, args, text)

/** While it runs, no program is found by name (but `ip` above is). */
export async function withoutPrograms<T>(fn: () => Promise<T>): Promise<T> {
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  try {
    return await fn()
  } finally {
    process.env['PATH'] = path
  }
}

/** A cable whose near end is `name`; the far end is `veth-NAME`, which the policy leaves alone. */
export function cable(name: string, ...addresses: string[]): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `veth-${name}`)
  plugged(name, addresses)
}

/**
 * The same without IPv6: the kernel has nothing of its own to say there (no reports of groups, no solicitations),
 * and no address appears late, when there is a carrier at last.
 */
export function mute(name: string, ...addresses: string[]): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `veth-${name}`)
  for (const end of [name, `veth-${name}`]) ip('link', 'set', end, 'addrgenmode', 'none')
  plugged(name, addresses)
}

function plugged(name: string, addresses: readonly string[]): void {
  ip('link', 'set', `veth-${name}`, 'up')
  ip('link', 'set', name, 'up')
  for (const address of addresses) ip('address', 'add', address, 'dev', name)
}

/** Starts a program that ends with the test at the latest. */
export function start(
  t: Teardown,
  command: string,
  args: string[],
  options: SpawnOptions = {}
): ChildProcess {
  const child = spawn(command, args, options)
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  })
  return child
}
