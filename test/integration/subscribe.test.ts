/** What the real daemon tells a subscriber, on the socket and on D-Bus. */
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { type BusMessage, plain } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { PlainClient } from '../daemon/client.ts'
import { client, Inbox } from '../daemon/surface.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

interface Told {
  Peers: { Name: string; State: string; LatencyUSec: number }[]
  Gone: string[]
}

if (inside(t, import.meta.url))
  t.test('a peer that comes and goes', async t => {
    const { address } = await TestBus.up(t, 'bare')
    const env = { DBUS_SESSION_BUS_ADDRESS: address }
    const anna = await new Computer(t, 'anna', { env }).start()
    const ben = await new Computer(t, 'ben').start()
    await anna.founds()

    const stream = await PlainClient.open(anna.socket)
    t.teardown(() => stream.socket.destroy())
    stream.socket.write('{"method":"Subscribe","parameters":{"States":["reachable"]},"more":true}\n')
    const read = async () =>
      JSON.parse((await within(PATIENCE_MS, 'a reply', stream.next())) ?? 'null')?.parameters as Told
    const bus = await client(t, address)
    const signals = new Inbox<Told>()
    bus.match({ interface: `${INTERFACE}.Subscription` }, (m: BusMessage) => {
      const [Peers, Gone] = plain(m.body) as [Told['Peers'], string[]]
      signals.put({ Peers, Gone })
    })
    const subscribe = {
      destination: INTERFACE,
      path: ROOT,
      interface: INTERFACE,
      member: 'Subscribe',
      signature: 'sbsastut'
    }
    const [path] = await bus.call({ ...subscribe, body: ['', true, '', ['reachable'], 0n, 0, 0n] })
    t.match(path, /\/subscription\/\d+$/)
    t.same(await read(), { Peers: [], Gone: [] }, 'nobody yet')
    t.same(await within(PATIENCE_MS, 'a signal', signals.next()), { Peers: [], Gone: [] })

    await ben.joins(await anna.ticket())
    const come = await (async () => {
      for (;;) {
        const told = await read()
        if (told.Peers[0]?.State === 'reachable') return told
      }
    })()
    t.match(come, { Peers: [{ Name: 'ben' }], Gone: [] })
    t.ok(come.Peers[0]!.LatencyUSec > 0)
    await within(
      PATIENCE_MS,
      'a signal',
      signals.until(m => m.Peers[0]?.State === 'reachable')
    )

    const named = await PlainClient.open(anna.socket)
    t.teardown(() => named.socket.destroy())
    const ask = (Peer: string) =>
      named.ask(`{"method":"Subscribe","parameters":{"Peer":"${Peer}"},"more":true}\n`)
    t.match(await ask('eve'), { error: `${INTERFACE}.NoSuchPeer` })
    t.match(await ask('anna'), { parameters: { Message: 'this is the device you are on' } })
    t.match(await ask('ben'), { parameters: { Peers: [{ Name: 'ben' }] }, continues: true })

    await ben.kill()
    t.match(await read(), { Peers: [{ Name: 'ben', State: 'unreachable' }], Gone: [] })
    t.match(await within(PATIENCE_MS, 'a signal', signals.next()), { Peers: [{ State: 'unreachable' }] })
  })
