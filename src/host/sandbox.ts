/** What the kernel keeps this process from, whoever asked for it (proc_pid_status(5), user_namespaces(7)). */
import { readFileSync } from 'node:fs'

export interface Sandbox {
  readonly noNewPrivileges: boolean
  /** System calls are filtered. */
  readonly seccomp: boolean
  /** It runs in a user namespace of its own. */
  readonly ownUsers: boolean
  /** Programs without privileges may make user namespaces. */
  readonly usersAllowed: boolean
}

const FILTERED = '2'

export function sandbox(root = ''): Sandbox {
  const status = text(`${root}/proc/self/status`)
  const field = (name: string) => new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]
  const map = text(`${root}/proc/self/uid_map`).trim().split(/\s+/).join(' ')
  const setting = (name: string) => text(`${root}/proc/sys/${name}`).trim()
  return {
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: field('Seccomp') === FILTERED,
    ownUsers: map !== '' && map !== '0 0 4294967295',
    usersAllowed:
      Number(setting('user/max_user_namespaces')) > 0 &&
      setting('kernel/unprivileged_userns_clone') !== '0' &&
      setting('kernel/apparmor_restrict_unprivileged_userns') !== '1'
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
