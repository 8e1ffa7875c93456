/** A cable is cut without a word: no carrier is lost, no packet is refused. Then it is mended, as silently. */
import type { Happened } from './daemon.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

/** The states that one showed of the other one since then, in their order. */
function states(at: Host, of: Host, since: readonly Happened[]): string[] {
  const id = String(at.daemon.peer(of.name)?.['Id'])
  const news = at.daemon.events.slice(since.length).filter(({ Object: path }) => path.endsWith(id))
  return news.flatMap(({ Properties: { State } }) => (State === undefined ? [] : [String(State)]))
}
const shown = (host: Host) => [...host.daemon.events]

scenario('a cable silently cut, and mended', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2, h3] = hosts
  await lab.circle(...hosts)
  const before = hosts.map(shown)

  await lab.wires.cut(h3)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'unreachable')))
  await Promise.all(['h1', 'h2'].map(name => h3.sees(name, 'unreachable')))
  t.match(h1.daemon.peer('h3'), { Reachable: false, LatencyUSec: 0 })
  t.ok(Number(h1.daemon.peer('h3')!['LastSeenUSec']) > 0)
  t.notMatch(h1.daemon.peer('h3')!['Reason'], /^(|stopped|asleep)$/, 'a reason that it did not give itself')
  for (const [n, host] of [h1, h2].entries())
    t.match(states(host, h3, before[n]!).join(' '), /^(suspect )*unreachable$/, 'suspected, then given up')
  t.same(states(h1, h2, before[0]!), [], 'what h3 makes of the others troubles nobody')
  t.same(states(h2, h1, before[1]!), [])
  const refused = await h1.tryCoterie('ping h3')
  t.equal(refused.code, 4, 'a ping says so at once')

  await lab.wires.cut(h3, false)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'reachable')))
  await Promise.all(['h1', 'h2'].map(name => h3.sees(name, 'reachable')))
  await h1.coterie('ping h3')
  t.same(states(h1, h2, before[0]!), [])
})

scenario('between two devices alone', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  const before = shown(h1)
  await lab.wires.cut(h2)
  await Promise.all([h1.sees('h2', 'unreachable'), h2.sees('h1', 'unreachable')])
  t.match(states(h1, h2, before).join(' '), /^(suspect )*unreachable$/)
  await lab.wires.cut(h2, false)
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  await h2.coterie('ping h1')
})

scenario('all on battery: nobody watches, and still', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2, h3] = hosts
  await Promise.all(hosts.map(host => host.battery()))
  await lab.circle(...hosts)
  const { Power, PowerSource } = await h1.coterie('status --energy --json')
  t.same([Power, PowerSource], ['battery', 'UPower'])
  await lab.wires.cut(h3)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'unreachable', 120_000)))
  await lab.wires.cut(h3, false)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'reachable')))
})
