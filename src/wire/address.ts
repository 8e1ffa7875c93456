/**
 * Addresses: where a device may be reached.
 *
 *   text   tcp://192.0.2.1:24747   tcp://[2001:db8::1]:24747   tcp://[fe80::1%25eth0]:24747
 *          The host is canonical (RFC 5952; IPv4-mapped IPv6 becomes IPv4), the scope is written as in
 *          RFC 6874, for link-local IPv6 always and for nothing else; the port is always there. Equal addresses are equal texts.
 *   bytes  u8 4 | 4 bytes | u16 port
 *          u8 6 | 16 bytes | u16 port
 *          Big-endian. A scope means something on one device only, so a link-local address has no bytes.
 */
export type AddressClass = 'loopback' | 'link-local' | 'private' | 'global'

export interface Address {
  readonly family: 4 | 6
  /** 4 or 16 bytes. */
  readonly host: Uint8Array
  /** 1 to 65,535. */
  readonly port: number
  /** Interface of a link-local IPv6 address, else ''. */
  readonly scope: string
}

/** Undefined for whatever is not exactly an address a device can be dialled at. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 128) return undefined
  const match =
    /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)(?:%25([A-Za-z0-9_.:@-]{1,15}))?\]|([0-9.]+)):([0-9]{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, six, scope = '', four, digits] = match
  const port = Number(digits)
  const host = four !== undefined ? parseIPv4(four) : parseIPv6(six!)
  return host === undefined ? undefined : address(host, port, scope)
}

/** The address of a bare IP text, as the kernel gives it (`fe80::1%eth0` carries its scope). */
export function addressOf(ip: string, port: number, scope = ''): Address | undefined {
  const [bare = '', own = scope] = ip.split('%')
  const host = bare.includes(':') ? parseIPv6(bare) : parseIPv4(bare)
  return host === undefined ? undefined : address(host, port, own)
}

export function formatAddress(address: Address): string {
  const host = formatHost(address)
  return address.family === 4
    ? `tcp://${host}:${address.port}`
    : `tcp://[${host}${address.scope === '' ? '' : `%25${address.scope}`}]:${address.port}`
}

/** The bare IP in canonical text, without scope. */
export function formatHost({ host }: Address): string {
  if (host.length === 4) return host.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => (host[i * 2]! << 8) | host[i * 2 + 1]!)
  const gap = longestZeros(groups)
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':')
  return gap === undefined ? hex(0, 8) : `${hex(0, gap.start)}::${hex(gap.start + gap.length, 8)}`
}

/** The one text of an address, or undefined when it is none. */
export function canonicalAddress(text: string): string | undefined {
  const parsed = parseAddress(text)
  return parsed === undefined ? undefined : formatAddress(parsed)
}

export function addressClass({ host }: Address): AddressClass {
  const [a, b] = host as unknown as [number, number]
  if (host.length === 4) {
    if (a === 127) return 'loopback'
    if (a === 169 && b === 254) return 'link-local'
    // RFC 1918, and the shared space of RFC 6598 that overlay networks use
    const within =
      a === 10 || (a === 172 && b >> 4 === 1) || (a === 192 && b === 168) || (a === 100 && b >> 6 === 1)
    return within ? 'private' : 'global'
  }
  if (host.every((byte, i) => byte === (i === 15 ? 1 : 0))) return 'loopback'
  if (a === 0xfe && b >> 6 === 2) return 'link-local'
  return a >> 1 === 0x7e ? 'private' : 'global'
}

/**
 * Whether both are probably on one link: the same /24 or /64. Prefix lengths do not travel, so this orders
 * attempts and decides nothing else.
 */
export function sameSubnet(one: Address, other: Address): boolean {
  if (one.family !== other.family || one.scope !== other.scope) return false
  const length = one.family === 4 ? 3 : 8
  for (let i = 0; i < length; i++) if (one.host[i] !== other.host[i]) return false
  return true
}

export const sameHost = (one: Address, other: Address): boolean =>
  one.host.length === other.host.length &&
  one.scope === other.scope &&
  one.host.every((byte, i) => byte === other.host[i])

/** Bytes that `writeAddress` takes. */
export const addressLength = (address: Address): number => 3 + address.host.length

/** Writes at `offset` and gives the offset behind it. The address must be portable. */
export function writeAddress(bytes: Uint8Array, offset: number, address: Address): number {
  const end = offset + addressLength(address)
  bytes[offset] = address.family
  bytes.set(address.host, offset + 1)
  bytes[end - 2] = address.port >> 8
  bytes[end - 1] = address.port & 255
  return end
}

/** Undefined when the bytes are cut short or no device can be dialled there. */
export function readAddress(
  bytes: Uint8Array,
  offset: number
): { address: Address; end: number } | undefined {
  const family = bytes[offset]
  if (family !== 4 && family !== 6) return undefined
  const end = offset + 3 + (family === 4 ? 4 : 16)
  if (end > bytes.length) return undefined
  const host = bytes.slice(offset + 1, end - 2)
  if (family === 6 && mapped(host)) return undefined
  const found = address(host, (bytes[end - 2]! << 8) | bytes[end - 1]!, '')
  return found === undefined || !portable(found) ? undefined : { address: found, end }
}

/** Means the same on another device: not link-local. Only such an address has bytes. */
export const portable = (address: Address): boolean => addressClass(address) !== 'link-local'

function address(host: Uint8Array, port: number, scope: string): Address | undefined {
  if (host.length === 16 && mapped(host)) return address(host.slice(12), port, scope)
  if (port < 1 || port > 65_535) return undefined
  // nobody can be dialled at 0.0.0.0/8, multicast, reserved or broadcast addresses
  const first = host[0]!
  if (host.length === 4 ? first === 0 || first >= 224 : first === 255 || host.every(byte => byte === 0)) {
    return undefined
  }
  const found: Address = { family: host.length === 4 ? 4 : 6, host, port, scope }
  // RFC 4007: link-local IPv6 cannot be dialled without its scope, and nothing else has one
  const scoped = found.family === 6 && addressClass(found) === 'link-local'
  return scoped === (scope !== '') ? found : undefined
}

const mapped = (host: Uint8Array): boolean =>
  host.every((byte, i) => i >= 12 || byte === (i === 10 || i === 11 ? 255 : 0))

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const host = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    // no leading zeros: some read them as octal
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
    host[i] = Number(part)
  }
  return host
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const before = groupsOf(halves[0]!, halves.length === 1)
  const after = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (before === undefined || after === undefined) return undefined
  const missing = 8 - before.length - after.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const host = new Uint8Array(16)
  for (const [i, group] of [...before, ...Array<number>(missing).fill(0), ...after].entries()) {
    host[i * 2] = group >> 8
    host[i * 2 + 1] = group & 255
  }
  return host
}

/** The 16-bit groups of one side of `::`; the last may be an IPv4 address when it ends the whole. */
function groupsOf(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const four = parseIPv4(part)
      if (four === undefined) return undefined
      groups.push((four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** RFC 5952 4.2: the longest run of two or more zero groups, the first of equals. */
function longestZeros(groups: readonly number[]): { start: number; length: number } | undefined {
  let best = { start: 0, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best.length > 1 ? best : undefined
}
