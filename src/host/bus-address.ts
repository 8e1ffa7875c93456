/**
 * Where a message bus listens (D-Bus specification, "Server Addresses"): `unix:path=/run/user/1000/bus;…`,
 * values %-escaped, alternatives apart by semicolons.
 */

/** Socket paths for node:net in the order to try; an abstract name begins with NUL. Unknown transports are left out. */
export function busSockets(address: string, runtimeDirectory: string | undefined): string[] {
  const sockets: string[] = []
  for (const alternative of address.split(';')) {
    const [transport, rest] = split(alternative, ':')
    if (transport !== 'unix') continue
    const values = new Map(rest.split(',').map(pair => split(pair, '=')))
    const path = unescaped(values.get('path'))
    const abstract = unescaped(values.get('abstract'))
    if (path) sockets.push(path)
    else if (abstract) sockets.push(`\0${abstract}`)
    else if (values.get('runtime') === 'yes' && runtimeDirectory) sockets.push(`${runtimeDirectory}/bus`)
  }
  return sockets
}

/** The address of a bus by the environment, else the well-known place. */
export function defaultAddress(kind: 'session' | 'system'): string {
  if (kind === 'system')
    return process.env['DBUS_SYSTEM_BUS_ADDRESS'] || 'unix:path=/run/dbus/system_bus_socket'
  const directory = process.env['XDG_RUNTIME_DIR'] || `/run/user/${process.getuid?.() ?? 0}`
  return process.env['DBUS_SESSION_BUS_ADDRESS'] || `unix:path=${escaped(`${directory}/bus`)}`
}

const split = (text: string, at: string): [string, string] => {
  const i = text.indexOf(at)
  return i < 0 ? [text, ''] : [text.slice(0, i), text.slice(i + 1)]
}
const escaped = (value: string) => value.replace(/[^-0-9A-Za-z_/.\\*]/g, encodeURIComponent)
const unescaped = (value: string | undefined): string => {
  try {
    return decodeURIComponent(value ?? '')
  } catch {
    return ''
  }
}
