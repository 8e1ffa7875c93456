import t from 'tap'
import { address, Driver, ids } from './drive.ts'

/** Each address with what came of it. */
const told = (d: Driver) =>
  d.mesh
    .candidates(d.now, ids[1]!)
    .map(({ address, result, why, chosen }) => [address, result, why, ...(chosen ? ['chosen'] : [])])

t.test('what came of each address is remembered, and who named it when', async t => {
  const d = new Driver(0, [1])
  t.same(d.mesh.candidates(0, ids[1]!), [], 'nothing is known')
  t.same(d.mesh.candidates(0, ids[5]!), [], 'no member')
  d.offer(1, address(1))
  d.pass(1000)
  d.mesh.offer(d.now, ids[1]!, [address(1), address(2), address(3)], 'announcement')
  const dials = d.since('dial')
  const of = (n: number) => dials.findLast(dial => dial.address === address(n))!.attempt
  d.pass(200)
  const later = d.since('dial')
  const attempt = (n: number) => later.find(dial => dial.address === address(n))?.attempt ?? of(n)
  t.match(told(d).sort(), [
    [address(1), '', 'trying'],
    [address(2), '', 'trying'],
    [address(3), '', 'trying']
  ])
  d.mesh.dialFailed(d.now, attempt(2), 'refused')
  d.open(7, 1, { roundTripUSec: 500 })
  t.same(told(d), [
    [address(1), 'connected', 'in-use', 'chosen'],
    [address(3), 'cancelled', 'untried'],
    [address(2), 'refused', 'failed']
  ])
  d.pass(3000)
  const [used] = d.mesh.candidates(d.now, ids[1]!)
  t.same(
    used!.sources.map(({ source }) => source),
    ['known', 'announcement'],
    'the latest first'
  )
  t.equal(used!.sources[1]!.agoMs, 3200)
  t.equal(used!.roundTripUSec, 500)
  t.match(used, { probeResult: 'timeout' }, 'its watcher asked it by UDP too')
  t.ok(used!.lastProbedAgoMs >= 1500 && used!.lastProbedAgoMs < 3000)
  d.mesh.probed(d.now, ids[1]!, 1, address(3), 900)
  d.mesh.probeFailed(d.now, ids[1]!, 2, address(2), 'unreachable')
  t.match(
    d.mesh.candidates(d.now, ids[1]!).map(one => [one.probeResult, one.roundTripUSec]),
    [
      ['timeout', 500],
      ['answered', 900],
      ['unreachable', 0]
    ]
  )
  d.mesh.closed(d.now, 7, 'closed')
  t.equal(
    d.mesh.candidates(d.now, ids[1]!).find(one => one.chosen),
    undefined
  )
})

t.test('a handshake that does not come is told from a connection that does not', async t => {
  const d = new Driver(0, [1])
  d.offer(1, address(1))
  const [dial] = d.since('dial')
  d.pass(5000)
  t.match(d.since('cancel')[0], { attempt: dial!.attempt })
  t.equal(d.mesh.candidates(d.now, ids[1]!)[0]!.result, 'handshake', 'links are given up before')
})

t.test('a session that came in from where nobody said', async t => {
  const d = new Driver(0, [1])
  d.open(7, 1, { outgoing: false, address: 'tcp://192.0.2.77:50000' })
  t.match(d.mesh.candidates(0, ids[1]!), [
    { address: 'tcp://192.0.2.77:50000', sources: [], chosen: true, why: 'in-use' }
  ])
})

t.test('who is asked for is dialled now', async t => {
  const d = new Driver(0, [1])
  d.offer(1, address(1))
  d.pass(600_000)
  d.forget()
  d.pass(10_000)
  const before = d.since('dial').length
  d.mesh.retry(d.now, ids[1]!)
  d.pass(1)
  t.ok(d.since('dial').length > before || before === 0)
  d.open(7, 1)
  d.forget()
  d.mesh.retry(d.now, ids[1]!)
  d.pass(100)
  t.same(d.since('dial'), [], 'not one that is reachable')
})

t.test('what is worse about the others', async t => {
  const d = new Driver(0, [1])
  const own = ['tcp://192.0.2.100:24747', 'tcp://10.8.0.1:24747']
  const link = (address: string, kind: 'wired' | 'tunnel', prefix: number, primary = false) => ({
    address,
    kind,
    metered: false,
    prefix,
    primary
  })
  const links = [link(own[0]!, 'wired', 24, true), link(own[1]!, 'tunnel', 24)]
  d.mesh.setOwnAddresses(0, own, links)
  d.offer(1, address(1), 'tcp://10.8.0.2:24747', 'tcp://198.51.100.1:24747', address(2), address(3))
  d.pass(100)
  const before = d.mesh.candidates(d.now, ids[1]!)
  t.same(new Set(before.map(({ why }) => why)), new Set(['trying', 'untried']))
  d.open(7, 1, { local: own[0]! })
  d.mesh.probed(d.now, ids[1]!, 99, address(3), 700)
  const why = d.mesh.candidates(d.now, ids[1]!)
  t.same(Object.fromEntries(why.map(one => [one.address, [one.link, one.near, one.why]])), {
    [address(1)]: ['wired', true, 'in-use'],
    'tcp://10.8.0.2:24747': ['tunnel', false, 'kind'],
    'tcp://198.51.100.1:24747': ['wired', false, 'far'],
    [address(2)]: ['wired', true, 'untried'],
    [address(3)]: ['wired', true, 'slower']
  })
  d.mesh.setOwnAddresses(d.now, own, [link(own[0]!, 'wired', 24, true), link(own[1]!, 'wired', 24)])
  const used = d.mesh.candidates(d.now, ids[1]!).find(one => one.address === 'tcp://198.51.100.1:24747')
  t.equal(used!.why, 'far')
})
