/** A device is carried to the other LAN and back; a router between them carries no multicast. */
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

scenario('carried to the other LAN and back', { h1: 'a', h2: 'a', h3: 'b' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await lab.circle(h1, h2)
  const uses = (who: Host, peer: string, address: string) =>
    who.daemon.until(
      `knows ${peer} at ${address}`,
      () => {
        const { State, Addresses } = who.daemon.peer(peer) ?? {}
        return State === 'reachable' && (Addresses as string[]).some(a => a.startsWith(`tcp://${address}:`))
      },
      60_000
    )

  await h2.move('b')
  await Promise.all([uses(h1, 'h2', '10.77.2.12'), h2.sees('h1', 'reachable')])
  await h1.coterie('ping h2')

  t.comment('a third one, who never was in LAN a, finds h2 by multicast and h1 by what h2 tells')
  await h3.start()
  await h3.coterie('join - --yes', await h2.coterie('invite --ticket'))
  await Promise.all([h3.sees('h2', 'reachable'), h3.sees('h1', 'reachable')])

  await h2.move('a')
  await Promise.all([uses(h1, 'h2', '10.77.1.12'), h2.sees('h1', 'reachable')])
  await Promise.all([uses(h3, 'h2', '10.77.1.12'), h2.sees('h3', 'reachable')])
  await h3.coterie('ping h2')
})
