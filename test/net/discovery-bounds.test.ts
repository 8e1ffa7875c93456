/** What strangers and other networks get of discovery, by capture: nothing. */
import t from 'tap'
import { makeAnnouncement, slotAt } from '../../src/crypto/announcement.ts'
import { randomBytes } from '../../src/crypto/provider.ts'
import { encodeSsdp } from '../../src/wire/ssdp.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { generator } from '../random.ts'
import { Lan, mostWithin, unavailable } from './lan/lan.ts'
import { Device, Stranger } from './lan/remote.ts'

const skip = unavailable()
const eth0 = { name: 'eth0' }
const SSDP = { to: '239.255.255.250', port: 1900 }
const MDNS = { to: '224.0.0.251', port: 5353 }

const announcement = (id: number, key: number) =>
  makeAnnouncement({
    key: new Uint8Array(32).fill(key),
    id: new Uint8Array(32).fill(id),
    port: 24747,
    slot: slotAt(Date.now() / 1000),
    salt: randomBytes(8)
  })
const ssdp = (kind: 'search' | 'notify', id: number, key = 9) =>
  Buffer.from(encodeSsdp(kind, announcement(id, key), SSDP.to)).toString('latin1')
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')
/** A PTR query for our service; `unicast` sets the QU bit. */
const query = (unicast: boolean) =>
  `\0\x07\0\0\0\x01\0\0\0\0\0\0\x08_coterie\x04_udp\x05local\0\0\x0c${unicast ? '\x80' : '\0'}\x01`

t.test('bounds of discovery', { skip: skip && `skipped: ${skip}`, timeout: FILE_MS }, async t => {
  const lan = Lan.up(t, 'abs')
  const [a, b, s] = await Promise.all([
    Device.start(lan, 'a', 1),
    Device.start(lan, 'b', 2),
    Stranger.start(lan, 's')
  ])
  const here = lan.address('s')

  await t.test('strangers get no byte back', async t => {
    await a.tell({ apply: [eth0] })
    const capture = await lan.capture('s', 1, `udp and src host ${lan.address('a')} and dst host ${here}`)
    const member = ssdp('search', 5)
    const target = 'urn:coterie:service:mesh:1'
    const shoot = (from: object, text: string) =>
      s.shoot({ from: here, ...SSDP, ...from, datagrams: [base64(text)] })
    for (const other of ['ssdp:all', 'upnp:rootdevice', '*', `${target}*`]) {
      await shoot({}, member.replace(target, other))
    }
    await shoot({}, member.replace(/ANNOUNCEMENT.*\r\n/, ''))
    await shoot({}, ssdp('search', 5, 8))
    await shoot(MDNS, query(false))
    await shoot({ ...MDNS, fromPort: 5353 }, query(true))
    await shoot({ fromPort: 1023 }, member)
    await shoot({}, member.replace(/PADDING.*\r\n/, ''))
    await shoot({}, member)
    const { answer } = await s.until(report => report.answer !== undefined, 'answer')
    const size = Buffer.from(answer!, 'base64').length
    t.ok(size > 0 && size <= member.length, `a member gets ${size} bytes for ${member.length}`)
    t.notMatch(Buffer.from(answer!, 'base64').toString(), /SERVER|Node|coterie\/|LOCATION/i)
    t.equal((await capture.stop()).length, 1, 'and that is the only packet to that host')
  })

  await t.test('what is not on the link is not heard', async t => {
    lan.in('s', 'ip', 'addr', 'add', '10.99.0.5/24', 'dev', 'eth0')
    await a.tell({ fresh: true, apply: [eth0] })
    await s.shoot({ from: '10.99.0.5', ...SSDP, datagrams: [base64(ssdp('notify', 6))] })
    await s.shoot({ from: here, ...SSDP, datagrams: [base64(ssdp('notify', 7))] })
    await a.hears(7)
    t.equal((await a.state()).counters.offLink, 1)
    t.equal((await a.state()).counters.heard, 1)
  })

  await t.test('with one interface selected nothing leaves by another', async t => {
    lan.plug('a', 2)
    lan.plug('s', 2)
    await a.tell({ fresh: true, apply: [eth0] })
    t.notMatch(
      lan.in('a', 'ip', 'maddr', 'show', 'dev', 'eth1'),
      /239\.255\.255\.250|224\.0\.0\.251|ff02::(fb|c)\b/
    )
    await a.tell({ join: lan.address('a', 2) })
    const capture = await lan.capture('a', 2, `udp and ether src ${lan.mac('a', 2)}`)
    const there = { from: lan.address('s', 2) }
    await s.shoot({ ...there, ...SSDP, datagrams: [ssdp('search', 5), ssdp('notify', 5)].map(base64) })
    await s.shoot({ ...there, ...MDNS, datagrams: [query(false)].map(base64) })
    await s.shoot({ ...there, ...MDNS, fromPort: 5353, datagrams: [query(false), query(true)].map(base64) })
    await a.tell({ query: true })
    await b.tell({ fresh: true })
    await b.apply(eth0)
    await a.hears(2)
    const { counters } = await a.state()
    t.ok(counters.offLink! >= 5, `${counters.offLink} packets of the other network came in`)
    t.strictSame(await capture.stop(), [])
  })

  await t.test(
    'no unicast where an interface not in use has the same subnet: the route may lead there',
    async t => {
      const search = async () => {
        await a.tell({ fresh: true, apply: [eth0] })
        await s.shoot({ from: here, ...SSDP, datagrams: [base64(ssdp('search', 5))] })
        await a.hears(5)
        return (await a.state()).counters.answered
      }
      t.equal(await search(), 1)
      lan.in('a', 'ip', 'addr', 'add', '10.91.1.200/24', 'dev', 'eth1')
      t.equal(await search(), 0)
      lan.in('a', 'ip', 'addr', 'del', '10.91.1.200/24', 'dev', 'eth1')
    }
  )

  await t.test('listening, without a listener or a circle, nothing is sent and all is heard', async t => {
    await a.tell({ fresh: true })
    const capture = await lan.capture('s', 1, `udp and ether src ${lan.mac('a')}`)
    const silent = [
      { circles: 1, interface: { ...eth0, policy: 'listen' as const } },
      { circles: 1, interface: { ...eth0, port: 0 } },
      { circles: 0, interface: eth0 }
    ]
    for (const { circles, interface: one } of silent) {
      await Promise.all([a.tell({ fresh: true, circles }), b.tell({ fresh: true })])
      await a.tell({ apply: [one] })
      await a.tell({ query: true })
      await b.apply(eth0)
      await a.hears(2, { via: 'ssdp' })
      await a.tell({ rotate: true })
      await s.shoot({ from: here, ...SSDP, datagrams: [base64(ssdp('search', 5))] })
      await s.shoot({ from: here, ...MDNS, fromPort: 5353, datagrams: [base64(query(false))] })
      await a.hears(5)
    }
    t.strictSame(await capture.stop(), [])
    await a.tell({ circles: 1 })
  })

  await t.test(
    'names and ports change together: at rotation, with a new MAC address, connection or IPv6 network',
    async t => {
      await Promise.all([a.tell({ fresh: true }), b.tell({ fresh: true, apply: [eth0] })])
      const capture = await lan.capture(
        's',
        1,
        `udp and (ether src ${lan.mac('a')} or ether src 02:00:00:00:00:77)`
      )
      // the kernel must not give the same port twice by chance
      const heard = async () => {
        await b.hears(1, { source: lan.address('a') })
        lan.reservePorts('a')
      }
      await a.apply(eth0)
      await heard()
      await a.tell({ rotate: true })
      await heard()
      lan.in('a', 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:77')
      await a.apply(eth0)
      await heard()
      await a.apply({ ...eth0, connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc' })
      await heard()
      lan.in('a', 'ip', 'addr', 'add', '2001:db8:91::1/64', 'dev', 'eth0', 'nodad')
      await a.apply({ ...eth0, connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc' })
      await b.hears(1, { source: lan.address('a') })
      lan.in('a', 'ip', 'addr', 'add', '2001:db8:91::2/64', 'dev', 'eth0', 'nodad')
      await a.apply({ ...eth0, connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc' })
      lan.in('a', 'ip', 'addr', 'flush', 'dev', 'eth0', 'to', '2001:db8:91::/64')
      const packets = await capture.stop()
      const names = packets
        .map(packet => /PTR ([0-9a-f]{16})\._coterie/.exec(packet)?.[1])
        .filter(name => name)
      const ports = packets
        .map(packet => /IP 10\.91\.1\.1\.(\d+) > 239/.exec(packet)?.[1])
        .filter(port => port)
      t.equal(new Set(ports).size, 5, `source ports of SSDP: ${ports}`)
      // a rotation is said by SSDP alone, and the budget of mDNS is used up by the third time of asking
      t.ok(new Set(names).size >= 2, `names: ${names}`)
      t.strictSame(
        names,
        [...names].sort((x, y) => names.indexOf(x) - names.indexOf(y)),
        'no old name comes again'
      )
    }
  )

  await t.test('a flapping interface announces once a second', async t => {
    await Promise.all([a.tell({ fresh: true }), b.tell({ fresh: true, apply: [eth0] })])
    const capture = await lan.capture('s', 1, `udp and src host ${lan.address('a')}`)
    const start = performance.now()
    for (let i = 0; i < 10; i++) await a.tell({ apply: i % 2 === 0 ? [eth0] : [] })
    await a.tell({ apply: [eth0] })
    await b.hears(1, { source: lan.address('a') })
    await b.hears(1, { source: lan.address('a') })
    const notifies = (await capture.stop()).filter(packet => packet.includes('NOTIFY'))
    const seconds = (performance.now() - start) / 1000
    t.ok(notifies.length <= 1 + seconds, `${notifies.length} in ${seconds.toFixed(1)} s, the last is heard`)
  })

  await t.test('sixteen circles are all heard, and the bounds hold', async t => {
    await Promise.all([a.tell({ fresh: true, circles: 16 }), b.tell({ fresh: true, apply: [eth0] })])
    const capture = await lan.capture('s', 1, `udp port 5353 and ether src ${lan.mac('a')}`)
    await a.apply(eth0)
    for (let i = 0; i < 16; i++) await b.hears(1, { source: lan.address('a') })
    const own = await capture.stop()
    const most = mostWithin(15_000, own)
    t.ok(most <= 8, `${own.length} mDNS packets, ${most} in 15 s`)
    await a.tell({ circles: 1 })
  })

  await t.test('a flood of garbage', async t => {
    const random = generator(5)
    const bomb = `\0\0\x84\0\0\0\xff\xff\xff\xff\xff\xff\0\0\x10\0\x01\0\0\0\x09\xff\xff_coterie`
    const flood = (count: number, seeds: string[]) =>
      Array.from({ length: count }, (_, i) => {
        const bytes = Buffer.from(seeds[i % seeds.length]!, 'latin1')
        for (let k = 0; k < 4; k++) bytes[Math.floor(random() * bytes.length)] = random() * 256
        return bytes.toString('base64')
      })
    await Promise.all([a.tell({ fresh: true, apply: [eth0] }), b.tell({ fresh: true })])
    const strange = [ssdp('search', 5, 8), ssdp('notify', 5, 8), 'x'.repeat(1450)]
    await s.shoot({ from: here, ...SSDP, datagrams: flood(2_000, strange) })
    const before = (await a.state()).rss
    const capture = await lan.capture('s', 1, `udp and src host ${lan.address('a')} and dst host ${here}`)
    await s.shoot({ from: here, ...SSDP, datagrams: flood(10_000, strange) })
    await s.shoot({ from: here, ...MDNS, fromPort: 5353, datagrams: flood(10_000, [query(false), bomb]) })
    await b.apply(eth0)
    await a.hears(2)
    const { rss, counters } = await a.state()
    t.ok(rss - before < 10e6, `memory +${((rss - before) / 1e6).toFixed(1)} MB`)
    t.ok(counters.limited! > 1000, `${counters.limited} above the limits`)
    t.equal((await capture.stop()).length, 0, 'no byte back')
  })
})
