/** Ethernet frames of a capture, with as much of them read as the tests ask for. */
export interface Frame {
  /** `02:77:00:00:00:01`. */
  readonly mac: string
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'igmp' | 'arp' | 'other'
  /** '' where there is none. */
  readonly source: string
  readonly target: string
  /** Of UDP and TCP, else 0. */
  readonly sourcePort: number
  readonly targetPort: number
  /** Above Ethernet: all headers too. */
  readonly bytes: Buffer
}

const PROTOCOLS: { readonly [number: number]: Frame['protocol'] } = {
  1: 'icmp',
  2: 'igmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6'
}
const [IPV4, ARP, IPV6] = [0x0800, 0x0806, 0x86dd]
const HOP_BY_HOP = 0

/** `pcap`: as tcpdump writes it on this machine; a frame that is not whole yet is left out. */
export function framesOf(pcap: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = pcap.readUInt32LE(at + 8)
    if (at + 16 + length > pcap.length) break
    frames.push(frameOf(pcap.subarray(at + 16, at + 16 + length)))
    at += 16 + length
  }
  return frames
}

function frameOf(frame: Buffer): Frame {
  const mac = [...frame.subarray(6, 12)].map(byte => byte.toString(16).padStart(2, '0')).join(':')
  const type = frame.readUInt16BE(12)
  const bytes = frame.subarray(14)
  const bare = { mac, source: '', target: '', sourcePort: 0, targetPort: 0, bytes } as const
  if (type === ARP) return { ...bare, protocol: 'arp' }
  if (type !== IPV4 && type !== IPV6) return { ...bare, protocol: 'other' }
  const four = type === IPV4
  let number = four ? bytes[9]! : bytes[6]!
  let header = four ? (bytes[0]! & 15) * 4 : 40
  if (!four && number === HOP_BY_HOP) {
    number = bytes[header]!
    header += 8 * (bytes[header + 1]! + 1)
  }
  const protocol = PROTOCOLS[number] ?? 'other'
  const ports = protocol === 'tcp' || protocol === 'udp'
  const address = (from: number) =>
    four ? bytes.subarray(from, from + 4).join('.') : six(bytes.subarray(from, from + 16))
  return {
    ...bare,
    protocol,
    source: address(four ? 12 : 8),
    target: address(four ? 16 : 24),
    sourcePort: ports ? bytes.readUInt16BE(header) : 0,
    targetPort: ports ? bytes.readUInt16BE(header + 2) : 0
  }
}

const six = (host: Buffer): string =>
  Array.from({ length: 8 }, (_, i) => host.readUInt16BE(2 * i).toString(16)).join(':')
