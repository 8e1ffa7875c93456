/**
 * Whether what is written to a place is encrypted by the computer itself, as far as that is cheap to know: a
 * block device is when dm-crypt is it or below it (`dm/uuid` begins with CRYPT-), through LVM and RAID. File
 * systems that encrypt by themselves (fscrypt, ZFS), and disks that do, are `unknown` or `plain`.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename } from 'node:path'

export type Encryption = 'encrypted' | 'plain' | 'unknown'

/** Of the file system that has `path`. `root`: where /proc and /sys are, for tests. */
export function diskEncryption(path: string, root = ''): Encryption {
  try {
    const real = root === '' ? realpathSync(path) : path
    let longest = ''
    let found: Encryption = 'unknown'
    for (const line of readFileSync(`${root}/proc/self/mountinfo`, 'utf8').split('\n')) {
      // proc(5): id parent major:minor root mount-point options [optional…] - type source super-options
      const [before = '', after = ''] = line.split(' - ')
      const point = unescaped(before.split(' ')[4] ?? '')
      const [type = '', source = ''] = after.split(' ')
      const below = real === point || real.startsWith(point === '/' ? '/' : `${point}/`)
      if (point === '' || !below || point.length < longest.length) continue
      longest = point
      found = type === 'ecryptfs' ? 'encrypted' : blockEncryption(unescaped(source), root)
    }
    return found
  } catch {
    return 'unknown'
  }
}

/** Of the swap space in use: the worst there is; `none` without any on a disk. */
export function swapEncryption(root = ''): Encryption | 'none' {
  const order = ['none', 'encrypted', 'unknown', 'plain'] as const
  let worst: Encryption | 'none' = 'none'
  try {
    for (const line of readFileSync(`${root}/proc/swaps`, 'utf8').split('\n').slice(1)) {
      const [name = '', type] = line.split(/\s+/)
      if (name === '' || /^\/dev\/zram\d/.test(name)) continue
      const path = unescaped(name)
      const one = type === 'partition' ? blockEncryption(path, root) : diskEncryption(path, root)
      if (order.indexOf(one) > order.indexOf(worst)) worst = one
    }
  } catch {
    return 'unknown'
  }
  return worst
}

function blockEncryption(device: string, root: string): Encryption {
  if (!device.startsWith('/dev/')) return 'unknown'
  try {
    const real = root === '' ? realpathSync(device) : device
    return isCrypt(basename(real), root) ? 'encrypted' : 'plain'
  } catch {
    return 'unknown'
  }
}

/** Throws when there is no such block device. */
function isCrypt(name: string, root: string): boolean {
  const place = `${root}/sys/class/block/${name}`
  const has = new Set(readdirSync(place))
  if (has.has('dm') && readFileSync(`${place}/dm/uuid`, 'utf8').startsWith('CRYPT-')) return true
  const slaves = has.has('slaves') ? readdirSync(`${place}/slaves`) : []
  return slaves.length > 0 && slaves.every(slave => isCrypt(slave, root))
}

/** Spaces and the like are octal there. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
