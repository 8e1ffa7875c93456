/** Whether the user's services run while nobody is logged in: systemd-logind keeps a file for each such user. */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

/** loginctl(1), enable-linger. */
export function lingers(directory = '/var/lib/systemd/linger'): boolean {
  try {
    return existsSync(join(directory, userInfo().username))
  } catch {
    return false // a user without a name
  }
}
