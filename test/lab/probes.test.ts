/** One of the two ways to a peer is cut: its session by TCP, or its probes by UDP. */
import type { Result } from '../../src/api/api.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

type Measured = Result<'Ping'>

/** From now on h2's own packet filter drops these; none: nothing. */
const drops = (host: Host, ...rules: string[]) =>
  host.space.run([
    'nft',
    `table inet cut; delete table inet cut; table inet cut {
      chain in { type filter hook input priority 0; ${rules.map(rule => `${rule} drop;`).join(' ')} }
      chain out { type filter hook output priority 0; ${rules.map(rule => `${rule} drop;`).join(' ')} }
    }`
  ])
/** By UDP to that address, of those that were sent; one that is late by a second counts as lost. */
const answered = (measured: Measured, address: string) =>
  probes(measured).find(({ Address }) => Address === address)?.LatencyUSec.length ?? 0
const probes = ({ Paths }: Measured) => Paths.filter(({ Via }) => Via === 'probe')

scenario('ping by TCP and UDP, and with either cut', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  const address = `tcp://${h2.address('a')}:24747`

  t.comment('both ways')
  const both = (await h1.coterie('ping h2 --count 3 --json')) as Measured
  t.equal(both.LatencyUSec.length, 3)
  t.ok(answered(both, address) > 0)
  // the session may be at another of its addresses
  const told = /^(h2 .*\n)+(by UDP .*\n)*by UDP to 10\.77\.1\.12: .* ms/
  t.match(await h1.coterie('ping h2 --count 3'), told)

  t.comment('UDP is barred: the session goes on')
  const before = h1.daemon.events.length
  await drops(h2, 'udp dport 24747')
  const tcp = (await h1.coterie('ping h2 --count 25 --json')) as Measured
  t.equal(tcp.LatencyUSec.length, 25)
  for (const { LatencyUSec, Lost, Reason } of probes(tcp))
    t.same({ LatencyUSec, lost: Lost > 0, Reason }, { LatencyUSec: [], lost: true, Reason: 'timeout' })
  t.match(
    await h1.coterie('ping h2'),
    /^h2 .* ms\n(by UDP .*: no answer\n)*by UDP to 10\.77\.1\.12: no answer/
  )
  t.notOk(
    h1.daemon.events.slice(before).some(({ Properties }) => Properties['State'] === 'unreachable'),
    'it is no sign that h2 is gone'
  )

  t.comment('TCP is barred: h2 still answers')
  await drops(h2, 'tcp dport 24747', 'tcp sport 24747')
  const cut = await h1.tryCoterie('ping h2 --count 3 --json')
  t.equal(cut.code, 4)
  const udp = JSON.parse(cut.stdout) as Measured
  t.same(udp.LatencyUSec, [])
  t.match(udp.Paths[0], { Via: 'session', Reason: 'unreachable' })
  t.ok(answered(udp, address) > 0)

  t.comment('also when no session is left, for the keys outlive it')
  await Promise.all([h1.sees('h2', 'unreachable'), h2.sees('h1', 'unreachable')])
  const after = JSON.parse((await h1.tryCoterie('ping h2 --count 3 --json')).stdout) as Measured
  t.ok(answered(after, address) > 0)

  t.comment('all is open again')
  await drops(h2)
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  t.match(await h1.coterie('ping h2 --count 3'), told)
})
