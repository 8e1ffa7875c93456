import t from 'tap'
import { BusError } from '../../src/host/bus.ts'
import { allowedOf, aloneOf, namesOf, wireguardDevices } from '../../src/host/wireguard.ts'

t.test('who has a route alone', async t => {
  const routes = [
    { dst: '10.8.0.2', scope: 'link', flags: [] },
    { dst: '10.8.0.0/24', protocol: 'kernel' },
    { dst: 'fd00:8::2', metric: 1024 },
    { dst: '10.8.0.3/32' },
    { dst: 'fd00:8::3/128', type: 'unicast' },
    { dst: 'default' },
    { type: 'local', dst: '10.8.0.1', table: 'local' },
    { type: 'broadcast', dst: '10.8.0.255' },
    { type: 'multicast', dst: 'ff00::/8' },
    { dst: 5 },
    'text'
  ]
  t.same(aloneOf(routes), ['10.8.0.2', 'fd00:8::2', '10.8.0.3', 'fd00:8::3'])
  t.same(aloneOf({}), [])
})

t.test('interfaces', async t => {
  t.same(namesOf([{ ifname: 'wg0' }, {}, { ifname: 5 }, null]), ['wg0'])
  t.same(namesOf(undefined), [])
})

t.test('who is allowed alone, in the settings of NetworkManager', async t => {
  const peers = [
    { 'allowed-ips': ['10.8.0.2/32', '10.9.0.0/16', 'fd00:8::2/128', 7], 'public-key': 'x' },
    { 'allowed-ips': 'all' },
    4
  ]
  t.same(allowedOf({ wireguard: { peers } }), ['10.8.0.2', 'fd00:8::2'])
  for (const nonsense of [undefined, {}, { wireguard: 4 }, { wireguard: { peers: 'x' } }])
    t.same(allowedOf(nonsense), [])
})

t.test('a NetworkManager that knows of one, and none at all', async t => {
  const settings = { wireguard: { peers: [{ 'allowed-ips': ['10.8.0.2/32'] }] } }
  const answers: { readonly [what: string]: unknown } = {
    ActiveConnections: ['/a/1', '/a/2'],
    '/a/1 Type': 'wireguard',
    '/a/1 Connection': '/s/1',
    '/a/2 Type': '802-3-ethernet',
    GetSettings: settings
  }
  const call = async ({ path, member, body = [] }: { path: string; member: string; body?: unknown[] }) => {
    const property = String(body[1])
    return [
      member === 'GetSettings' ? answers[member] : (answers[`${path} ${property}`] ?? answers[property])
    ]
  }
  t.same(await wireguardDevices({ call }), [{ name: '', addresses: ['10.8.0.2'] }])
  const absent = async () => {
    throw new BusError('org.freedesktop.DBus.Error.ServiceUnknown', 'not there')
  }
  t.same(await wireguardDevices({ call: absent }), [])
  t.same(await wireguardDevices(undefined), [])
})
