import t from 'tap'
import { add, type Made, type Place, remove } from '../../src/circle/author.ts'
import { cutBefore } from '../../src/circle/cut.ts'
import { forecast } from '../../src/circle/forecast.ts'
import { MembershipLog } from '../../src/circle/log.ts'
import { type Identified, identify } from '../../src/circle/signing.ts'
import { hex } from '../../src/wire/bytes.ts'
import { generator, genesis, gidOf, joining, RECOVERY, signing } from './world.ts'

const HOUR = 3_600_000
const START = 1_800_000_000_000
const at = (hour: number) => START + hour * HOUR
const place = (hour: number, ...prev: Made[]): Place => ({
  gid: gidOf,
  prev: prev.map(({ id }) => id),
  wallMs: at(hour)
})
const items = (made: readonly Made[]): Identified[] =>
  [genesis, ...made].map(({ bytes }) => identify(gidOf, bytes)!)
const logOf = (made: readonly Made[]) => {
  const log = new MembershipLog({ gid: gidOf })
  log.load([genesis, ...made].map(({ bytes }) => bytes))
  return log
}
const [a, b] = [signing('A'), signing('B')]
const addBy = (who: typeof a, name: string, where: Place, level = 10) => add(who, where, joining(name, level))
const ids = (...made: Made[]) => made.map(({ id }) => hex(id)).sort()
const cutIds = (made: readonly Made[], hour: number, who = a) =>
  cutBefore(items(made), who.publicKey, at(hour)).map(hex).sort()

t.test('the last operation before the moment; the moment itself is after', async t => {
  const one = addBy(a, 'B', place(1, genesis))
  const two = addBy(a, 'C', place(2, one))
  const three = addBy(a, 'D', place(3, two))
  const all = [one, two, three]
  t.same(cutIds(all, 9), ids(three))
  t.same(cutIds(all, 3), ids(two))
  t.same(cutIds(all, 2.5), ids(two))
  t.same(cutIds(all, 0.5), ids(genesis))
  t.same(cutIds(all, 0), [], 'before everything: nothing is trusted')
})

t.test('an operation that lies about its time stays out when it builds on a later one', async t => {
  const one = addBy(a, 'B', place(1, genesis))
  const late = addBy(b, 'C', place(8, one))
  const lying = addBy(a, 'D', place(2, late))
  const old = addBy(a, 'E', place(2, one))
  t.same(cutIds([one, late, lying], 5), ids(one))
  t.same(cutIds([one, late, lying, old], 5), ids(old), 'one that builds on old ones does not; it is shown')
})

t.test('branches: each has its head, and no head lies under another', async t => {
  const one = addBy(a, 'B', place(1, genesis))
  const left = addBy(a, 'C', place(2, one))
  const right = addBy(a, 'D', place(2, one))
  t.same(cutIds([one, left, right], 5), ids(left, right))
  const both = addBy(b, 'E', place(3, left, right))
  t.same(cutIds([one, left, right, both], 5), ids(left, right), 'operations of others are no heads')
  const after = addBy(a, 'F', place(4, both))
  t.same(cutIds([one, left, right, both, after], 5), ids(after), 'but what lies under them is covered')
  const many = Array.from({ length: 40 }, (_, n) => addBy(a, `X${n}`, place(2, one)))
  t.equal(cutIds([one, ...many], 5).length, 32)
})

t.test('random logs: exactly what is closed and before survives', async t => {
  const random = generator(7)
  const who = [a, b, signing('C')]
  const seen = { kept: 0, void: 0, wrong: 0 }
  for (let run = 0; run < 60; run++) {
    const all: Made[] = [genesis]
    for (let n = 0; n < 14; n++) {
      const prev = new Set([0, 1].map(() => all[Math.max(0, all.length - 1 - Math.floor(random() * 4))]!))
      const by = who[Math.floor(random() * 3)]!
      all.push(addBy(by, `r${run} ${n}`, place(Math.floor(random() * 10), ...prev)))
    }
    const all2 = items(all.slice(1))
    const cut = cutBefore(all2, a.publicKey, at(5))
    const byKey = new Map(all2.map(item => [item.key, item]))
    const pastOf = (key: string): Set<string> =>
      new Set([key, ...byKey.get(key)!.parents.flatMap(parent => [...pastOf(parent)])])
    const kept = new Set(cut.flatMap(id => [...pastOf(hex(id))]))
    const good = (item: Identified) =>
      [...pastOf(item.key)].every(key => byKey.get(key)!.operation.wallMs < at(5))
    const own = all2.filter(({ author }) => author === hex(a.publicKey))
    for (const item of own) {
      seen[good(item) ? 'kept' : 'void']++
      if (kept.has(item.key) !== good(item)) seen.wrong++
    }
  }
  t.equal(seen.wrong, 0)
  t.ok(seen.kept > 60 && seen.void > 60, JSON.stringify(seen))
})

t.test('what a use would change is found out on a copy', async t => {
  const one = addBy(a, 'B', place(1, genesis))
  const two = addBy(a, 'C', place(2, one), 2)
  const theft = remove(a, place(8, two), { target: b.publicKey, lost: false, cut: undefined })
  const thief = addBy(a, 'thief', place(9, theft))
  const log = logOf([one, two, theft, thief])
  const recovery = signing(RECOVERY)
  const removal = remove(recovery, place(20, thief), {
    target: a.publicKey,
    lost: false,
    cut: cutBefore(items([one, two, theft, thief]), a.publicKey, at(5))
  })
  const own = add(recovery, place(20, removal), joining('C', 1))
  const head = hex(log.headDigest)
  const { changes, members } = forecast(gidOf, log, [removal.bytes, own.bytes])
  t.same(changes.map(({ name, change, was, level }) => [name, change, was, level]).sort(), [
    ['B', 'returns', 0, 10],
    ['C', 'level', 2, 1],
    ['desk', 'removed', 1, 0],
    ['thief', 'dropped', 10, 0]
  ])
  t.equal(members.size, 2)
  t.equal(hex(log.headDigest), head, 'the log itself is as before')
  t.same(forecast(gidOf, log, []).changes, [])
  const joins = addBy(a, 'E', place(9, thief))
  t.match(forecast(gidOf, log, [joins.bytes]).changes, [{ name: 'E', change: 'joins', was: 0, level: 10 }])
})
