import t from 'tap'
import { networkdFacts } from '../../src/host/networkd.ts'

const describe = (...interfaces: unknown[]) => JSON.stringify({ Interfaces: interfaces })
const lo = { Name: 'lo', Type: 'loopback', AdministrativeState: 'unmanaged' }

t.test('what it looks after, and what not', async t => {
  const { interfaces, primary, connectivity } = networkdFacts(
    describe(
      lo,
      { Name: 'eth0', Kind: 'veth', Type: 'ether', AdministrativeState: 'configured' },
      { Name: 'wlan0', Type: 'wlan', AdministrativeState: 'unmanaged' },
      { Name: 'wg0', Kind: 'wireguard', Type: 'none', AdministrativeState: 'configuring' },
      { Type: 'ether' },
      null
    )
  )
  t.strictSame(
    [...interfaces].map(([name, f]) => [name, f.kind, f.managed, f.usable]),
    [
      ['lo', 'loopback', false, true],
      ['eth0', '', true, true],
      ['wlan0', 'wifi', false, true],
      ['wg0', 'vpn', true, true]
    ]
  )
  t.equal(primary, undefined)
  t.equal(connectivity, '')
})

t.test('one that looks after nothing has no say', async t => {
  const { interfaces } = networkdFacts(
    describe(lo, { Name: 'eth0', Type: 'ether', AdministrativeState: 'unmanaged' })
  )
  t.ok(interfaces.get('eth0')!.managed)
})

t.test('no JSON is an error, odd JSON is nothing', async t => {
  t.throws(() => networkdFacts(''))
  for (const odd of ['{}', '[]', '3', '{"Interfaces":7}']) t.equal(networkdFacts(odd).interfaces.size, 0, odd)
})
