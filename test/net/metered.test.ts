import t from 'tap'
import type { Interface, InterfaceKind, Snapshot } from '../../src/net/interfaces.ts'
import { isMetered } from '../../src/net/metered.ts'

const INTERFACES: readonly [string, InterfaceKind, boolean][] = [
  ['lo', 'loopback', false],
  ['eth0', 'ethernet', false],
  ['wlan0', 'wifi', true],
  ['wwan0', 'wwan', true],
  ['wg0', 'vpn', false]
]

function network(primary: string): Snapshot {
  const interfaces = INTERFACES.map(([name, kind, metered]) => ({ name, kind, metered }) as Interface)
  return { source: 'NetworkManager', interfaces, connectivity: '', primary }
}

t.test('metered is who has nothing but metered networks', async t => {
  const table: [string, readonly string[], boolean][] = [
    ['', [], false],
    ['', ['lo'], false],
    ['eth0', ['lo', 'eth0'], false],
    ['wlan0', ['wlan0'], true],
    ['wlan0', ['lo', 'wlan0', 'wwan0'], true],
    ['wlan0', ['eth0', 'wlan0'], false],
    // a tunnel costs what carries it
    ['wlan0', ['wlan0', 'wg0'], true],
    ['wwan0', ['wg0'], true],
    ['eth0', ['wg0'], false],
    ['eth0', ['eth0', 'wg0'], false],
    // nobody says
    ['', ['wg0'], false],
    ['gone', ['wg0'], false],
    ['wlan0', ['gone'], false]
  ]
  for (const [primary, used, metered] of table)
    t.equal(isMetered(network(primary), used), metered, `${used.join(', ')} by ${primary}`)
})
