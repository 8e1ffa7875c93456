/** The lab itself, with plain programs: if this fails, no other scenario means anything. */
import { existsSync } from 'node:fs'
import { PATIENCE_MS, within } from './deadline.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

scenario('two LANs, a router, real NetworkManagers', { h1: 'a', h2: 'a', h3: 'b' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')

  t.match(await h1.nmcli('-t -f DEVICE,STATE,CONNECTION dev'), /^eth0:connected:lan$/m)
  t.comment('a datagram passes a cable, and a capture there sees it; another passes the router')
  const capture = await lab.capture('h2')
  t.equal(await carried(h1, h2, '10.77.1.12'), 'from h1')
  await capture.stop()
  t.same(
    (await capture.packets('udp port 9999')).map(p => p.length),
    [8]
  )
  t.ok(capture.bytes().includes('from h1'))
  t.equal(await carried(h1, h3, '10.77.2.13'), 'from h1')

  t.comment('con down takes the address, con up brings it back')
  await h1.nmcli('con down lan')
  t.notMatch(await h1.space.run('ip -4 address show eth0'), /10\.77\.1\.11/)
  await h1.nmcli('con up lan')
  await h1.addressed('10.77.1.11')

  t.comment('a second card, and a restart of NetworkManager')
  await h1.plug('b', 'eth1')
  await h1.addressed('10.77.2.21')
  await h1.unplug('eth1')
  await h1.end('NetworkManager')
  await h1.networkManager()
  await h1.nmcli('con up lan')

  t.comment('carried to the other LAN')
  await h1.move('b')
  t.equal(await carried(h3, h1, '10.77.2.11'), 'from h3')

  t.comment('the session bus goes and comes')
  await h1.end('session bus')
  await h1.bus('session')
  await h1.space.run('busctl --user --timeout=60 list')

  t.comment('avahi finds the other one by multicast, within its LAN only')
  await Promise.all([h1, h2, h3].map(h => h.avahi()))
  t.match(await h1.space.run('avahi-resolve -4 -n h3.local'), /10\.77\.2\.13/)
  const other = await h1.space.try(['avahi-resolve', '-4', '-n', 'h2.local'])
  t.notMatch(other.stdout, /10\.77/)
})

scenario('nothing is left of a lab', { h1: 'a' }, async (t, lab) => {
  const { pid } = lab.host('h1').space
  await lab.down()
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  t.notOk(existsSync(lab.folder))
})

/** Sends a line to that address of the other one; what arrived there. */
async function carried(from: Host, to: Host, address: string): Promise<string> {
  const received = to.lines(['nc', '-u', '-l', '-p', '9999'])
  try {
    await to.bound('udp', 9999)
    await from.space.try(['nc', '-u', '-q', '0', address, '9999'], { input: `from ${from.name}\n` })
    return await within(PATIENCE_MS, 'the datagram', first(received.lines), () => to.story())
  } finally {
    received.stop()
  }
}
async function first(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) return line
  throw new Error('nothing came')
}
