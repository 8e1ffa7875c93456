/** Where the user's systemd finds the daemon's unit: in the user's own folder first, then where packages put it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Paths; '' where there is none. */
export interface UnitFiles {
  readonly own: string
  readonly packaged: string
}

/** `config`: the folder that $XDG_CONFIG_HOME names. */
export function unitFiles(config: string, root = ''): UnitFiles {
  const there = (path: string) => (existsSync(root + path) ? path : '')
  return {
    own: there(join(config, 'systemd/user/coterie.service')),
    packaged: there('/usr/lib/systemd/user/coterie.service')
  }
}
