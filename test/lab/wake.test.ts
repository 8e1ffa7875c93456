/** A laptop sleeps, is woken by a packet, and is back; as logind says it, and when nobody says anything. */
import { magicPacket } from '../../src/wire/wake.ts'
import { framesOf } from './pcap.ts'
import { scenario } from './scenario.ts'

const PACKET = Buffer.from(magicPacket(Uint8Array.of(2, 0x77, 0, 0, 0, 3)))

scenario('logind says that h3 sleeps', { h1: 'a', h2: 'a', h3: 'a', h4: 'b' }, async (t, lab) => {
  const [h1, h2, h3, h4] = lab.all('h1', 'h2', 'h3', 'h4')
  const others = [h1, h2, h4]
  await h3.logind()
  await lab.circle(h1, h2, h3, h4)
  const delays = async () => (await h3.inhibitors()).includes('Coterie')
  while (!(await delays()));

  const from = others.map(host => host.daemon.events.length)
  const begun = performance.now()
  await h3.prepareForSleep(true)
  await Promise.all(others.map(host => host.sees('h3', 'asleep')))
  for (const [i, host] of others.entries()) {
    const told = host.daemon.events.slice(from[i]).filter(e => e.Properties['State'] !== undefined)
    t.match(
      told,
      [{ Properties: { State: 'asleep', Reason: 'asleep' } }],
      `${host.name}: that, and nothing else`
    )
    t.comment(
      `${host.name} shows it after ${Math.round(told[0]!.at - begun)} ms, the call of busctl included`
    )
  }
  while (await delays());
  // the computer sleeps: nothing runs on it, its card listens
  h3.daemon.signal('SIGSTOP')

  const packets = (capture: { bytes(): Buffer }) =>
    framesOf(capture.bytes()).filter(({ protocol, targetPort }) => protocol === 'udp' && targetPort === 9)
  t.comment('h4 is on another LAN: it asks one that is on that one')
  const asked = await lab.capture('h3')
  const elsewhere = await lab.capture('b')
  const two = JSON.parse((await h4.tryCoterie('wake h3 --wait 0.5 --json')).stdout)
  await Promise.all([asked.stop(), elsewhere.stop()])
  const ids = [h1, h2].map(host => host.daemon.self['Id'])
  t.equal(two.SentBy.length, 1)
  t.ok(ids.includes(two.SentBy[0]), 'it says who')
  t.equal(two.Reachable, false)
  const passed = packets(asked)
  t.ok(passed.length > 0 && passed.every(({ bytes }) => bytes.includes(PACKET)))
  t.ok(passed.every(({ mac }) => mac !== '02:77:00:00:00:04'))
  t.same(packets(elsewhere), [], 'nothing on a LAN where it is not')

  t.comment('h1 wakes it: they are on one LAN')
  const direct = await lab.capture('h3')
  const one = await h1.tryCoterie('wake h3 --wait 0.5')
  await direct.stop()
  t.match(one, {
    code: 4,
    stdout: /^This device.* sent the packet that wakes h3; it has not come within 0\.5 s/
  })
  const sent = packets(direct)
  t.ok(sent.length > 0 && sent.every(({ bytes }) => bytes.includes(PACKET)), 'with its MAC address')
  t.ok(sent.some(({ mac, source }) => mac === '02:77:00:00:00:01' && source === '10.77.1.11'))
  t.same(
    others.map(host => host.daemon.peer('h3')?.['State']),
    ['asleep', 'asleep', 'asleep'],
    'nobody took it for awake'
  )

  t.comment('and it wakes, while h2 waits for it')
  const waiting = h2.coterie('wake h3 --json')
  const resumed = performance.now()
  h3.daemon.signal('SIGCONT')
  await h3.prepareForSleep(false)
  await Promise.all([
    ...others.map(host => host.sees('h3', 'reachable')),
    ...others.map(host => h3.sees(host.name, 'reachable'))
  ])
  t.comment(`all see all ${Math.round(performance.now() - resumed)} ms later`)
  t.equal((await waiting).Reachable, true)
  while (!(await delays()));
  t.match(await h1.coterie('wake h3'), /^h3 is awake/)
})

scenario('nobody says anything: h2 is stopped and goes on', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  const from = h2.daemon.events.length
  h2.daemon.signal('SIGSTOP')
  await h1.sees('h2', 'unreachable')
  const resumed = performance.now()
  h2.daemon.signal('SIGCONT')
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  t.comment(`both see each other ${Math.round(performance.now() - resumed)} ms later`)
  t.match(h2.daemon.log(), /awake/)
  const accused = h2.daemon.events.slice(from).filter(e => e.Properties['Reason'] === 'timeout')
  t.same(accused, [], 'it accuses nobody of what it did not hear')
})
