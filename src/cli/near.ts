/** By which of the own interfaces an address is near. */
import { BlockList, isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'

type Interfaces = { readonly [name: string]: readonly NetworkInterfaceInfo[] | undefined }

/** Finds the interface whose subnet an address (`192.168.1.5`, `fe80::1%eth0`) is in; '' where a router is between. */
export function nearness(interfaces: Interfaces): (address: string) => string {
  const subnets = Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses.map(({ address, cidr, family }) => {
      const list = new BlockList()
      const kind = family === 'IPv6' ? 'ipv6' : 'ipv4'
      list.addSubnet(
        address.replace(/%.*/, ''),
        Number(cidr?.split('/')[1] ?? (kind === 'ipv6' ? 128 : 32)),
        kind
      )
      return { name, list, kind } as const
    })
  )
  return address => {
    const [bare = '', zone] = address.split('%')
    if (zone) return zone
    const kind = isIPv6(bare) ? 'ipv6' : 'ipv4'
    return subnets.find(s => s.kind === kind && s.list.check(bare, kind))?.name ?? ''
  }
}
