/** A removed device is out at once, everywhere, and nobody who was away brings it back. */
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

/** Sessions between the two, by IPv4 or IPv6, as the kernel has them. */
const sessions = async (one: Host, other: Host): Promise<number> => {
  const text = await one.space.run('ss --tcp --numeric --no-header state established')
  const remotes = text
    .trim()
    .split('\n')
    .map(line => line.split(/\s+/).at(-1)!)
  const bare = remotes.map(remote =>
    remote
      .replace(/:\d+$/, '')
      .replace(/^\[/, '')
      .replace(/(%.*)?\]$/, '')
  )
  const addresses = JSON.parse(await other.space.run('ip -json address show eth0'))[0].addr_info
  const own = new Set(addresses.map(({ local }: { local: string }) => local))
  return bare.filter(address => own.has(address)).length
}
/** A tcpdump filter: from a card to another. */
const between = async (from: Host, to: Host): Promise<string> => {
  const mac = async (host: Host) => (await host.space.run('cat /sys/class/net/eth0/address')).trim()
  return `ether src ${await mac(from)} and ether dst ${await mac(to)}`
}
const told = (host: Host) =>
  host.daemon.until('learns that it was removed', () =>
    (host.daemon.self['Notes'] as string[]).some(note => note.includes('was removed from the circle'))
  )

scenario('a connected device is removed', { h1: 'a', h2: 'a', h3: 'a', h4: 'a' }, async (t, lab) => {
  const [h1, h2, h3, h4] = lab.all('h1', 'h2', 'h3', 'h4')
  await lab.circle(h1, h2, h3, h4)
  t.ok((await sessions(h2, h4)) > 0, 'h2 has a session with h4')

  t.match(await h1.tryCoterie('remove h1 --yes'), { code: 1, stderr: /coterie leave/ }, 'not oneself')
  t.match(await h2.tryCoterie('remove h1 --yes'), { code: 1, stderr: /level/ }, 'nor one of a smaller level')
  const gone = [h1, h2, h3].map(host => host.sees('h4', 'gone'))
  await h1.coterie('remove h4 --yes')
  await Promise.all([...gone, told(h4)])
  for (const host of [h1, h2, h3]) t.equal(await sessions(host, h4), 0, `${host.name} has no session with it`)
  t.same((await h4.coterie('status --json')).Peers, [], 'it sees nobody')

  t.comment('it knocks again with the keys it had')
  const cable = await lab.capture('h4')
  await h4.daemon.stop()
  await h4.start()
  await h4.listens('10.77.1.14')
  await h4.nmcli('con down lan')
  await h4.nmcli('con up lan')
  await h4.listens('10.77.1.14')
  t.equal(h4.daemon.peers.length, 0)
  await cable.stop()
  for (const host of [h1, h2, h3]) {
    const packets = await cable.packets(await between(host, h4))
    t.same(
      packets.filter(({ length }) => length > 0),
      [],
      `${host.name} does not say a byte to it`
    )
  }
})

scenario('removed while the circle is parted', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await lab.circle(h1, h2, h3)
  await lab.wires.cut(h1)
  await Promise.all([h1.sees('h3', 'unreachable', 90_000), h2.sees('h1', 'unreachable', 90_000)])
  await h1.coterie('remove h3 --yes')
  t.equal(h2.daemon.peer('h3')?.['State'], 'reachable', 'on the other side nobody knows')

  const cable = await lab.capture('h3')
  await lab.wires.cut(h1, false)
  await Promise.all([h2.sees('h3', 'gone'), h2.sees('h1', 'reachable')])
  t.equal(h1.daemon.peer('h3'), undefined, 'h2, who was away, did not bring it back')
  await told(h3)
  await cable.stop()
  t.equal(await sessions(h2, h3), 0)
  t.same(
    (await cable.packets(await between(h1, h3))).filter(({ length }) => length > 0),
    [],
    'h1 has not sent it a byte'
  )

  t.comment('and it stays out, whoever starts anew')
  for (const host of [h2, h3]) await host.daemon.stop()
  for (const host of [h2, h3]) await host.start()
  await h1.sees('h2', 'reachable')
  for (const host of [h1, h2])
    t.same((await host.coterie('devices --json')).Devices.map((d: { Name: string }) => d.Name).sort(), [
      'h1',
      'h2'
    ])
})
