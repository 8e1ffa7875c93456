/** A laptop's address is replaced, or it is carried behind somebody's router; those who talk with it do not notice. */
import { Calls } from './calls.ts'
import type { Happened } from './daemon.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

/** That every one of them saw the other reachable all the time. */
const lost = (events: readonly Happened[], since: number) =>
  events.slice(since).filter(e => e.Kind === 'Peer' && e.Properties['Reachable'] === false)
const all = (...whom: (readonly [Host, Host])[]) => whom.map(([from, to]) => new Calls(from, to.name))
/** Until it reaches that peer by another address; of two on one LAN either may come first. */
const without = (host: Host, peer: string, address: string) =>
  host.daemon.until(`uses another address of ${peer} than ${address}`, () => {
    const { State, Addresses } = host.daemon.peer(peer) ?? {}
    return State === 'reachable' && !String((Addresses as string[])[0]).startsWith(`tcp://${address}:`)
  })
const answered = (streams: readonly Calls[]) => Promise.all(streams.map(calls => calls.next()))

scenario('its own address is replaced on the same LAN', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await Promise.all([h1.withoutIpv6(), h2.withoutIpv6()])
  await lab.circle(h1, h2)
  const streams = all([h1, h2], [h2, h1])
  await answered(streams)
  const before = [h1, h2].map(host => host.daemon.events.length)

  await h2.renumber('10.77.1.77')
  await answered(streams)
  await h1.uses('h2', '10.77.1.77')
  await h2.listens('10.77.1.12', false)
  t.comment('each call was answered, and nobody was ever shown as gone')
  for (const calls of streams)
    t.same(
      (await calls.stop()).filter(({ ok }) => !ok),
      []
    )
  t.same(
    [h1, h2].flatMap((host, i) => lost(host.daemon.events, before[i]!)),
    []
  )
})

scenario('carried behind a router that hides it, and back', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await lab.translate()
  await lab.circle(h1, h2, h3)

  for (const lan of ['b', 'a'] as const) {
    const streams = all([h1, h2], [h2, h1], [h3, h2], [h2, h3], [h1, h3])
    await answered(streams)
    await h2.move(lan)
    await answered(streams)
    // from LAN a it is seen at its router, who lets nobody in: only h2 can have dialled
    if (lan === 'b') await Promise.all([h1, h3].map(host => host.uses('h2', '10.77.1.1')))
    else await Promise.all([h1, h3].map(host => without(host, 'h2', '10.77.1.1')))
    for (const [i, calls] of streams.entries()) {
      const made = await calls.stop()
      t.ok(made.at(-1)?.ok)
      // on the way nobody can be asked, for as long as a lease takes
      if (i === 4)
        t.notOk(
          made.some(({ ok }) => !ok),
          'those who stay do not notice'
        )
    }
  }
})

scenario('a network that begins to cost by the byte is left', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  // one address on each network, so that it is plain which one is used
  await Promise.all([h1.withoutIpv6(), h2.withoutIpv6()])
  await lab.circle(h1, h2)
  const streams = all([h1, h2], [h2, h1])
  await Promise.all([h1, h2].map(host => host.plug('b', 'eth1')))
  await Promise.all([h1.listens('10.77.2.21'), h2.listens('10.77.2.22')])
  await Promise.all([h1.uses('h2', '10.77.1.12'), h2.uses('h1', '10.77.1.11')])
  const before = [h1, h2].map(host => host.daemon.events.length)

  await h1.nmcli('dev modify eth0 connection.metered yes')
  await Promise.all([h1.uses('h2', '10.77.2.22'), h2.uses('h1', '10.77.2.21')])
  for (const calls of streams)
    t.same(
      (await calls.stop()).filter(({ ok }) => !ok),
      []
    )
  t.same(
    [h1, h2].flatMap((host, i) => lost(host.daemon.events, before[i]!)),
    []
  )
})
