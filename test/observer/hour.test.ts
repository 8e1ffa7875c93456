/** An hour of a device's discovery links no two slots, two networks or two circles; and the test would see it. */
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import type { Kept } from './computer.ts'
import { hour } from './hour.ts'
import { constants, links, linksInPackets, runs } from './observer.ts'

t.setTimeout(FILE_MS)
const common = constants(await hour(11), await hour(12))

t.test('an hour', async t => {
  const one = await hour(1)
  const kinds = (['NOTIFY', 'M-SEARCH', 'HTTP/1.1 200', '_coterie'] as const).map(
    word => one.seen.filter(({ payload }) => payload.includes(word)).length
  )
  t.ok(
    kinds.every(count => count > 5),
    `the subject said ${kinds.join(', ')} notifies, searches, answers, mDNS packets`
  )
  t.ok(one.heard > 8, `and heard its friend ${one.heard} times`)
  t.equal(one.turns.length, 7, 'four slots began, one MAC address, one key and one network were new')
  t.ok(common.size < 600, `${common.size} runs of four bytes are everybody's`)
  t.same(
    links(one, common).slice(0, 5),
    [],
    'nothing links its turns, its networks, or before and after the move'
  )
  t.same(
    linksInPackets(one, common).slice(0, 5),
    [],
    'nor two circles in one packet, but that they are in one'
  )
})

t.test('whatever is left as it was is noticed', async t => {
  const expected: { readonly [K in Exclude<Kept, 'nothing'>]: RegExp } = {
    'everything, at a new slot': /turns \d and \d: name/,
    'everything, at a new MAC address': /home, turns 1 and 2: name|home, turns 2 and 3: name/,
    'the salt': /turns \d and \d: bytes 07070707/,
    'the tag': /turns \d and \d: USN/,
    'the MAC of the announcement': /turns \d and \d: bytes/,
    'mDNS names': /turns \d and \d: name/,
    'the USN': /turns \d and \d: USN/,
    'the source port': /turns \d and \d: source port/,
    'an announcement, on two interfaces': /two networks: USN/,
    'the salt, in two circles': /./,
    'a host name': /move: bytes/
  }
  for (const [kept, what] of Object.entries(expected) as [Exclude<Kept, 'nothing'>, RegExp][]) {
    const one = await hour(1, { kept })
    const found = kept === 'the salt, in two circles' ? linksInPackets(one, common) : links(one, common)
    const first = found.find(link => what.test(link))
    t.ok(first, `kept: ${kept} (${first ?? found.slice(0, 3)})`)
  }
  t.match(links(await hour(1, { port: 24_748 }), common).join(), /bytes/, 'a port of its own is a link too')
})

t.test('the observer reads texts as bytes, and leaves an address out', async t => {
  t.ok(
    runs(Buffer.from(`a=${Buffer.from('abcdefgh'.repeat(6)).toString('base64url')}`)).strong.has('61626364')
  )
  t.ok(runs(Buffer.from('xx 6162636465666768 yy')).strong.has('61626364'))
  t.same([...runs(Buffer.from([1, 2, 3, 4, 5]), new Set(), Buffer.from([2, 3])).strong], [])
})
