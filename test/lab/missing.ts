import { accessSync } from 'node:fs'
import { delimiter } from 'node:path'

const commands = [
  'ip',
  'nsenter',
  'dbus-daemon',
  'NetworkManager',
  'nmcli',
  'dnsmasq',
  'avahi-daemon',
  'avahi-browse',
  'tcpdump',
  'nc',
  'busctl',
  'gdbus'
]

/** Why the lab cannot run here, or undefined when it can. */
export function labMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'the lab needs root'
  const folders = `${process.env['PATH']}:/usr/sbin:/sbin`.split(delimiter)
  const absent = commands.filter(command => !folders.some(folder => exists(`${folder}/${command}`)))
  return absent.length ? `the lab needs ${absent.join(', ')}` : undefined
}

function exists(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}
