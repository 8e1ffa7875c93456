/** Open invitations by real multicast between network namespaces: who finds whom, when, and what is sent. */
import t from 'tap'
import { makeInvitation, readInvitation } from '../../src/crypto/announcement.ts'
import { randomBytes } from '../../src/crypto/provider.ts'
import { parseAnnouncementText } from '../../src/wire/announcement.ts'
import { encodeSsdp } from '../../src/wire/ssdp.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { Avahi } from '../net/lan/avahi.ts'
import { Lan, unavailable } from '../net/lan/lan.ts'
import { Device, Stranger } from '../net/lan/remote.ts'
import { Stalls } from '../stalls.ts'

const skip = unavailable()
const withAvahi = unavailable('avahi-daemon', 'avahi-browse', 'dbus-daemon', 'busctl')
const eth0 = { name: 'eth0' }
const bare = { bare: true, apply: [eth0] } as const
const MDNS = 'udp dport 5353 drop'
const SSDP = 'udp dport 1900 drop'
/** What a person waits for at most. One second of it is RFC 6762's: no record is said again within that. */
const SOON = 1_000
const AFTER_ONE_SAID = 1_500
t.setTimeout(FILE_MS)

t.test('open invitations on a LAN', { skip: skip && `skipped: ${skip}` }, async t => {
  const lan = Lan.up(t, 'abc')
  const stalls = new Stalls(t)
  const [a, b, c] = await Promise.all([1, 2, 3].map(id => Device.start(lan, 'abc'[id - 1]!, id)))
  const devices = [a!, b!, c!] as const
  /** Nothing left of before; the searcher (b) is in no circle. */
  async function fresh(): Promise<void> {
    await Promise.all(devices.map(device => device.tell({ fresh: true })))
    await Promise.all([a!.tell({ apply: [eth0] }), b!.tell(bare), c!.tell({ apply: [eth0] })])
  }
  const [inviter, searcher, other] = devices
  const carriers = { mDNS: SSDP, SSDP: MDNS, 'mDNS and SSDP': 'udp dport 9 drop' }

  for (const [carrier, drop] of Object.entries(carriers)) {
    await t.test(`by ${carrier}`, async t => {
      for (const host of 'ab')
        lan.firewall(host, ...['i', 'o'].map(chain => `add rule inet t ${chain} ${drop}`))
      await fresh()
      await searcher.search(true)
      let late = stalls.watch()
      await inviter.invite(true)
      await searcher.finds(lan.address('a'))
      t.ok(late() < SOON, `searcher first: found after ${late().toFixed(0)} ms`)
      await searcher.finds(/^tcp:\/\/\[fe80::.*%25eth0\]:24747$/)
      t.ok(late() < SOON, 'and by IPv6')

      await fresh()
      await inviter.invite(true)
      late = stalls.watch()
      await searcher.search(true)
      await searcher.finds(lan.address('a'))
      t.ok(late() < AFTER_ONE_SAID, `inviter first: found after ${late().toFixed(0)} ms`)
    })
  }
  for (const host of 'ab') lan.firewall(host)

  await t.test('a device that is in a circle finds it too, and its circle stays as it is', async t => {
    await fresh()
    await searcher.tell({ apply: [eth0] })
    await inviter.invite(true)
    const late = stalls.watch()
    await searcher.search(true)
    await searcher.finds(lan.address('a'))
    t.ok(late() < AFTER_ONE_SAID, `found after ${late().toFixed(0)} ms`)
    await other.hears(2)
  })

  await t.test('two inviters: the one heard last is told last', async t => {
    await fresh()
    await searcher.search(true)
    await inviter.invite(true)
    const first = await searcher.finds(lan.address('a'))
    await other.invite(true)
    const second = await searcher.finds(lan.address('c'))
    t.not(first.inviter, second.inviter)
    const six = await searcher.finds(/fe80/)
    t.ok(
      [first.inviter, second.inviter].includes(six.inviter),
      'by what they announce addresses belong together'
    )
  })

  await t.test('an own invitation is not found, one of another daemon on the same host is', async t => {
    await fresh()
    const same = await Device.start(lan, 'a', 4)
    await same.tell(bare)
    await inviter.search(true)
    await inviter.invite(true)
    await same.search(true)
    await same.finds(lan.address('a'))
    await other.invite(true)
    await inviter.finds(lan.address('c'))
    t.notOk(
      inviter.drain().some(({ found }) => found?.includes(lan.address('a'))),
      'nothing of itself'
    )
    await same.tell({ stop: true })
  })

  await t.test('only lo', async t => {
    await fresh()
    const lo = { name: 'lo', multicast: false }
    const same = await Device.start(lan, 'a', 4)
    await same.tell({ ...bare, apply: [lo] })
    await inviter.tell({ apply: [lo] })
    await inviter.invite(true)
    await same.search(true)
    t.ok(await same.finds('127.0.0.1'))
    await same.tell({ stop: true })
  })

  await t.test('where the policy is to listen: searched, and not invited', async t => {
    await fresh()
    const listening = { ...eth0, policy: 'listen' as const }
    await searcher.tell({ ...bare, apply: [listening] })
    await inviter.invite(true)
    await searcher.search(true)
    await searcher.finds(lan.address('a'))
    await searcher.search(false)

    const capture = await lan.capture('a', 1, `udp and ether src ${lan.mac('b')}`)
    await searcher.invite(true)
    await other.search(true)
    await other.finds(lan.address('a'))
    t.strictSame(await capture.stop(), [], 'nothing is sent')
    await searcher.tell({ carriers: true })
    t.same((await searcher.until(({ carriers }) => carriers !== undefined, 'carriers')).carriers, {
      announcing: [],
      silent: ['eth0']
    })
  })

  await t.test('gone when it closes: nothing more is said or answered, and no socket stays', async t => {
    await fresh()
    const sockets = () =>
      lan
        .in('b', 'ss', '-Hlun')
        .split('\n')
        .filter(line => /:(5353|1900)\b/.test(line)).length
    t.equal(sockets(), 0)
    await inviter.invite(true)
    await searcher.search(true)
    t.ok(sockets() >= 4)
    await searcher.finds(lan.address('a'))
    await inviter.invite(false)
    await searcher.search(false)
    await other.search(true)
    await other.invite(true)
    await searcher.search(true)
    await searcher.finds(lan.address('c'))
    t.notOk(searcher.drain().some(({ found }) => found?.includes(lan.address('a'))))
    await searcher.search(false)
    t.equal(sockets(), 0)
  })

  await t.test('what it says is of the ordinary shape, under names and ports of its own', async t => {
    await fresh()
    const capture = await lan.capture('c', 1, `udp and ether src ${lan.mac('a')}`)
    other.drain()
    await inviter.tell({ rotate: true })
    await other.hears(1)
    // the kernel must not give a port again by chance that was another's before
    lan.reservePorts('a')
    await inviter.invite(true)
    await searcher.search(true)
    await searcher.finds(lan.address('a'))
    const packets = await capture.stop()
    const texts = packets.flatMap(packet => [...packet.matchAll(/(?:a=|ORG: )([\w-]{64})/g)].map(m => m[1]!))
    const [invitations, members] = [true, false].map(
      open =>
        new Set(texts.filter(text => (readInvitation(parseAnnouncementText(text)!)?.port === 24747) === open))
    )
    t.equal(invitations!.size, 1)
    t.ok(members!.size > 0)
    const both = packets.filter(
      p => [...invitations!].some(i => p.includes(i)) && [...members!].some(m => p.includes(m))
    )
    t.same(both, [], 'never in one packet')
    const ports = (of: Set<string>) =>
      packets
        .filter(p => [...of].some(text => p.includes(text)))
        .flatMap(p => /\.(\d+) > 239/.exec(p)?.[1] ?? [])
    t.notOk(
      ports(invitations!).some(port => ports(members!).includes(port)),
      'nor from one port of SSDP'
    )
  })

  await t.test('a stranger gets an answer only to a search that says so, not larger than it', async t => {
    await fresh()
    await inviter.invite(true)
    const stranger = await Stranger.start(lan, 'c')
    const here = lan.address('c')
    const capture = await lan.capture('c', 1, `udp and src host ${lan.address('a')} and dst host ${here}`)
    const search = (port: number, change = (text: string) => text) => {
      const bytes = encodeSsdp(
        'search',
        makeInvitation(port, randomBytes(16), randomBytes(8)),
        '239.255.255.250'
      )
      const datagrams = [
        Buffer.from(change(Buffer.from(bytes).toString('latin1')), 'latin1').toString('base64')
      ]
      return stranger.shoot({ from: here, to: '239.255.255.250', port: 1900, datagrams })
    }
    await search(24747)
    await search(0, text =>
      text.replace(/(ORG: .{63})(.)/, (_, start, last) => start + (last === 'A' ? 'B' : 'A'))
    )
    await search(0, text => text.replace(/PADDING.*\r\n/, ''))
    await search(0)
    const { answer } = await stranger.until(report => report.answer !== undefined, 'answer')
    t.ok(Buffer.from(answer!, 'base64').length <= 320)
    t.equal((await capture.stop()).length, 1)
  })
})

t.test('beside avahi-daemon', { skip: withAvahi && `skipped: ${withAvahi}` }, async t => {
  const lan = Lan.up(t, 'ab')
  await Promise.all([Avahi.start(lan, 'a'), Avahi.start(lan, 'b')])
  const [a, b] = await Promise.all([Device.start(lan, 'a', 1), Device.start(lan, 'b', 2)])
  for (const host of 'ab') lan.firewall(host, ...['i', 'o'].map(chain => `add rule inet t ${chain} ${SSDP}`))
  await a.tell({ apply: [eth0] })
  await b.tell(bare)
  await a.invite(true)
  const late = new Stalls(t).watch()
  await b.search(true)
  await b.finds(lan.address('a'))
  t.ok(late() < AFTER_ONE_SAID, `by mDNS alone after ${late().toFixed(0)} ms`)
})
