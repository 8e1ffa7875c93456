/**
 * Where everything lies, for daemon and command line alike, by the XDG Base Directory Specification:
 * a relative path in one of its variables is ignored. Nothing is created here.
 */
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Longest path of a UNIX socket: sun_path has 108 bytes, the last is the NUL (unix(7)). */
export const SOCKET_PATH_MAX = 107

/** Absolute paths. */
export interface Paths {
  /** Directory of configuration and handlers. */
  readonly config: string
  readonly configFile: string
  /** Directory of keys and database. */
  readonly data: string
  readonly state: string
  /** Directory of the socket, 0700; made by the daemon or by coterie.socket. */
  readonly runtime: string
  readonly socket: string
}

/** The environment does not give usable paths. The message says what to change. */
export class PathError extends Error {
  override name = 'PathError'
}

export type Environment = { readonly [name: string]: string | undefined }

export function paths(env: Environment = process.env, uid: number = process.getuid?.() ?? 0): Paths {
  const home = env['HOME'] && isAbsolute(env['HOME']) ? env['HOME'] : homedir()
  const xdg = (name: string, otherwise: string) => {
    const value = env[name]
    return join(value && isAbsolute(value) ? value : join(home, otherwise), 'coterie')
  }
  const config = xdg('XDG_CONFIG_HOME', '.config')
  const state = xdg('XDG_STATE_HOME', '.local/state')
  const runtime = runtimeDirectory(env['XDG_RUNTIME_DIR'], uid) ?? join(state, 'run')
  const socket = join(runtime, 'coterie.sock')
  const length = Buffer.byteLength(socket)
  if (length > SOCKET_PATH_MAX) {
    throw new PathError(
      `the socket would be at ${socket}, which is ${length} bytes long; a UNIX socket's path has at most ` +
        `${SOCKET_PATH_MAX}: set XDG_RUNTIME_DIR to a shorter directory`
    )
  }
  return {
    config,
    configFile: join(config, 'coterie.toml'),
    data: xdg('XDG_DATA_HOME', '.local/share'),
    state,
    runtime,
    socket
  }
}

/** Without XDG_RUNTIME_DIR (su, cron, ssh without PAM) the one logind made for this user, if it is there. */
function runtimeDirectory(given: string | undefined, uid: number): string | undefined {
  if (given && isAbsolute(given)) return join(given, 'coterie')
  const usual = `/run/user/${uid}`
  const found = statSync(usual, { throwIfNoEntry: false })
  return found?.isDirectory() && found.uid === uid ? join(usual, 'coterie') : undefined
}

/** From a checkout, from its bundle, and below a prefix such as /usr with the programs in lib/coterie. */
const SHIPPED = {
  /** The ready-made handlers (docs/handlers.md). */
  handlers: ['../handlers', '../../share/coterie/handlers'],
  /** The folder of `coterie` and `coteried`. */
  bin: ['../bin', '../../bin']
} as const

/** Absolute path of a folder that came with the program; '' when it is not there. */
export function shipped(what: keyof typeof SHIPPED): string {
  const probe = what === 'bin' ? '/coterie' : '/notify'
  const found = SHIPPED[what]
    .map(place => fileURLToPath(new URL(place, import.meta.url)))
    .find(folder => statSync(folder + probe, { throwIfNoEntry: false })?.isFile())
  return found ?? ''
}
