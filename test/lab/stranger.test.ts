/** Somebody else's daemon on the same LAN learns nothing, and gets no byte back. */
import { peerKey } from '../../src/crypto/identity.ts'
import { scenario } from './scenario.ts'

scenario('a stranger on the LAN', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  const all = await lab.capture('a')
  const cable = await lab.capture('h3')

  t.comment('h3 has a circle of its own before the others meet beside it')
  await h3.start()
  await h3.coterie('init --name elsewhere --device stranger --json')
  await Promise.all([h1.start(), h2.start()])
  const made = await h1.coterie('init --name annas-circle --device annas-laptop --json')
  await h1.dialable()
  const joined = await h2.coterie(
    'join - --yes --device annas-desktop --json',
    await h1.coterie('invite --ticket')
  )
  await Promise.all([h1.sees('annas-desktop', 'reachable'), h2.sees('annas-laptop', 'reachable')])
  await h3.listens('10.77.1.13')

  t.comment('they find each other again, by multicast too')
  await h2.daemon.stop()
  await h2.start()
  await h1.sees('annas-desktop', 'reachable')

  t.comment('h3 knocks: with noise, with a handshake of the right length, with nothing')
  for (const knock of ['GET / HTTP/1.1\r\n\r\n', `COT1\x01${'x'.repeat(256)}`, 'COT1\x03', '']) {
    const { stdout } = await h3.space.try(['nc', '-N', '-w', '2', '10.77.1.11', '24747'], { input: knock })
    t.equal(stdout, '', `no answer to ${JSON.stringify(knock.slice(0, 8))}`)
    await h3.space.try(['nc', '-u', '-q', '0', '10.77.1.11', '24747'], { input: knock })
  }

  t.comment('the daemon of h3 heard of nobody')
  const status = await h3.coterie('status --json')
  t.same(status.Peers, [])
  t.equal(status.Circle.Members, 1)
  t.same(
    (await h3.managed()).filter(o => o['Name'] === 'annas-laptop' || o['Name'] === 'annas-desktop'),
    []
  )

  await Promise.all([all.stop(), cable.stop()])
  const theirs =
    'ether dst 02:77:00:00:00:03 and (ether src 02:77:00:00:00:01 or ether src 02:77:00:00:00:02)'
  const back = (await cable.packets(theirs)).filter(p => p.length > 0)
  t.same(back, [], 'no payload to the stranger')
  t.ok((await cable.packets('multicast and udp')).length > 0, 'multicast did reach it')

  t.comment('nothing on the wire says who is there')
  const wire = all.bytes()
  for (const word of [
    'annas-',
    'laptop',
    'desktop',
    'elsewhere',
    'stranger',
    made.Circle,
    made.Id,
    joined.Id
  ])
    t.notOk(wire.includes(word), `no ${word}`)
  for (const id of [made.Id, joined.Id])
    t.notOk(wire.includes(Buffer.from(peerKey(id)!)), 'no key in the clear')
})
