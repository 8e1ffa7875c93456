import t from 'tap'
import { Budget, Limits } from '../../src/net/limits.ts'
import { networkOf, onLink, placesOf, samePlace } from '../../src/net/place.ts'

const eth0 = {
  name: 'eth0',
  index: 2,
  addresses: [
    { address: '2001:db8::5', prefix: 64 },
    { address: 'fe80::5', prefix: 64 },
    { address: '192.0.2.5', prefix: 24 },
    { address: '198.51.100.5', prefix: 32 }
  ]
}

t.test('one place for each family; IPv6 speaks from its link-local address', t => {
  const [four, six] = placesOf(eth0)
  t.match(
    [four, six],
    [
      { family: 'ipv4', address: '192.0.2.5' },
      { family: 'ipv6', address: 'fe80::5' }
    ]
  )
  t.match(
    placesOf({
      ...eth0,
      addresses: [
        { address: '127.0.0.1', prefix: 8 },
        { address: '::1', prefix: 128 }
      ]
    }),
    [{ family: 'ipv4', address: '127.0.0.1' }]
  )
  t.strictSame(placesOf({ ...eth0, addresses: [] }), [])
  const [moved] = placesOf({ ...eth0, index: 3 })
  t.notOk(samePlace(four!, moved!), 'the interface was made anew')
  t.end()
})

t.test('who is on the link', t => {
  const [four, six] = placesOf(eth0)
  for (const source of ['192.0.2.5', '192.0.2.99', '198.51.100.5']) t.ok(onLink(four!, source), source)
  for (const source of ['192.0.3.1', '127.0.0.1', '198.51.100.6', 'fe80::9%eth0', '0.0.0.0']) {
    t.notOk(onLink(four!, source), source)
  }
  for (const source of ['fe80::9%eth0', '2001:db8::9']) t.ok(onLink(six!, source), source)
  for (const source of ['fe80::9%eth1', 'fe80::9', '2001:db8:1::9', '192.0.2.5', '2001:db8::9%eth1', '::1']) {
    t.notOk(onLink(six!, source), source)
  }
  t.end()
})

t.test('limits: 10 a second from one source, 100 from all', t => {
  const limits = new Limits(10, 100)
  const allowed = (source: string, now: number) => {
    let count = 0
    for (let i = 0; i < 1000; i++) if (limits.allow(now, source)) count++
    return count
  }
  t.equal(allowed('a', 0), 10)
  t.equal(allowed('a', 999), 0)
  let all = 10
  for (let i = 0; i < 50; i++) all += allowed(`b${i}`, 500)
  t.equal(all, 100)
  t.equal(allowed('a', 1000), 10, 'a new second')
  t.end()
})

t.test('the network of an address is its first bits', t => {
  const same = (a: string, b: string, prefix: number) =>
    networkOf({ address: a, prefix }) === networkOf({ address: b, prefix })
  t.ok(same('2001:db8:1:2::5', '2001:db8:1:2:ffff::', 64))
  t.notOk(same('2001:db8:1:2::5', '2001:db8:1:3::5', 64))
  t.ok(same('10.1.2.3', '10.1.2.200', 24))
  t.notOk(same('10.1.2.3', '10.1.2.200', 25))
  t.ok(same('fe80::1', 'fe80::2', 64), 'without a scope too')
  t.notOk(same('10.1.2.3', '10.1.2.2', 32))
  t.end()
})

t.test('a budget holds over any span', t => {
  const budget = new Budget(8, 15_000)
  const taken = (now: number, share = 1) => {
    let count = 0
    while (count < 100 && budget.take(now, share)) count++
    return count
  }
  t.equal(taken(0, 0.5), 4, 'some may use a share only')
  t.equal(taken(14_000), 4)
  t.equal(taken(14_999), 0)
  t.equal(taken(15_000), 4)
  t.equal(taken(28_999), 0)
  t.equal(taken(29_000), 4)
  t.end()
})
