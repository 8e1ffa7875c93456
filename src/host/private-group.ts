/**
 * The group that a user has alone. Debian, Ubuntu and Fedora make one for each user, and on some of them the umask is
 * 002 because of it: then all that the user makes may be written by a group in which there is nobody else.
 */
import { readFileSync, statSync } from 'node:fs'

const GROUPS = '/etc/group'
const USERS = '/etc/passwd'

/** From the texts of group(5) and passwd(5): nobody but this user has the group, as first one or as a further one. */
export function isPrivate(gid: number, uid: number, groups: string, users: string): boolean {
  const people = fieldsOf(users)
  const [name] = people.find(([, , id]) => id === `${uid}`) ?? []
  const group = fieldsOf(groups).filter(([, , id]) => id === `${gid}`)
  if (name === undefined || group.length !== 1) return false
  const others = (group[0]![3] ?? '').split(',').some(member => member !== '' && member !== name)
  return !others && people.every(([other, , , first]) => first !== `${gid}` || other === name)
}

const fieldsOf = (text: string): string[][] => text.split('\n').map(line => line.split(':'))

let known = { stamp: '', gid: undefined as number | undefined }

/** Its id; undefined when there is none, or that is not known here, and for root. */
export function privateGroup(): number | undefined {
  const [uid, gid] = [process.getuid!(), process.getgid!()]
  if (uid === 0) return undefined
  try {
    const stamp = [GROUPS, USERS].map(file => statSync(file).mtimeMs).join()
    if (stamp !== known.stamp) {
      const alone = isPrivate(gid, uid, readFileSync(GROUPS, 'utf8'), readFileSync(USERS, 'utf8'))
      known = { stamp, gid: alone ? gid : undefined }
    }
    return known.gid
  } catch {
    return undefined
  }
}
