/** Why a peer is reached as it is, and why it is not, told by real daemons on two cards of one computer. */
import t from 'tap'
import { bare } from '../cli/command.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('there, gone, somebody else in its place, gone for good', async t => {
    const [anna, ben, cora] = await Promise.all(
      ['anna', 'ben', 'cora'].map(name => new Computer(t, name).start())
    )
    await anna!.founds()
    await ben!.joins(await anna!.ticket())
    await cora!.joins(await anna!.ticket())
    await Promise.all([anna!.sees('ben'), anna!.sees('cora'), ben!.sees('cora')])

    const well = await anna!.call('Why', { Peer: 'ben' })
    t.match(well, { Name: 'ben', State: 'reachable', Reason: '', Evidence: 'direct', Advice: [], Apart: [] })
    t.ok(Date.now() * 1000 - well.EvidenceUSec < 20e6, 'fresh evidence')
    const [used] = well.Candidates
    t.match(used, { InUse: true, Why: 'in-use' })
    t.ok(used!.RoundTripUSec > 0 && used!.Named.length > 0)
    t.equal(well.Candidates.filter(({ InUse }) => InUse).length, 1)
    t.match((await anna!.coterie('why ben')).out, /^ben is reachable: .* ms\n/)

    const { Rows } = await anna!.call('Matrix')
    const own = Rows.filter(({ ObserverName }) => ObserverName === 'anna')
    t.same(own.map(({ PeerName, State }) => [PeerName, State]).sort(), [
      ['ben', 'reachable'],
      ['cora', 'reachable']
    ])
    t.ok(own.every(({ LatencyUSec }) => LatencyUSec > 0))

    const seenUSec = Date.now() * 1000
    await ben!.kill()
    await anna!.until('misses ben', ({ Peers }) => Peers.some(p => p.Name === 'ben' && !p.Reachable))
    let gone = await anna!.call('Why', { Peer: 'ben' })
    // it is gone when the session is; whether it listens is asked then
    const end = performance.now() + PATIENCE_MS
    while (gone.Candidates.some(one => one.TriedUSec <= seenUSec) && performance.now() < end)
      gone = await anna!.call('Why', { Peer: 'ben' })
    t.match(gone, { State: 'unreachable', Reason: 'closed', Evidence: 'direct' })
    t.ok(gone.EvidenceUSec <= Date.now() * 1000 && gone.EvidenceUSec > seenUSec - 20e6)
    t.ok(gone.Candidates.length > 0)
    for (const one of gone.Candidates) {
      t.match(one, { Result: 'refused', InUse: false })
      t.ok(one.TriedUSec > seenUSec, 'tried since then')
    }
    t.match(
      gone.Advice[0],
      /nobody listens there: start the daemon on ben with `systemctl --user start coterie`/
    )
    const said = await anna!.coterie('why ben')
    t.equal(said.code, 0, 'the question was answered')
    t.match(bare(said.out), /refused[\s\S]*systemctl --user start coterie/)
    const shown = (await anna!.status()).Peers.find(({ Name }) => Name === 'ben')
    t.equal(shown!.Evidence, 'direct')
    t.ok(shown!.EvidenceUSec > 0)

    // it says goodbye, and comes back as one that was removed
    await cora!.stop()
    await anna!.until('misses cora', ({ Peers }) => Peers.some(p => p.Name === 'cora' && !p.Reachable))
    t.match((await anna!.call('Why', { Peer: 'cora' })).Advice[0], /^cora said goodbye/)
    await anna!.call('Remove', { Device: 'cora' })
    t.match(await failure(anna!.call('Why', { Peer: 'cora' })), /^NoSuchPeer: cora was a member/)
    t.match(await failure(anna!.call('Why', { Peer: 'anna' })), /^InvalidValue: this is the device/)
    t.match(await failure(anna!.call('Why', { Peer: 'nobody' })), /^NoSuchPeer: no member is called "nobody"/)
    t.match((await ben!.start()) && (await ben!.sees('anna')), { Reachable: true })
  })
}
