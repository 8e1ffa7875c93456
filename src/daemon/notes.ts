/** What is missing or limited on this computer, as sentences that say what would mend it. Pure. */
import type { LogindState } from '../host/logind.ts'
import type { Conditions } from './network/attachment.ts'

export interface Condition extends Conditions {
  readonly dbus: string
  readonly only: readonly string[]
  readonly runtimeDirectory: boolean
  readonly socket: string
  readonly logind: LogindState
  /** Of circles: changes that could not be stored yet. */
  readonly trouble: readonly string[]
}

export function notesOn(c: Condition): string[] {
  const notes: string[] = []
  if (c.dbus === 'absent') notes.push('no session bus: panels and busctl cannot see Coterie')
  if (c.dbus === 'taken')
    notes.push(
      'another program owns org.coterie.Coterie1 on the session bus: end it, then this one takes over'
    )
  if (!c.runtimeDirectory) notes.push(`XDG_RUNTIME_DIR is not set: the socket is ${c.socket}`)
  if (c.snapshot !== undefined) {
    const names = new Set(c.snapshot.interfaces.map(i => i.name))
    for (const name of c.only) if (!names.has(name)) notes.push(`there is no interface ${name}`)
    if (c.planned.length === 0)
      notes.push('no network interface is in use: connect one, or name one with --only or [network] only')
    else if (!c.planned.some(p => p.address.includes(':')))
      notes.push('IPv6 is off on the interfaces in use: IPv4 alone is used')
  }
  notes.push(...c.listeners)
  for (const [name, { mdns, ssdp }] of Object.entries(c.discovery)) {
    if (mdns !== 'ok') notes.push(`mDNS does not work on ${name}: ${mdns}`)
    if (ssdp !== 'ok') notes.push(`SSDP does not work on ${name}: ${ssdp}`)
  }
  if (c.logind.inhibition === 'refused')
    notes.push('logind lets nothing delay its sleep: the others may learn late that this device sleeps')
  notes.push(...c.trouble.filter(sentence => sentence !== ''))
  return notes
}
