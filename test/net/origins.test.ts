/** From where a datagram leaves; the kernel's answers are given. */
import t from 'tap'
import type { Interface, Place } from '../../src/net/interfaces.ts'
import { type Origin, Origins } from '../../src/net/origins.ts'
import { formatHost, parseAddress } from '../../src/wire/address.ts'

const named = (name: string, ...addresses: string[]) =>
  ({
    name,
    addresses: addresses.map(text => {
      const [address = '', prefix] = text.split('/')
      return { address, prefix: Number(prefix) }
    })
  }) as unknown as Interface

const eth0 = named('eth0', '192.0.2.1/24', '2001:db8::1/64', 'fe80::1/64')
const wlan0 = named('wlan0', '198.51.100.7/25', 'fe80::7/64')
const docker0 = named('docker0', '172.17.0.1/16')

class Subject {
  bound: Place[] = [eth0, wlan0].flatMap(({ name, addresses }) =>
    addresses.map(({ address }) => ({
      interface: name,
      address: address.startsWith('fe80') ? `${address}%${name}` : address
    }))
  )
  interfaces = [eth0, wlan0, docker0]
  restricted = false
  now = 0
  asked = 0
  routes: { [host: string]: string } = {}
  readonly origins = new Origins({
    bound: () => this.bound,
    interfaces: () => this.interfaces,
    restricted: () => this.restricted,
    now: () => this.now,
    route: async to => {
      this.asked++
      const source = this.routes[formatHost(to)]
      if (source === undefined) throw new Error('ENETUNREACH')
      return source
    }
  })
  find(host: string): Promise<Origin> {
    const to = parseAddress(`tcp://${host}:1`)!
    return new Promise(resolve => this.origins.find(to, resolve))
  }
  async from(host: string): Promise<string> {
    const origin = await this.find(host)
    return typeof origin === 'string' ? origin : origin.address
  }
}

t.test('the one subnet that has it, and the scope of a link-local address, without asking', async t => {
  const subject = new Subject()
  t.equal(await subject.from('192.0.2.200'), '192.0.2.1')
  t.equal(await subject.from('198.51.100.100'), '198.51.100.7')
  t.equal(await subject.from('[2001:db8::99]'), '2001:db8::1')
  t.equal(await subject.from('[fe80::9%25wlan0]'), 'fe80::7%wlan0')
  t.equal(await subject.from('[fe80::9%25docker0]'), 'barred')
  t.equal(subject.asked, 0)
})

t.test('else as the kernel says, asked once in a while', async t => {
  const subject = new Subject()
  subject.routes = { '203.0.113.1': '198.51.100.7', '10.9.9.9': '10.0.0.5' }
  t.equal(await subject.from('198.51.100.200'), 'no-route', 'behind the /25')
  t.equal(await subject.from('203.0.113.1'), '198.51.100.7')
  t.equal(await subject.from('10.9.9.9'), 'barred', 'by an interface that is not in use')
  t.equal(await subject.from('203.0.113.1'), '198.51.100.7')
  t.equal(subject.asked, 3)
  await Promise.all([subject.find('203.0.113.2'), subject.find('203.0.113.2'), subject.find('203.0.113.2')])
  t.equal(subject.asked, 4, 'who asks meanwhile waits for the same answer')
  subject.now = 10_001
  subject.routes['203.0.113.1'] = '192.0.2.1'
  t.equal(await subject.from('203.0.113.1'), '192.0.2.1')
  subject.origins.clear()
  await subject.from('203.0.113.1')
  t.equal(subject.asked, 6)
})

t.test('the kernel may mean an address that nobody listens on, of an interface in use', async t => {
  const subject = new Subject()
  subject.interfaces = [named('eth0', '192.0.2.1/24', '2001:db8::1/64', '2001:db8::abcd/64'), wlan0]
  subject.routes = { '2001:db8:1::1': '2001:db8::abcd' }
  t.equal(await subject.from('[2001:db8:1::1]'), '2001:db8::1')
  t.equal(await subject.from('172.17.0.2'), 'no-route')
})

t.test('two interfaces in one subnet: the kernel decides', async t => {
  const subject = new Subject()
  subject.interfaces = [eth0, named('wlan0', '192.0.2.7/24')]
  subject.bound = [
    { interface: 'eth0', address: '192.0.2.1' },
    { interface: 'wlan0', address: '192.0.2.7' }
  ]
  subject.routes = { '192.0.2.99': '192.0.2.7' }
  t.equal(await subject.from('192.0.2.99'), '192.0.2.7')
})

t.test('with --only the kernel is asked for what is near as well', async t => {
  const subject = new Subject()
  subject.restricted = true
  subject.bound = subject.bound.filter(place => place.interface === 'eth0')
  subject.routes = { '192.0.2.200': '198.51.100.7', '192.0.2.201': '192.0.2.1' }
  t.equal(await subject.from('192.0.2.200'), 'barred', 'the way there is by the other one')
  t.equal(await subject.from('192.0.2.201'), '192.0.2.1')
  t.equal(await subject.from('[fe80::9%25eth0]'), 'fe80::1%eth0')
  t.equal(await subject.from('[fe80::9%25wlan0]'), 'barred')
})

t.test('an answer about the network before is given, and not kept', async t => {
  const subject = new Subject()
  subject.routes = { '203.0.113.1': '192.0.2.1' }
  const before = subject.from('203.0.113.1')
  subject.origins.clear()
  subject.routes = { '203.0.113.1': '198.51.100.7' }
  t.equal(await before, '192.0.2.1')
  t.equal(await subject.from('203.0.113.1'), '198.51.100.7')
  for (let i = 0; i < 600; i++) {
    subject.routes[`203.0.${i % 200}.${1 + (i % 250)}`] = '192.0.2.1'
    await subject.from(`203.0.${i % 200}.${1 + (i % 250)}`)
  }
  t.ok(subject.asked > 500)
})
