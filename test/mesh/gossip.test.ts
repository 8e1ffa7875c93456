import t from 'tap'
import { formatAddress } from '../../src/wire/address.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { decodeGossip, MAX_INCARNATION, signable } from '../../src/wire/gossip.ts'
import { address, Driver, digest, ids, keys, record, records } from './drive.ts'

/** Gossip sent, as text: `<session> digest <owner>:<incarnation>…` or `<session> records …`. */
function gossip(driver: Driver): string[] {
  const owner = (id: Uint8Array): number => keys.findIndex(key => Buffer.from(key).equals(id))
  return driver.sent(Kind.Gossip).flatMap(({ session, body }) => {
    const decoded = decodeGossip(body)!
    if ('views' in decoded) return []
    const [name, entries] =
      'digest' in decoded ? ['digest', decoded.digest] : (['records', decoded.records] as const)
    const list = [...entries].map(({ id, incarnation }) => `${owner(id)}:${incarnation}`).sort()
    return [session, name, ...list].join(' ')
  })
}

/** Signs what is to be signed. */
function signOwn(driver: Driver): void {
  for (const { body } of driver.since('sign')) driver.mesh.ownRecord(driver.now, body, new Uint8Array(64))
}

function verify(driver: Driver, ok = true): string[] {
  return driver.since('verify').flatMap(({ batch, items }) => {
    driver.mesh.verified(
      driver.now,
      batch,
      items.map(() => ok)
    )
    return items.map(({ peer }) => `${ids.indexOf(peer)}`)
  })
}

/** 0 among 1, 2, 3; open sessions with 1 and 2; its own record is said. */
function started(): Driver {
  const driver = new Driver(0, [1, 2, 3])
  signOwn(driver)
  driver.open(1, 1)
  driver.open(2, 2)
  return driver
}

t.test('when a session opens: a digest, then what the other lacks', async t => {
  const driver = started()
  t.same(gossip(driver), ['1 digest 0:100', '2 digest 0:100'])
  driver.receive(1, Kind.Gossip, digest())
  t.same(gossip(driver), ['1 records 0:100'])
  driver.receive(2, Kind.Gossip, digest({ id: keys[0]!, incarnation: 100 }))
  t.same(gossip(driver), [])
})

t.test('what is new is verified, kept, and pushed to all others at once', async t => {
  const driver = started()
  driver.forget()
  const news = record(3, 5, address(33))
  driver.receive(1, Kind.Gossip, records(news))
  const body = signable(news.bytes.subarray(0, -64))
  t.match(driver.since('verify'), [{ batch: 1, items: [{ peer: ids[3], body }] }])
  t.same(driver.view(3).addresses, [], 'not before')
  driver.mesh.verified(driver.now, 1, [true])
  t.same(driver.view(3).addresses, [address(33)])
  t.same(gossip(driver), ['2 records 3:5'])
  t.match(driver.since('dial'), [{ peer: ids[3], address: address(33) }])
  driver.receive(2, Kind.Gossip, records(news))
  driver.receive(2, Kind.Gossip, records(record(3, 4, address(44))))
  t.same(verify(driver), [], 'it is not verified again, and what is older not at all')
})

t.test('the owner takes addresses back', async t => {
  const driver = started()
  driver.receive(1, Kind.Gossip, records(record(3, 5, address(33), address(34))))
  verify(driver)
  driver.receive(2, Kind.Gossip, records(record(3, 6, address(34), address(35))))
  verify(driver)
  t.same([...driver.view(3).addresses].sort(), [address(34), address(35)])
})

t.test('a liar cannot speak for others', async t => {
  const driver = started()
  driver.receive(1, Kind.Gossip, records(record(3, 5, address(33))))
  verify(driver)
  driver.forget()
  driver.receive(2, Kind.Gossip, records(record(3, MAX_INCARNATION, address(66))))
  t.same(verify(driver, false), ['3'])
  t.same(driver.view(3).addresses, [address(33)])
  t.same(gossip(driver), [])
  driver.receive(2, Kind.Gossip, records(record(3, MAX_INCARNATION, address(66))))
  t.same(verify(driver, false), ['3'], 'it is not remembered either')
  driver.receive(1, Kind.Gossip, records(record(3, 6, address(34))))
  t.same(verify(driver), ['3'], 'the lie does not stand in the way of the owner')
  t.same(driver.view(3).addresses, [address(34)])

  driver.receive(2, Kind.Gossip, records(record(5, 1, address(55))))
  t.same(verify(driver), [], 'no stranger comes in')
  driver.receive(2, Kind.Gossip, digest({ id: keys[0]!, incarnation: MAX_INCARNATION }))
  signOwn(driver)
  t.equal(driver.since('sign').length, 0, 'a digest proves nothing')
  driver.receive(2, Kind.Gossip, Uint8Array.of(9, 9))
  t.same(
    driver.since('count').map(({ what }) => what),
    ['signature', 'signature', 'record-of-stranger', 'malformed']
  )
})

t.test('one that sees a greater incarnation of itself takes it + 1', async t => {
  const driver = started()
  driver.pass(1_000)
  driver.forget()
  driver.receive(1, Kind.Gossip, records(record(0, 500, address(99))))
  t.same(verify(driver), ['0'])
  t.match(driver.since('self'), [{ addresses: [/^tcp:/] }], 'and says where it is said to be')
  signOwn(driver)
  t.same(gossip(driver), ['1 records 0:501', '2 records 0:501'])
  driver.receive(2, Kind.Gossip, records(record(0, 300, address(99))))
  t.same(verify(driver), [])
})

t.test('two that do so to each other wait longer and longer', async t => {
  const driver = started()
  const said: number[] = []
  let incarnation = 1_000
  for (let i = 0; i < 2_000; i++) {
    driver.receive(1, Kind.Gossip, records(record(0, (incarnation += 10), address(99))))
    verify(driver)
    driver.pass(2_000)
    driver.receive(1, Kind.Ping, new Uint8Array(8))
    driver.receive(2, Kind.Ping, new Uint8Array(8))
    if (driver.since('sign').length > 0) said.push(Math.round(driver.now / 1_000))
  }
  // 4,000 s: 0, 20, 40 … apart
  t.ok(said.length <= 9, said.join())
  t.ok(said.length >= 5)
})

t.test('own records follow each other half a second apart, the last one wins', async t => {
  const driver = started()
  driver.pass(1_000)
  driver.forget()
  for (let i = 1; i <= 40; i++) {
    driver.mesh.setOwnAddresses(driver.now, [address(100 + i)])
    signOwn(driver)
    driver.pass(25)
  }
  signOwn(driver)
  driver.pass(1_000)
  signOwn(driver)
  const bodies = gossip(driver).filter(line => line.startsWith('1 '))
  t.same(bodies, ['1 records 0:101', '1 records 0:102', '1 records 0:103'])
})

t.test('what stays on the device: link-local always, loopback unless there is nothing else', async t => {
  const said = (addresses: string[]): string[] => {
    const driver = new Driver(0, [1])
    driver.mesh.setOwnAddresses(driver.now, addresses)
    driver.pass(600)
    signOwn(driver)
    driver.open(1, 1)
    driver.forget()
    driver.receive(1, Kind.Gossip, digest())
    const [sent] = driver.since('send')
    const decoded = decodeGossip(sent!.body)!
    return 'records' in decoded ? decoded.records[0]!.addresses.map(formatAddress) : []
  }
  const [v4, v6] = ['tcp://192.0.2.1:24747', 'tcp://[2001:db8::1]:24747']
  const [loopback, local, apipa] = [
    'tcp://127.0.0.1:24747',
    'tcp://[fe80::1%25eth0]:24747',
    'tcp://169.254.1.1:24747'
  ]
  t.same(said([v4, v6, loopback, local, apipa, 'nonsense']), [v4, v6])
  t.same(said([loopback, local]), [loopback])
  t.same(said([local]), [])
  t.equal(said(Array.from({ length: 40 }, (_, i) => address(i + 1))).length, 16)
})

t.test('a new member: the others are asked what was dropped before', async t => {
  const driver = started()
  driver.pong(1, 2)
  driver.pass(6_000)
  driver.forget()
  driver.receive(1, Kind.Gossip, records(record(4, 1, address(44))))
  driver.mesh.setMembers(
    driver.now,
    [0, 1, 2, 3, 4].map(n => ids[n]!)
  )
  t.same(gossip(driver), ['1 digest 0:100', '2 digest 0:100'])
  driver.mesh.setMembers(
    driver.now,
    [0, 1, 2, 3, 4, 5].map(n => ids[n]!)
  )
  t.same(gossip(driver), [], 'not more often than every 5 s')
  driver.pong(1, 2)
  driver.pass(5_000)
  t.same(
    gossip(driver)
      .filter(line => line.includes('digest'))
      .sort(),
    ['1 digest 0:100', '2 digest 0:100']
  )
})

t.test('what is known of a removed member is forgotten', async t => {
  const driver = started()
  driver.receive(1, Kind.Gossip, records(record(3, 5, address(33))))
  verify(driver)
  driver.receive(1, Kind.Gossip, records(record(3, 6, address(33))))
  driver.mesh.setMembers(
    driver.now,
    [0, 1, 2].map(n => ids[n]!)
  )
  verify(driver)
  driver.forget()
  driver.receive(2, Kind.Gossip, digest())
  t.same(gossip(driver), ['2 records 0:100'])
  t.equal(driver.view(3), undefined)
})

t.test('floods: digests and records of one session are bounded, and made up for', async t => {
  const driver = started()
  driver.forget()
  for (let i = 0; i < 100; i++) driver.receive(1, Kind.Gossip, digest())
  t.equal(gossip(driver).length, 1)
  let verified = 0
  for (let i = 0; i < 1_000; i++) {
    driver.receive(2, Kind.Gossip, records(record(3, 10 + i, address(33))))
    verified += verify(driver, false).length
  }
  t.equal(verified, 256)
  t.equal(driver.since('count').filter(({ what }) => what === 'records-often').length, 744)
  driver.pong(1, 2)
  driver.pass(6_000)
  t.ok(
    gossip(driver).some(line => line.startsWith('2 digest')),
    'then it is asked for what was dropped'
  )
  driver.receive(2, Kind.Gossip, records(record(3, 5_000, address(33))))
  t.same(verify(driver), ['3'])
})

t.test('a record for which no answer came before its session closed is still kept', async t => {
  const driver = started()
  driver.receive(1, Kind.Gossip, records(record(3, 5, address(33))))
  driver.receive(1, Kind.Close, Uint8Array.of(0, CloseReason.Done))
  verify(driver)
  t.same(driver.view(3).addresses, [address(33)])
})
