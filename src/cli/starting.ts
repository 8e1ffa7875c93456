/** What starts the daemon here, for those who find that it does not run. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { paths, shipped } from '../paths.ts'

export interface Starting {
  /** To be typed. */
  readonly command: string
  /** What that does, or where it is to be typed. */
  readonly what: string
}

type Environment = { readonly [name: string]: string | undefined }

/**
 * By the unit where there is one and a service manager of this user, which only its user may enable; else in a
 * terminal: by npm in a checkout. `program`: the folder of `coterie` and `coteried`.
 */
export function starting(env: Environment = process.env, program: string = shipped('bin')): Starting {
  const config = join(dirname(paths(env).config), 'systemd/user')
  const places = [config, '/etc/systemd/user', '/usr/local/lib/systemd/user', '/usr/lib/systemd/user']
  const manager = existsSync(join(dirname(paths(env).runtime), 'systemd/private'))
  const checkout = existsSync(join(program, '../package.json'))
  // the units of a package are not those of a checkout
  const own = checkout ? [config] : places
  if (manager && own.some(place => existsSync(join(place, 'coterie.service')))) {
    const enabled = places.some(place => existsSync(join(place, 'default.target.wants/coterie.service')))
    return enabled
      ? { command: 'systemctl --user start coterie', what: 'it is enabled, and was stopped or failed' }
      : { command: 'systemctl --user enable --now coterie', what: 'now, and whenever you log in' }
  }
  if (!checkout) return { command: 'coteried', what: 'in another terminal: no systemd of yours runs here' }
  const top = dirname(program)
  const home = homedir()
  return {
    command: 'npm start',
    what: `in another terminal, in ${top.startsWith(`${home}/`) ? `~${top.slice(home.length)}` : top}`
  }
}
