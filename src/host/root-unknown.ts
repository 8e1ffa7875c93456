/**
 * Who owns files, seen from a user namespace that knows this user alone (user_namespaces(7)): systemd makes one for
 * ProtectSystem= in units of users since 254. There root's files belong to the overflow user, as those of all others
 * do, and nobody can tell which.
 */
import { readFileSync } from 'node:fs'

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Whether `map` (/proc/PID/uid_map: first id inside, first outside, how many) gives root's id outside one inside. */
export const mapsRoot = (map: string): boolean =>
  map === '' ||
  map
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
    .some(([, outside = 0, many = 0]) => outside === 0 && many > 0)

let unknown: number | undefined
/** It is the owner that root's files seem to have here, where root has no name. */
export function rootIsUnknown(uid: number): boolean {
  unknown ??= mapsRoot(read('/proc/self/uid_map'))
    ? -1
    : Number(read('/proc/sys/kernel/overflowuid') || 65_534)
  return uid === unknown
}
