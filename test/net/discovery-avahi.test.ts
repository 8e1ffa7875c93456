/** Beside a running avahi-daemon: it sees us, keeps its name, and we are quiet. */
import { setTimeout as passed } from 'node:timers/promises'
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import { Avahi } from './lan/avahi.ts'
import { Lan, mostWithin, unavailable } from './lan/lan.ts'
import { Device } from './lan/remote.ts'

const skip = unavailable('avahi-daemon', 'avahi-browse', 'dbus-daemon', 'busctl')
/** What is counted is what we say in so many milliseconds. */
const SPAN = 15_000

t.test('beside avahi-daemon', { skip: skip && `skipped: ${skip}`, timeout: FILE_MS }, async t => {
  const lan = Lan.up(t, 'ab')
  const [avahi, other] = await Promise.all([Avahi.start(lan, 'a'), Avahi.start(lan, 'b')])
  const [a, b] = await Promise.all([Device.start(lan, 'a', 1), Device.start(lan, 'b', 2)])
  const capture = await lan.capture('a', 1, `udp port 5353 and ether src ${lan.mac('a')}`)
  await a.apply({ name: 'eth0' })
  const span = passed(SPAN)

  t.match(
    await other.browse('_coterie._udp'),
    /^=;eth0;IPv[46];[0-9a-f]{16};_coterie\._udp;local;[0-9a-f]{16}\.local;.*;24747;"a=/
  )
  await b.apply({ name: 'eth0' })
  t.equal((await b.hears(1)).interface, 'eth0', 'a member hears us')
  await a.hears(2)
  t.match((await a.state()).state, { eth0: { mdns: 'ok', ssdp: 'ok' } })

  await span
  const own = (await capture.stop()).filter(packet => packet.includes('_coterie'))
  const most = mostWithin(SPAN, own)
  t.ok(own.length >= 3 && most <= 8, `${own.length} own mDNS packets, ${most} in 15 s, IPv4 and IPv6`)
  t.equal(avahi.hostName(), 's "a"', 'avahi keeps its name')
})
