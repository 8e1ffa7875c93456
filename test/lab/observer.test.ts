/** What somebody who captures everything on the LAN has of a circle that is made, grows, meets and talks there. */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { peerKey } from '../../src/crypto/identity.ts'
import { decodeTicket } from '../../src/crypto/ticket.ts'
import { toBase32 } from '../../src/wire/base32.ts'
import { PATIENCE_MS, within } from './deadline.ts'
import type { Host } from './host.ts'
import { type Frame, framesOf } from './pcap.ts'
import { scenario } from './scenario.ts'

const coterie = new URL('../../bin/coterie', import.meta.url).pathname
const DHCP = [67, 68]
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const system = /^ID=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'debian'

/** Each way to write these bytes. */
const written = (what: string, bytes: Uint8Array): [string, Buffer][] => {
  const all = Buffer.from(bytes)
  const start = all.subarray(0, 16)
  return [
    [`${what}, raw`, all],
    [`${what}, its first 16 bytes`, start],
    [`${what}, hexadecimal`, Buffer.from(start.toString('hex'))],
    [`${what}, base64`, Buffer.from(start.toString('base64').slice(0, 20))],
    [`${what}, base32`, Buffer.from(toBase32(start).slice(0, 24))]
  ]
}
const text = (what: string, word: string): [string, Buffer] => [what, Buffer.from(word.toLowerCase())]

/** The names that the kernel's and the user's surroundings have here; none of them is short enough for chance. */
async function dress(host: Host, name: string, user: string): Promise<void> {
  await host.space.run(`hostname ${name}`)
  for (const variable of ['USER', 'LOGNAME']) host.space.environment[variable] = user
}
/** A code, and the command that goes on behind it. */
async function invited(host: Host): Promise<{ code: string; lines: ReturnType<Host['lines']> }> {
  const lines = host.lines([coterie, 'invite', '--yes', '--json'])
  const { value } = await within(PATIENCE_MS, 'a code', lines.lines.next())
  return { code: JSON.parse(String(value)).Code, lines }
}
const mdnsNames = (frames: readonly Frame[]) =>
  frames
    .filter(({ sourcePort }) => sourcePort === 5353)
    .flatMap(({ bytes }) => bytes.toString('latin1').match(/(?<=\x10)[0-9a-f]{16}/g) ?? [])

scenario('an observer of everything', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await dress(h1, 'annas-thinkpad', 'annabella')
  await dress(h2, 'annas-tower', 'annabella')
  await dress(h3, 'berts-macbook', 'bertold')
  const all = await lab.capture('a')

  t.comment('a circle is made and grows')
  await Promise.all([h1, h2, h3].map(host => host.start()))
  const made = await h1.coterie('init --name secret-circle --device first-device --json')
  await h1.dialable()
  const ticket = await h1.coterie('invite --ticket --level 5')
  const joined = await h2.coterie('join - --device second-device --json', ticket)
  await Promise.all([h1.sees('second-device', 'reachable'), h2.sees('first-device', 'reachable')])
  const other = await h2.coterie('invite --ticket')
  const sockets = async () => (await h3.space.run('ss -Hlun')).match(/:(5353|1900)\b/g)?.length ?? 0
  t.equal(await sockets(), 0, 'in no circle it has no socket for discovery')
  const { code, lines } = await invited(h2)
  const third = await h3.coterie(`join ${code} --device third-device --json`)
  lines.stop()
  await Promise.all([h1.sees('third-device', 'reachable'), h3.sees('first-device', 'reachable')])

  t.comment('they talk, go, come back, and find each other by multicast')
  for (let i = 0; i < 5; i++) await h1.coterie('ping second-device')
  await h2.daemon.stop()
  await h1.sees('second-device', 'unreachable')
  await h2.start()
  await Promise.all([h1.sees('second-device', 'reachable'), h2.sees('third-device', 'reachable')])

  t.comment('the card of h3 gets another MAC address while its address stays')
  const mac = '02:77:00:00:aa:03'
  await h3.space.run(`ip link set dev eth0 address ${mac}`)
  const namesUnder = (address: string) =>
    mdnsNames(framesOf(all.bytes()).filter(frame => frame.mac === address))
  const before = new Set(namesUnder('02:77:00:00:00:03'))
  const announced = async () => {
    while (namesUnder(mac).every(name => before.has(name))) await new Promise(setImmediate)
  }
  await within(PATIENCE_MS, 'h3 announces itself under it, with another name', announced())
  t.match(await h3.space.run('ip -4 -o address show eth0'), /10\.77\.1\.13/, 'which stayed')
  await h3.sees('first-device', 'reachable')
  await h1.coterie('remove third-device --yes')
  await h1.sees('third-device', 'gone')
  await all.stop()

  const frames = framesOf(all.bytes())
  const ours = frames.filter(
    ({ sourcePort, targetPort }) => !DHCP.includes(sourcePort) && !DHCP.includes(targetPort)
  )
  const count = (test: (frame: Frame) => boolean) => ours.filter(test).length
  const [mdns, ssdp] = [5353, 1900].map(port => count(({ targetPort }) => targetPort === port))
  const tcp = count(({ targetPort }) => targetPort === 24747)
  t.ok(mdns! > 10 && ssdp! > 10 && tcp > 50, `${mdns} frames of mDNS, ${ssdp} of SSDP, ${tcp} of sessions`)

  const [gid, ...statics] = [
    decodeTicket(ticket).gid,
    ...[ticket, other].map(t => decodeTicket(t).inviterStatic)
  ]
  const ids = [made.Id, joined.Id, third.Id] as string[]
  const secrets: [string, Buffer][] = [
    ...ids.map(id => text('an id', id.slice(3, 20))),
    ...ids.flatMap(id => written('an id', peerKey(id)!)),
    ...statics.flatMap(key => written('a static key', key)),
    ...written('the circle id', gid),
    text('the circle id', made.Circle.slice(0, 16)),
    ...['first-device', 'second-device', 'third-device'].map(name => text('a device', name)),
    ...['thinkpad', 'annas-tower', 'macbook'].map(name => text('a host', name)),
    ...['annabella', 'bertold'].map(name => text('a user', name)),
    text('the code', code),
    text('the code', code.replace('-', '')),
    text('the circle', 'secret-circle'),
    text('the version', `${version}`),
    text('the runtime', process.version),
    text('the kernel', os.release()),
    ...['linux', system.replaceAll('"', '')].map(word => text('the system', word))
  ]
  const wire = Buffer.concat(ours.map(({ bytes }) => bytes))
  // in texts of 64 random characters a word of five is found by chance, once in 20,000 runs
  const small = Buffer.from(
    wire
      .toString('latin1')
      .replaceAll(/[\w-]{64}/g, '')
      .toLowerCase(),
    'latin1'
  )
  const shown = secrets
    .filter(([, bytes]) => wire.includes(bytes) || small.includes(bytes))
    .map(([what]) => what)
  t.same(shown, [], `none of ${secrets.length} things is in ${wire.length} bytes`)
  t.ok(wire.includes('_coterie') && wire.includes('urn:coterie'), 'though the protocol is')
  t.equal(joined.Circle, made.Circle)

  t.comment('and under another MAC address nothing is as it was')
  const after = namesUnder(mac)
  // until the kernel has told the daemon it knows nothing of it
  const known = after.findIndex(name => !before.has(name))
  t.ok(before.size > 0 && known >= 0, `${before.size} names before, ${new Set(after).size} after`)
  t.same(
    after.slice(known).filter(name => before.has(name)),
    []
  )
})

scenario('a network that is not trusted', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  await h2.daemon.stop()
  await h1.sees('h2', 'unreachable')
  await h2.nmcli('con modify lan connection.zone public')
  await h2.nmcli('con up lan')
  await h2.addressed('10.77.1.12')

  const cable = await lab.capture('h2')
  await h2.start()
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  await h2.listens('10.77.1.12')
  t.ok(h2.daemon.listeners.every(({ Policy }) => Policy === 'listen'))
  t.comment('h1 goes and comes back, and announces itself; h2 invites')
  const { lines } = await invited(h2)
  const { value } = await within(PATIENCE_MS, 'what more it says', lines.lines.next())
  t.same(JSON.parse(String(value)), { Unannounced: ['eth0'] }, 'it says that nobody hears of it')
  await h1.daemon.stop()
  await h2.sees('h1', 'unreachable')
  await h1.start()
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  lines.stop()
  await cable.stop()

  const frames = framesOf(cable.bytes())
  t.ok(frames.some(({ mac, targetPort }) => mac === '02:77:00:00:00:01' && targetPort === 5353))
  const kernels = ['arp', 'icmp', 'icmpv6', 'igmp']
  const sent = frames.filter(
    ({ mac, protocol, sourcePort }) =>
      mac === '02:77:00:00:00:02' && !kernels.includes(protocol) && !DHCP.includes(sourcePort)
  )
  // sessions, and the sealed datagrams by which it asks whether one still lives; never an announcement
  const elsewhere = sent.filter(
    ({ protocol, sourcePort, target }) =>
      !(protocol === 'tcp' || (protocol === 'udp' && sourcePort === 24747)) ||
      !/^(10\.77\.1\.11|fe80:)/.test(target)
  )
  t.ok(sent.length > 0)
  t.same(elsewhere, [], 'it sent to remembered addresses and nowhere else')
})
