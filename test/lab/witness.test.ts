/** Two computers cannot reach each other, and a third one reaches both. */
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

/** From now on this computer's own packet filter drops what comes from these network cards. */
const deaf = (host: Host, ...macs: string[]) =>
  host.space.run([
    'nft',
    `table inet cut; delete table inet cut; table inet cut {
      chain in { type filter hook input priority 0; ${macs.map(mac => `ether saddr ${mac} drop;`).join(' ')} }
    }`
  ])

scenario(
  'the way between two is cut, a third reaches both',
  { h1: 'a', h2: 'a', h3: 'a' },
  async (t, lab) => {
    const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
    await lab.circle(h1, h2, h3)
    const before = h3.daemon.events.length
    const mac = async (host: Host) => (await host.space.run('cat /sys/class/net/eth0/address')).trim()
    await deaf(h1, await mac(h2))
    await deaf(h2, await mac(h1))
    await Promise.all([h1.sees('h2', 'unreachable'), h2.sees('h1', 'unreachable')])
    t.equal(h1.daemon.peer('h2')?.['Reason'], 'path', 'h3 brought an answer of h2')
    t.equal(h2.daemon.peer('h1')?.['Reason'], 'path')
    t.equal((await h1.tryCoterie('ping h2')).code, 4)
    await h1.coterie('ping h3')
    await h2.coterie('ping h3')
    t.notOk(
      h3.daemon.events.slice(before).some(({ Properties }) => Properties['State'] === 'unreachable'),
      'nobody is gone to h3'
    )

    await deaf(h1)
    await deaf(h2)
    await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
    await h1.coterie('ping h2')
  }
)
