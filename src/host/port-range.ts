/** Ports as a firewall names them. */
export interface PortRange {
  readonly protocol: 'tcp' | 'udp'
  readonly first: number
  readonly last: number
}

/** `80`, or a first and a last one with this between them; undefined when it is neither. */
export function rangeOf(text: string, protocol: string, between: string): PortRange | undefined {
  const [first = Number.NaN, last = first] = text.split(between).map(Number)
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  return Number.isInteger(first) && Number.isInteger(last) ? { protocol, first, last } : undefined
}
