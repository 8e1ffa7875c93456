/** Which way to a peer is the better one. */
import t from 'tap'
import { Candidates } from '../../src/mesh/candidates.ts'
import { compare, gradeBetween, gradeOf, type OwnLink, withLinks } from '../../src/mesh/paths.ts'
import { parseAddress } from '../../src/wire/address.ts'

const uri = (host: string) => `tcp://${host.includes(':') ? `[${host}]` : host}:24747`
const at = (host: string) => parseAddress(uri(host))!
const link = (host: string, kind: OwnLink['kind'], more: Partial<OwnLink> = {}): OwnLink => ({
  address: uri(host),
  kind,
  metered: false,
  ...more
})
const own = (...links: OwnLink[]) =>
  withLinks(
    links.map(({ address }) => parseAddress(address)!),
    links
  )

t.test('a cable before wireless before a tunnel, the LAN before a router, metered last', async t => {
  const laptop = own(
    link('192.168.1.5', 'wireless', { prefix: 24, primary: true }),
    link('10.0.0.5', 'wired', { prefix: 24 }),
    link('10.9.0.5', 'tunnel', { prefix: 16 }),
    link('172.16.3.5', 'wired', { prefix: 20, metered: true })
  )
  const best = ['10.0.0.9', '192.168.1.9', '203.0.113.9', '10.9.200.9', '172.16.15.9']
  const grades = best.map(host => gradeOf(at(host), laptop))
  for (let i = 1; i < best.length; i++)
    t.ok(compare(grades[i - 1]!, grades[i]!) < 0, `${best[i - 1]} before ${best[i]}`)
  t.same(gradeOf(at('172.16.16.9'), laptop), gradeOf(at('203.0.113.9'), laptop), 'beyond the prefix of 20')
})

t.test('a device of an overlay is alone in its prefix, and yet behind its tunnel', async t => {
  const laptop = own(
    link('192.168.1.5', 'wired', { prefix: 24, primary: true }),
    link('100.101.102.103', 'tunnel', { prefix: 32 }),
    link('fd7a:115c:a1e0::5', 'tunnel', { prefix: 128 })
  )
  const tunnel = gradeOf(at('100.64.0.9'), laptop)
  t.ok(compare(gradeOf(at('203.0.113.9'), laptop), tunnel) < 0)
  t.same(gradeOf(at('fd7a:115c:a1e0:ab12::9'), laptop), tunnel)
  t.ok(compare(gradeOf(at('fd00::9'), laptop), tunnel) < 0)
})

t.test('what a session shows of its way', async t => {
  const laptop = own(
    link('192.168.1.5', 'wireless', { prefix: 24 }),
    link('192.168.1.6', 'wired', { prefix: 24, primary: true })
  )
  const between = (local: string) => gradeBetween(local, uri('192.168.1.9'), laptop)!
  t.ok(compare(between('tcp://192.168.1.6:40000'), between('tcp://192.168.1.5:40000')) < 0)
  t.same(
    gradeOf(at('192.168.1.9'), laptop),
    between('tcp://192.168.1.6:40000'),
    'the kernel takes the better'
  )
  t.equal(between('tcp://192.168.1.7:40000'), undefined, 'not ours')
  t.equal(between(''), undefined)
})

t.test('nothing is known of links: all are equal but for what is near', async t => {
  const here = withLinks([at('192.0.2.1'), at('2001:db8::1')], [])
  t.same(gradeOf(at('198.51.100.1'), here), gradeOf(at('2001:db9::1'), here))
  t.ok(compare(gradeOf(at('192.0.2.77'), here), gradeOf(at('198.51.100.1'), here)) < 0)
  t.same(gradeOf(at('198.51.100.1'), []), gradeOf(at('198.51.100.1'), here))
})

t.test('attempts begin with the better link, those that fail last', async t => {
  const laptop = own(
    link('192.168.1.5', 'wireless', { prefix: 24, primary: true }),
    link('10.0.0.5', 'wired', { prefix: 24 }),
    link('100.101.102.103', 'tunnel', { prefix: 32 })
  )
  const all = new Candidates()
  for (const host of ['100.64.0.9', '192.168.1.9', '10.0.0.9']) all.offer(0, uri(host), 'gossip')
  all.worked(5, uri('100.64.0.9'))
  const order = () => all.ranked(laptop).map(({ text }) => text.slice(6, -6))
  t.same(order(), ['10.0.0.9', '192.168.1.9', '100.64.0.9'])
  all.get(uri('10.0.0.9'))!.failures = 1
  t.same(order(), ['192.168.1.9', '100.64.0.9', '10.0.0.9'])
})
