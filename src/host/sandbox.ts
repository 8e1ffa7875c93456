/**
 * What the kernel keeps this process from, whoever asked for it (proc_pid_status(5), proc_pid_mountinfo(5),
 * user_namespaces(7)). What a unit says does not count: systemd 252 ignores some of it silently in user managers.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'

export interface Sandbox {
  readonly noNewPrivileges: boolean
  /** System calls are filtered. */
  readonly seccomp: boolean
  /** Nothing below /usr can be written, were it by root. */
  readonly systemReadOnly: boolean
  /** Nor below the user's home, but for what is excepted. */
  readonly homeReadOnly: boolean
  /** Programs without privileges may make user namespaces. */
  readonly usersAllowed: boolean
}

const FILTERED = '2'

export function sandbox(root = '', home = homedir()): Sandbox {
  const status = text(`${root}/proc/self/status`)
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]
  const mounts = mountsOf(text(`${root}/proc/self/mountinfo`))
  const setting = (name: string) => text(`${root}/proc/sys/${name}`).trim()
  return {
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: field('Seccomp') === FILTERED,
    systemReadOnly: isReadOnly('/usr', mounts),
    homeReadOnly: isReadOnly(home, mounts),
    usersAllowed:
      Number(setting('user/max_user_namespaces')) > 0 &&
      setting('kernel/unprivileged_userns_clone') !== '0' &&
      setting('kernel/apparmor_restrict_unprivileged_userns') !== '1'
  }
}

interface Mount {
  readonly place: string
  readonly readOnly: boolean
}

function mountsOf(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const words = line.split(' ')
      const place = (words[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal) =>
        String.fromCharCode(Number.parseInt(octal, 8))
      )
      const options = [words[5] ?? '', words.at(-1) ?? ''].flatMap(list => list.split(','))
      return { place, readOnly: options.includes('ro') }
    })
}

/** By the mount that it is in: the deepest one, and of those at one place the last. */
function isReadOnly(path: string, mounts: readonly Mount[]): boolean {
  const holds = ({ place }: Mount) => place === '/' || path === place || path.startsWith(`${place}/`)
  const [deepest] = mounts
    .filter(holds)
    .reverse()
    .sort((a, b) => b.place.length - a.place.length)
  return deepest?.readOnly ?? false
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
