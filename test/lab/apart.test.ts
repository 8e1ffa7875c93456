/** An access point that keeps its devices apart: multicast passes, the gateway answers, nothing else gets through. */
import { PATIENCE_MS, within } from './deadline.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

/** The kernel asks its neighbours again after seconds, not after most of a minute. */
async function impatient(...hosts: Host[]): Promise<void> {
  for (const { space } of hosts)
    for (const family of ['ipv4', 'ipv6'])
      for (const [name, value] of [
        ['base_reachable_time_ms', 2000],
        ['delay_first_probe_time', 1]
      ])
        await space.run(['sh', '-c', `echo ${value} > /proc/sys/net/${family}/neigh/eth0/${name}`])
}

scenario('the network keeps two devices apart', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await impatient(h1, h2)
  await lab.circle(h1, h2)
  const reached = await h1.coterie('why h2 --json')
  t.match(reached, { State: 'reachable', Evidence: 'direct', Apart: [], Advice: [] })
  t.match(reached.Candidates[0], { InUse: true, Why: 'in-use' })
  t.ok(reached.Candidates[0].RoundTripUSec > 0)

  await lab.wires.apart(h1, h2)
  await Promise.all([h1.sees('h2', 'unreachable'), h2.sees('h1', 'unreachable')])
  // of two addresses one may still be tried when the other has failed
  const connected = (one: { Result: string }) => one.Result === 'connected'
  const end = performance.now() + PATIENCE_MS
  let why = await h1.coterie('why h2 --json')
  while (why.Candidates.some(connected) && performance.now() < end) why = await h1.coterie('why h2 --json')
  t.match(why, { State: 'unreachable', Apart: ['eth0'] })
  t.match(why.Heard[0], { Interface: 'eth0', Followed: true }, 'it is heard all the while')
  t.match(why.Advice[0], /^h2 is heard on eth0 and the gateway answers.*the access point keeps devices apart/)
  t.equal(why.Candidates.filter(connected).length, 0)
  t.comment(await h1.coterie('why h2'))

  const notes = () => h1.daemon.self['Notes'] as string[]
  await h1.daemon.until('says so in its status', () =>
    notes().some(note => /^eth0 lets nothing through to h2/.test(note))
  )
  const { stdout } = await h1.tryCoterie('doctor --json')
  const check = (JSON.parse(stdout).Checks as { Name: string }[]).find(({ Name }) => Name === 'access-point')
  t.match(check, { State: 'warning', Text: /eth0/ })

  t.comment('the other one finds out by itself, for it dials an address that it hears')
  await h2.daemon.until(
    'says that the network keeps them apart',
    () => (h2.daemon.self['Notes'] as string[]).some(note => /^eth0 lets nothing through to h1/.test(note)),
    90_000
  )

  await lab.wires.apart(h1, h2, false)
  await h1.sees('h2', 'reachable', 70_000)
  await h1.daemon.until('says nothing of it any more', () => notes().every(note => !/h2/.test(note)))
  t.same((await h1.coterie('why h2 --json')).Apart, [])
})

scenario('a firewall on the other device is no access point', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await impatient(h1, h2)
  await lab.circle(h1, h2)
  await h2.space.run('nft add table inet wall')
  await h2.space.run([
    'nft',
    'add chain inet wall in { type filter hook input priority 0; policy accept; tcp dport 24747-24756 drop; }'
  ])
  await h2.space.run('nft add rule inet wall in udp dport 24747-24756 drop')
  await h2.space.run('nft add rule inet wall in meta l4proto tcp drop')
  await within(90_000, 'h1 loses h2', h1.sees('h2', 'unreachable', 80_000))
  const why = await h1.coterie('why h2 --json')
  t.same(why.Apart, [], 'it answers as a neighbour')
  t.match(why.Advice[0], /^h2 is heard from .* and its port does not answer: a firewall/)
  t.comment(await h1.coterie('why h2'))
})
