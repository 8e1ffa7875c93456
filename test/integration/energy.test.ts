/** Two daemons, one of them on a computer whose UPower is the test: what it runs on, and the counters. */
import t from 'tap'
import { Bus, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

const NAME = 'org.freedesktop.UPower'

if (inside(t, import.meta.url)) {
  t.test('unplugged', async t => {
    const { address } = await TestBus.up(t, 'system')
    const upower = new Bus({ kind: 'system', address, log: () => {} })
    t.teardown(() => upower.close())
    const asked = Promise.withResolvers<void>()
    upower.serve(async () => {
      asked.resolve()
      return { signature: 'v', body: [new Variant('b', true)] }
    })
    const up = new Promise<void>(resolve => upower.onUp(resolve))
    upower.start()
    await up
    await upower.requestName(NAME)
    const anna = new Computer(t, 'anna', { env: { DBUS_SYSTEM_BUS_ADDRESS: address } })
    const ben = new Computer(t, 'ben', { env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' } })
    await Promise.all([anna.start(), ben.start()])
    await anna.founds()
    await ben.joins(await anna.ticket())
    await Promise.all([anna.sees('ben'), ben.sees('anna'), asked.promise])

    t.match(await anna.call('Energy'), { Power: 'battery', PowerSource: 'UPower', KeepaliveUSec: 60e6 })
    // what anna runs on came to ben by gossip; a ping goes behind it
    let there = await ben.call('Energy')
    for (let i = 0; i < 100 && there.SlowLinks === 0; i++) {
      await ben.call('Ping', { Peer: 'anna', Count: 1 })
      there = await ben.call('Energy')
    }
    t.ok(there.Links > 0 && there.SlowLinks === there.Links, 'ben knows it')

    /** What both have counted when nothing is under way between them: each says the same twice. */
    const atRest = async () => {
      for (let last = ''; ; ) {
        const both = await Promise.all([anna.call('Energy'), ben.call('Energy')])
        const bytes = both.map(({ Total }) => [Total.LinkBytesSent, Total.LinkBytesReceived]).join()
        if (bytes === last) return both
        last = bytes
      }
    }
    const before = await atRest()
    await anna.call('Ping', { Peer: 'ben', Count: 50 })
    const after = await atRest()
    const [a, b] = [0, 1].map(i => ({
      sent: after[i]!.Total.LinkBytesSent - before[i]!.Total.LinkBytesSent,
      received: after[i]!.Total.LinkBytesReceived - before[i]!.Total.LinkBytesReceived,
      writes: after[i]!.Total.LinkWrites - before[i]!.Total.LinkWrites,
      wakeUps: after[i]!.Total.WakeUps - before[i]!.Total.WakeUps
    })) as [Delta, Delta]
    t.ok(a.writes >= 50 && b.writes >= 50, `${a.writes} and ${b.writes} writes for 50 pings`)
    t.ok(a.writes < 100 && b.writes < 100, 'and not many more')
    t.equal(a.sent, b.received)
    t.equal(b.sent, a.received)
    // who is still awake from the one before is not woken by the next
    t.ok(b.wakeUps > 0, `${b.wakeUps} wake-ups for 50 pings`)
    const { Total } = after[0]!
    t.ok(Total.MulticastSent > 0 && Total.MulticastHeard >= Total.MulticastSent, 'what it says it hears')
    t.ok(Total.MulticastBytesSent > 48 * Total.MulticastSent)
    t.ok(Total.TimerFires > 0)
    const { DatagramsSent, DatagramBytesSent } = Total
    t.ok(DatagramsSent > 0 && DatagramBytesSent === 49 * DatagramsSent, `${DatagramsSent} probes`)

    const { out, code } = await anna.coterie('status --energy')
    t.equal(code, 0)
    t.match(out, /^On battery \(by UPower\): .*\n\d links? to other devices\.\n/)
    t.comment(out)
    t.same([await anna.stop(), await ben.stop()], [0, 0], 'no timer keeps it')
  })
}

interface Delta {
  sent: number
  received: number
  writes: number
  wakeUps: number
}
