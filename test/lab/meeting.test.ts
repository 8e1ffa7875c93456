/** Three computers come to know each other, and tell it on every surface. */
import { scenario } from './scenario.ts'

scenario('three devices come to know each other', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await Promise.all([h1, h2, h3].map(h => h.start()))

  t.comment('before a circle exists nothing listens and nothing is said')
  const quiet = await lab.capture('a')
  const fresh = await h1.coterie('status --json')
  t.equal(fresh.Device.State, 'new')
  t.equal(fresh.Circle.Id, '')
  t.same(fresh.Peers, [])
  t.same(fresh.Listeners, [])
  t.same(await h1.listening(), [])
  t.equal(fresh.NetworkSource, 'NetworkManager')
  t.equal(fresh.DBus, 'owned')
  await quiet.stop()
  t.same(await quiet.packets('udp and port (5353 or 1900 or 24747)'), [])

  t.comment('h1 begins')
  const made = await h1.coterie('init --name home --json')
  t.match(made.Id, /^co1[a-z2-7]{54}$/)
  t.match(made.RecoveryCode, /^([0-9A-Z]{4}-){8}[0-9A-Z]+$/)
  await h1.listens('10.77.1.11')
  t.ok((await h1.listening()).includes('10.77.1.11:24747'))

  t.comment('h2 and h3 join by tickets')
  const ticket = await h1.coterie('invite --ticket')
  t.match(ticket, /^coterie1:\S+$/)
  t.equal((await h2.coterie('join - --yes --json', ticket)).Circle, made.Circle)
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  await h3.coterie('join - --yes', await h1.coterie('invite --ticket'))

  t.comment('each shows the other two')
  const names = ['h1', 'h2', 'h3']
  for (const host of [h1, h2, h3])
    for (const name of names.filter(n => n !== host.name)) await host.sees(name, 'reachable')
  for (const host of [h1, h2, h3]) {
    const status = await host.coterie('status --json')
    t.equal(status.Device.State, 'ready')
    t.equal(status.Circle.Members, 3)
    t.same(
      status.Peers.map((p: { Name: string }) => p.Name).sort(),
      names.filter(n => n !== host.name)
    )
    for (const peer of status.Peers) {
      t.match(peer, { State: 'reachable', Reason: '', Reachable: true, Path: 'direct', LastSeenUSec: 0 })
      t.ok(peer.LatencyUSec >= 1 && peer.LatencyUSec < 30e6, `${peer.LatencyUSec} µs`)
      t.match(peer.Addresses[0], /^tcp:\/\/(10\.77\.1\.1\d:|\[fe80::)/)
    }
    t.same((await host.coterie('devices --json')).Devices.map((d: { Name: string }) => d.Name).sort(), names)
  }

  t.comment('so does D-Bus')
  for (const host of [h1, h2, h3]) {
    const peers = (await host.managed()).filter(
      o => o['Name'] && o['Circle'] === made.Circle && o['Addresses']
    )
    t.same(
      peers.map(p => [p['Name'], p['State']]).sort(),
      names.filter(n => n !== host.name).map(n => [n, 'reachable'])
    )
  }

  t.comment('and so does the socket, to nc')
  const answer = await h2.space.try(['nc', '-N', '-U', `${h2.folder}/run/coterie/coterie.sock`], {
    input: '{"method":"Peers"}\n'
  })
  const { parameters } = JSON.parse(answer.stdout)
  t.same(parameters.Peers.map((p: { Name: string }) => p.Name).sort(), ['h1', 'h3'])
  t.ok(
    parameters.Peers.every(
      (p: { Reachable: boolean; LatencyUSec: number }) => p.Reachable && p.LatencyUSec > 0
    )
  )

  t.comment('a ping goes through, a used ticket does not')
  t.equal((await h3.coterie('ping h2 --json')).LatencyUSec.length, 1)
  const again = await h1.tryCoterie('join - --yes', ticket)
  t.equal(again.code, 1)
})
