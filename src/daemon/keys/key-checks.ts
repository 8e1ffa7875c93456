/** The checks of `coterie doctor` on keys: where they are, and by what ways they could get out. Pure. */
import type { CheckRecord } from '../../api/api.ts'
import type { Access, Facts } from '../doctor.ts'
import { failed, ok, warning } from '../verdicts.ts'

export function keyStoreCheck({ keyStore, keyPath, away, disk }: Facts): CheckRecord {
  const name = 'key-store'
  if (away !== '') {
    const [text = '', ...rest] = away.split(': ')
    return failed(name, text, rest.join(': ') || 'look at the log of the daemon')
  }
  switch (keyStore) {
    case undefined:
      return ok(name, 'There is no key yet; its place is chosen with the first circle.')
    case 'secret-service':
      return ok(
        name,
        'The key is in the keyring. It is safe from theft of the computer while you are logged out, ' +
          'not from programs that run as you while the keyring is open.'
      )
    case 'credential':
      return ok(
        name,
        'The key is a systemd credential. It is as safe as the place systemd has it from: a credential that is ' +
          'encrypted to the TPM is safe from theft of the disk, a plain one is a file.'
      )
    case 'file': {
      const text = `The key is in the file ${keyPath}, which other users cannot read`
      if (disk === 'encrypted') return ok(name, `${text}, on a disk that is encrypted.`)
      const known = disk === 'plain' ? 'is not encrypted' : 'is not known to be encrypted'
      return warning(
        name,
        `${text}. A key file protects nothing against theft of the disk, which ${known}.`,
        'encrypt the whole disk; or begin anew with `coterie init --key-store secret-service`'
      )
    }
  }
}

export function filesCheck(facts: Facts): CheckRecord {
  const name = 'files'
  const faults = facts.private.flatMap(access => fault(access, facts.uid))
  const [first] = faults
  if (first !== undefined)
    return failed(name, sentence(faults.map(({ text }) => text)), faults.map(({ mend }) => mend).join('; '))
  return ok(name, 'Directories and files are for you alone.')
}

export function socketCheck(facts: Facts): CheckRecord {
  const name = 'socket'
  const faults = facts.socket.flatMap(access => fault(access, facts.uid))
  if (faults.length > 0)
    return failed(name, sentence(faults.map(({ text }) => text)), faults.map(({ mend }) => mend).join('; '))
  if (!facts.socket.some(({ kind }) => kind === 'socket'))
    return failed(name, 'The socket is gone: new commands cannot reach the daemon.', 'restart the daemon')
  return ok(name, 'Only you can reach the socket.')
}

/** systemd-coredump keeps nothing of a process whose limit is 0; what others do with a dump nobody knows. */
export function coreDumpCheck({ coreDumps, supervised }: Facts): CheckRecord {
  const name = 'core-dumps'
  const { limit, filter, pattern } = coreDumps
  const handler = /^\|\s*(\S+)/.exec(pattern)?.[1]
  const limited = limit === 0 && (handler === undefined || handler.endsWith('/systemd-coredump'))
  if (filter === 0)
    return ok(
      name,
      `If the daemon crashes, ${limited ? 'no dump is kept' : 'a dump has none of its memory'}, so no keys.`
    )
  if (limited) return ok(name, 'If the daemon crashes, no dump of its memory is kept.')
  if (limit === 0)
    return warning(
      name,
      `If the daemon crashes, ${handler} gets a dump of its memory, keys included, whatever the limit.`,
      'see that it keeps none, or have systemd-coredump take its place'
    )
  return warning(
    name,
    'If the daemon crashes, its memory, keys included, may be written to the disk.',
    supervised ? 'put LimitCORE=0 into its unit' : 'start it with `ulimit -c 0`, or by its unit'
  )
}

export function swapCheck({ swap }: Facts): CheckRecord {
  const name = 'swap'
  if (swap === 'none') return ok(name, 'Memory is not swapped to a disk.')
  if (swap === 'encrypted') return ok(name, 'Swap space is encrypted.')
  return warning(
    name,
    `Memory, keys included, may be swapped to a disk that is ${swap === 'plain' ? 'not' : 'not known to be'} encrypted.`,
    'encrypt the swap space, or use zram'
  )
}

export function lingerCheck({ lingers, keyStore }: Facts): CheckRecord {
  const name = 'linger'
  if (!lingers)
    return ok(name, 'The daemon ends when you log out; `loginctl enable-linger` would keep it running.')
  if (keyStore === 'secret-service')
    return warning(
      name,
      'The daemon starts with the computer, and waits, locked, until you log in and the keyring opens.',
      'keep it so, or begin anew with `coterie init --key-store file`'
    )
  return ok(name, 'The daemon starts with the computer, and needs nobody to be logged in.')
}

/** A directory must be 0700, a file 0600, both ours. */
function fault({ path, kind, mode, uid }: Access, self: number): { text: string; mend: string }[] {
  if (kind === 'link' || kind === 'other')
    return [{ text: `${path} is not what it should be`, mend: `move ${path} away` }]
  if (uid !== self) return [{ text: `${path} belongs to another user (uid ${uid})`, mend: `chown ${path}` }]
  if ((mode & 0o077) === 0) return []
  const wanted = kind === 'directory' ? '700' : '600'
  return [
    {
      text: `${path} can be reached by other users (mode ${(mode & 0o777).toString(8)})`,
      mend: `chmod ${wanted} ${path}`
    }
  ]
}

const sentence = (texts: readonly string[]): string => `${texts.join('; ')}.`
