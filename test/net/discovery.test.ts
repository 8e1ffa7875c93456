/** Discovery by real multicast between network namespaces: who hears whom, when, and what if parts fail. */
import t from 'tap'
import type { Via } from '../../src/net/voice.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { Lan, unavailable } from './lan/lan.ts'
import { Device } from './lan/remote.ts'

const skip = unavailable()
const eth0 = { name: 'eth0' }
t.setTimeout(FILE_MS)

t.test('discovery on a LAN', { skip: skip && `skipped: ${skip}` }, async t => {
  const lan = Lan.up(t, 'ab')
  const [a, b] = await Promise.all([Device.start(lan, 'a', 1), Device.start(lan, 'b', 2)])
  /** a is there, b comes; each must hear the other. */
  async function meet(more: { via?: Via } = {}): Promise<{ there: number; here: number }> {
    await Promise.all([a.tell({ fresh: true }), b.tell({ fresh: true })])
    await a.tell({ apply: [eth0] })
    const came = await b.apply(eth0)
    const [byA, byB] = await Promise.all([a.hears(2, more), b.hears(1, more)])
    return { there: byA.at - came, here: byB.at - came }
  }

  await t.test('each hears the other, by IPv4 and IPv6, with the address it came from', async t => {
    await a.tell({ apply: [eth0] })
    await b.apply(eth0)
    t.match(await a.hears(2, { source: lan.address('b') }), { interface: 'eth0', port: 24747 })
    t.match(await b.hears(1, { source: lan.address('a') }), { interface: 'eth0', port: 24747 })
    const six = { source: /^fe80::.*%eth0$/ }
    await Promise.all([a.hears(2, six), b.hears(1, six)])
  })

  await t.test('the same announcement is told once for each address, whatever brings it', async t => {
    await meet()
    let { counters } = await a.state()
    while (counters.duplicate! < 3) counters = (await a.state()).counters
    t.equal(counters.heard, 2)
  })

  await t.test('mDNS alone', async t => {
    for (const host of 'ab') lan.firewall(host, 'add rule inet t o udp dport 1900 drop')
    await meet({ via: 'mdns' })
    const { state } = await a.state()
    t.match(state['eth0'], { mdns: 'ok', ssdp: /not permitted/ }, 'and the state says so')
  })

  await t.test('SSDP alone', async t => {
    for (const host of 'ab') lan.firewall(host, 'add rule inet t o udp dport 5353 drop')
    await meet({ via: 'ssdp' })
    const { state } = await a.state()
    t.match(state['eth0'], { mdns: /not permitted/, ssdp: 'ok' })
  })

  await t.test('SSDP alone, unicast blocked by a firewall', async t => {
    const rules = ['udp dport 5353 drop', 'ip daddr 10.0.0.0/8 drop', 'ip6 daddr fe80::/10 drop']
    for (const host of 'ab') lan.firewall(host, ...rules.map(rule => `add rule inet t i ${rule}`))
    const { here, there } = await meet({ via: 'ssdp' })
    t.pass(`heard after ${there.toFixed(0)} ms, hears after ${here.toFixed(0)} ms`)
  })
  for (const host of 'ab') lan.firewall(host)

  await t.test('how long it takes', async t => {
    const there: number[] = []
    const here: number[] = []
    for (let i = 0; i < 20; i++) {
      const times = await meet()
      there.push(times.there)
      here.push(times.here)
    }
    const p = (times: number[], of: number) => times.sort((x, y) => x - y)[Math.floor(times.length * of)]!
    const figures = (times: number[]) =>
      `p50 ${p(times, 0.5).toFixed(1)} ms, p95 ${p(times, 0.95).toFixed(1)} ms`
    t.ok(p(there, 0.5) < 200, `the newcomer is heard after ${figures(there)}`)
    t.ok(p(here, 0.5) < 200, `it hears who is there after ${figures(here)}`)
  })

  await t.test('an interface goes and comes back', async t => {
    await meet()
    lan.unplug('b')
    await b.tell({ apply: [] })
    t.strictSame((await b.state()).state, {})
    lan.plug('b')
    await b.apply(eth0)
    await Promise.all([a.hears(2), b.hears(1)])
    t.pass('both hear again')
  })

  await t.test('two daemons on one computer hear each other', async t => {
    const c = await Device.start(lan, 'a', 3)
    await a.tell({ apply: [eth0] })
    await c.apply(eth0)
    t.match(await a.hears(3), { source: /10\.91\.1\.1|fe80/ })
    await c.hears(1)
    await c.tell({ stop: true })
  })

  await t.test('only lo', async t => {
    const c = await Device.start(lan, 'a', 3)
    await a.tell({ fresh: true })
    await a.tell({ apply: [{ name: 'lo', multicast: false }] })
    await c.apply({ name: 'lo', multicast: false })
    t.match(await a.hears(3), { source: '127.0.0.1', interface: 'lo' })
    t.match(await c.hears(1), { source: '127.0.0.1' })
    await c.tell({ stop: true })
  })

  await t.test('an interface with IPv6 only', async t => {
    lan.in('a', 'ip', 'addr', 'del', `${lan.address('a')}/24`, 'dev', 'eth0')
    await Promise.all([a.tell({ fresh: true }), b.tell({ fresh: true })])
    lan.firewall('a', ...['i', 'o'].map(chain => `add rule inet t ${chain} udp dport 1900 drop`))
    await a.apply(eth0)
    await b.apply(eth0)
    t.match(await b.hears(1, { via: 'mdns' }), { source: /^fe80/ })
    t.match(await a.hears(2), { source: /^fe80/ })
    lan.firewall('a')
    lan.in('a', 'ip', 'addr', 'add', `${lan.address('a')}/24`, 'dev', 'eth0')
  })

  await t.test('what does not work says why, and the rest goes on', async t => {
    await Promise.all([a.tell({ fresh: true }), b.tell({ fresh: true })])
    const c = await Device.start(lan, 'b', 3)
    await c.tell({ hold: 5353 })
    await b.tell({
      apply: [eth0, { name: 'eth7', index: 77, addresses: [{ address: '192.0.2.1', prefix: 24 }] }]
    })
    await a.apply(eth0)
    await a.hears(2, { via: 'ssdp', source: lan.address('b') })
    await b.hears(1, { source: lan.address('a') })
    const { state } = await b.state()
    t.match(state['eth7'], { mdns: /no multicast|held/, ssdp: /no multicast/ })
    t.match(state['eth0'], { mdns: /^IPv4: port 5353 is held/, ssdp: 'ok' })
    await c.tell({ hold: 0 })
    await b.tell({ apply: [eth0] })
    while ((await b.state()).state['eth0']?.mdns !== 'ok') await b.tell({ query: true })
    t.pass('the port is free again, the next change of the network takes it')
    await b.tell({ apply: [{ ...eth0, multicast: false }] })
    t.match((await b.state()).state['eth0'], { mdns: /no multicast/, ssdp: /no multicast/ })
  })
})
