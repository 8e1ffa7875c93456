/** What is believed of whom: the same by all who heard the same, in whichever order. */
import t from 'tap'
import { Census } from '../../src/mesh/census.ts'
import { Members } from '../../src/mesh/members.ts'
import { generator } from '../random.ts'
import { ids, record } from './drive.ts'

const members = new Members(ids)
const there = 0

t.test('the greater incarnation wins, then the greater version', async t => {
  const census = new Census(members)
  t.notOk(census.there(2), 'of whom nothing was heard')
  t.ok(census.enter(2, record(2, 5)))
  t.ok(census.there(2))
  t.notOk(census.enter(2, record(2, 5)))
  t.ok(census.hear(2, 5, 1, 3))
  t.notOk(census.there(2))
  t.equal(census.reason(2), 'timeout')
  t.equal(census.lost, 1)
  t.notOk(census.hear(2, 5, 1, 1))
  t.notOk(census.hear(2, 4, 7, 1), 'about a record that was replaced')
  t.ok(census.hear(2, 5, 2, there))
  t.ok(census.there(2))
  t.equal(census.lost, 0)
  t.ok(census.hear(2, 5, 3, 9))
  t.equal(census.reason(2), 'closed', 'a reason of later versions')
  t.ok(census.enter(2, record(2, 6)))
  t.ok(census.there(2), 'its owner has the last word')
  t.equal(census.version(2), 0)
})

t.test('a verdict that comes before the record it is about waits for it', async t => {
  const census = new Census(members)
  census.enter(1, record(1, 5))
  t.notOk(census.hear(1, 7, 1, 1))
  t.ok(census.there(1))
  census.enter(1, record(1, 6))
  t.ok(census.there(1))
  census.enter(1, record(1, 7))
  t.notOk(census.there(1))
  t.equal(census.reason(1), 'stopped')
})

t.test('whoever heard the same has the same sums, in whichever order', async t => {
  const words: ((census: Census) => void)[] = []
  for (const member of ids.keys()) {
    for (const incarnation of [1, 2, 3]) {
      words.push(census => census.enter(member, record(member, incarnation)))
      for (const version of [1, 2, 3])
        words.push(census => census.hear(member, incarnation, version, version % 2))
    }
  }
  const sums = new Set<string>()
  for (let seed = 0; seed < 50; seed++) {
    const random = generator(seed)
    const census = new Census(members)
    const order = words.map(word => ({ word, at: random() })).sort((a, b) => a.at - b.at)
    for (const { word } of order) word(census)
    for (const member of ids.keys()) t.equal(census.version(member), 3)
    sums.add([...census.sum, ...census.sums(4), ...census.sums(8)].join())
  }
  t.equal(sums.size, 1)
})

t.test('who goes takes its part of the sum along', async t => {
  const fewer = new Members(ids.filter((_, i) => i !== 3))
  const census = new Census(members)
  for (const member of ids.keys()) census.enter(member, record(member, 9))
  census.hear(3, 9, 1, 1)
  census.hear(4, 9, 1, 1)
  census.change(fewer)
  const afresh = new Census(fewer)
  for (const member of ids.keys())
    if (member !== 3) afresh.enter(fewer.number(ids[member]!), record(member, 9))
  afresh.hear(3, 9, 1, 1)
  t.same(census.sum, afresh.sum)
  t.equal(census.lost, 1)
  t.notOk(census.there(3), 'it has another number now')
  t.same(census.inBuckets(4, new Set(Array.from({ length: 16 }, (_, i) => i))).length, ids.length - 1)
})
