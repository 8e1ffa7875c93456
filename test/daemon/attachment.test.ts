/** The attachment on real interfaces: which sockets there are and when, and what a new MAC address brings. */
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import { Lan, unavailable } from '../net/lan/lan.ts'
import { Attached } from '../net/lan/remote.ts'

const skip = unavailable('ss')
t.setTimeout(FILE_MS)

t.test('attached to a LAN', { skip: skip && `skipped: ${skip}` }, async t => {
  const lan = Lan.up(t, 'ab')
  const [a, b] = await Promise.all([Attached.start(lan, 'a', 1), Attached.start(lan, 'b', 2)])
  const multicast = () =>
    lan
      .in('b', 'ss', '-Hlun')
      .split('\n')
      .filter(line => /:(5353|1900)\b/.test(line)).length
  await a.tell({ circle: true })
  await a.until(({ bound }) => (bound ?? 0) >= 2, 'listeners in IPv4 and IPv6')

  await t.test('in no circle sockets are open only while it searches', async t => {
    t.equal(multicast(), 0)
    await b.tell({ search: true })
    await a.tell({ invite: true })
    const { found } = await b.until(({ found }) => found !== undefined, 'the invitation')
    t.match(found, /^tcp:\/\/.*:24747$/)
    t.ok(multicast() >= 2)
    t.equal(lan.in('b', 'ss', '-Hlt'), '', 'and nobody is let in')
    await b.tell({ search: false })
    t.equal(multicast(), 0)
  })

  await t.test('it says which interfaces carry an invitation', async t => {
    await a.tell({ carriers: true })
    const { carriers } = await a.until(({ carriers }) => carriers !== undefined, 'carriers')
    t.same(carriers, { announcing: ['eth0'], silent: [] })
  })

  await t.test('with another MAC address, the IP addresses as they were, all names are others', async t => {
    const mac = '02:00:00:00:00:99'
    const before = await lan.capture('b', 1, `udp and ether src ${lan.mac('a')}`)
    await b.tell({ search: true })
    await b.until(({ found }) => found?.includes(lan.address('a')) === true, 'the invitation')
    const packets = await before.stop()
    await b.tell({ search: false })
    const after = await lan.capture('b', 1, `udp and ether src ${mac}`)
    b.drain()
    await b.tell({ search: true })
    const heard = () => b.until(({ found }) => found?.includes(lan.address('a')) === true, 'the invitation')
    await heard()
    lan.in('a', 'ip', 'link', 'set', 'eth0', 'address', mac)
    b.drain()
    // an announcement is told once in 5 s: of two one is new
    await heard()
    t.ok(await heard(), 'by the kernel alone, without NetworkManager')
    /** mDNS names, and the tags of USNs, which begin with them. */
    const names = (of: readonly string[]) =>
      of.flatMap(packet =>
        [...packet.matchAll(/[0-9a-f]{16}(?=\.(?:_coterie|local))|(?<=uuid:)[0-9a-f-]{18}/g)].map(([name]) =>
          name.replaceAll('-', '')
        )
      )
    const [old, fresh] = [new Set(names(packets)), names(await after.stop())]
    // until the kernel has told the daemon it knows nothing of it
    const known = fresh.findIndex(name => !old.has(name))
    t.ok(old.size > 0 && known >= 0, `${old.size} names before, ${new Set(fresh).size} after`)
    t.same(
      fresh.slice(known).filter(name => old.has(name)),
      []
    )
  })
})
