import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import t from 'tap'
import { QUOTA_MEMBER, Resolver, type Step } from '../../src/circle/resolver.ts'
import { fc } from '../draws.ts'
import { missing, vectors } from '../vectors.ts'
import {
  attack,
  FIRST,
  genesis,
  history,
  longHistory,
  plain,
  removedByOthers,
  resolve,
  shuffled
} from './history.ts'

const RUNS = 300

const official = vectors('membership/levels-200.json') as
  | { cases: { ops: Step[]; expect: { members: Record<string, number>; removed: string[] } }[] }
  | undefined

t.test('membership vectors', { skip: official === undefined && missing }, async t => {
  for (const [n, c] of official!.cases.entries()) {
    const steps = c.ops.map(op => (op.kind === 'genesis' ? { ...op, recovery: 'REC' } : op))
    const state = resolve(steps, n % 2 === 0)
    const levels = Object.fromEntries([...state.members].map(([id, m]) => [id, m.level]))
    t.same({ members: levels, removed: [...state.removed].sort() }, c.expect, `case ${n}`)
  }
})

t.test('the order of arrival does not matter, nor when one asks', async () => {
  const property = fc.property(
    history.chain(steps => fc.tuple(fc.constant(steps), shuffled(steps), fc.boolean())),
    ([steps, order, everyStep]) => {
      deepStrictEqual(plain(resolve(order, everyStep)), plain(resolve(steps)))
    }
  )
  fc.assert(property, { numRuns: RUNS })
})

t.test('a removed device changes nothing by operations at old points', async t => {
  let attacks = 0
  const removedAndAttack = history.chain(steps => {
    const byOthers = removedByOthers(steps)
    if (byOthers.length === 0) return fc.constant({ steps, evil: [] as Step[], author: '' })
    return fc
      .constantFrom(...byOthers)
      .chain(author => attack(steps, author).map(evil => ({ steps, evil, author })))
  })
  fc.assert(
    fc.property(removedAndAttack, ({ steps, evil }) => {
      if (evil.length > 0) attacks++
      deepStrictEqual(plain(resolve([...steps, ...evil])), plain(resolve(steps)))
    }),
    { numRuns: RUNS * 2 }
  )
  t.ok(attacks > 50, `${attacks} attacks tried`)
})

t.test('a member changes nothing at equal or lower levels but itself', async t => {
  let attacks = 0
  const memberAndAttack = history.chain(steps => {
    const members = [...resolve(steps).members.keys()]
    if (members.length === 0) return fc.constant({ steps, evil: [] as Step[], author: '' })
    return fc
      .constantFrom(...members)
      .chain(author => attack(steps, author).map(evil => ({ steps, evil, author })))
  })
  fc.assert(
    fc.property(memberAndAttack, ({ steps, evil, author }) => {
      if (evil.length === 0) return
      attacks++
      const before = resolve(steps)
      const after = resolve([...steps, ...evil])
      const level = before.members.get(author)!.level
      for (const [id, { level: theirs }] of before.members)
        if (id !== author && theirs <= level)
          strictEqual(after.members.get(id)?.level, theirs, `${author} on ${id}`)
      for (const [id, { level: theirs }] of after.members)
        if (!before.members.has(id)) ok(theirs > level, `${author} brought ${id} to ${theirs}`)
    }),
    { numRuns: RUNS }
  )
  t.ok(attacks > 50, `${attacks} attacks tried`)
})

t.test('an outsider changes nothing', async () => {
  fc.assert(
    fc.property(
      history.chain(steps => attack(steps, 'outsider').map(evil => ({ steps, evil }))),
      ({ steps, evil }) => {
        deepStrictEqual(plain(resolve([...steps, ...evil])), plain(resolve(steps)))
      }
    ),
    { numRuns: RUNS }
  )
})

t.test('removing with a cut brings back whom the thief removed after it', async t => {
  const steps: Step[] = [
    genesis,
    { id: '1', prev: ['g'], kind: 'add', author: FIRST, target: 'admin', level: 2 },
    { id: '2', prev: ['1'], kind: 'add', author: FIRST, target: 'member', level: 10 },
    { id: '3', prev: ['2'], kind: 'remove', author: 'admin', target: 'member' }
  ]
  t.same([...resolve(steps).removed], ['member'])
  steps.push({ id: '4', prev: ['3'], kind: 'remove', author: FIRST, target: 'admin', cut: ['2'] })
  t.same([...resolve(steps).removed], ['admin'])
  t.equal(resolve(steps).members.get('member')?.level, 10)
})

t.test('an empty cut trusts nothing, a leaving keeps what came before it', async t => {
  const steps: Step[] = [
    genesis,
    { id: '1', prev: ['g'], kind: 'add', author: FIRST, target: 'admin', level: 2 },
    { id: '2', prev: ['1'], kind: 'add', author: 'admin', target: 'member', level: 10 }
  ]
  const left: Step = { id: '3', prev: ['2'], kind: 'remove', author: 'admin', target: 'admin' }
  t.same([...resolve([...steps, left]).members.keys()], [FIRST, 'member'])
  const robbed: Step = { id: '3', prev: ['2'], kind: 'remove', author: FIRST, target: 'admin', cut: [] }
  t.same([...resolve([...steps, robbed]).members.keys()], [FIRST])
})

t.test('asked before there is a genesis, it still hears of it', async t => {
  const resolver = new Resolver()
  t.same([...resolver.resolve().members], [])
  resolver.add(genesis)
  t.same([...resolver.resolve().members.keys()], [FIRST])
})

t.test('a device that left and leaves once more, beside it, is cut further, whenever one asks', async t => {
  const steps: Step[] = [
    genesis,
    { id: '1', prev: ['g'], kind: 'add', author: FIRST, target: 'admin', level: 2 },
    { id: '2', prev: ['1'], kind: 'add', author: 'admin', target: 'member', level: 10 },
    { id: '3', prev: ['2'], kind: 'remove', author: 'admin', target: 'admin' },
    { id: '4', prev: ['1'], kind: 'remove', author: 'admin', target: 'admin' }
  ]
  t.same([...resolve(steps).members.keys()], [FIRST])
  t.same(plain(resolve(steps, true)), plain(resolve(steps)), 'also asked after each step')
})

t.test('quotas: a member counts with its first operations, removals always', async t => {
  const resolver = new Resolver()
  resolver.add(genesis)
  resolver.add({ id: 'm', prev: ['g'], kind: 'add', author: FIRST, target: 'member', level: 10 })
  resolver.add({ id: 'r', prev: ['m'], kind: 'add', author: FIRST, target: 'relay', level: 11 })
  let last = 'r'
  for (let n = 1; n <= QUOTA_MEMBER + 5; n++) {
    resolver.add({ id: `n${n}`, prev: [last], kind: 'name', author: 'member', serial: n })
    last = `n${n}`
    if (n % 3 === 0) resolver.resolve()
  }
  t.equal(resolver.resolve().members.get('member')?.name, `n${QUOTA_MEMBER}`)
  resolver.add({ id: 'x', prev: [last], kind: 'remove', author: 'member', target: 'relay' })
  t.same([...resolver.resolve().removed], ['relay'])
})

t.test('the greatest serial of names and rekeys counts; forks are flagged', async t => {
  const resolver = new Resolver()
  resolver.add(genesis)
  resolver.add({ id: 'm', prev: ['g'], kind: 'add', author: FIRST, target: 'member', level: 10 })
  resolver.add({ id: 'k2', prev: ['m'], kind: 'rekey', author: 'member', serial: 2 })
  resolver.add({ id: 'k1', prev: ['k2'], kind: 'rekey', author: 'member', serial: 1 })
  resolver.add({ id: 'k3', prev: ['k1'], kind: 'rekey', author: 'member', serial: 3 })
  t.same(resolver.resolve().members.get('member')?.rekeys, ['k3', 'k2'])
  t.same(resolver.forks, [])
  resolver.add({ id: 'f', prev: ['m'], kind: 'name', author: 'member', serial: 1 })
  t.same(resolver.forks, ['member'])
  t.equal(resolver.resolve().members.get('member')?.name, 'f', 'a fork is kept and counts')
})

t.test('heads, past and authors in the past', async t => {
  const resolver = new Resolver()
  resolver.add(genesis)
  resolver.add({ id: 'm', prev: ['g'], kind: 'add', author: FIRST, target: 'member', level: 10 })
  resolver.add({ id: 'n', prev: ['g'], kind: 'name', author: FIRST, serial: 1 })
  t.same([...resolver.heads], ['m', 'n'])
  t.ok(resolver.introduced('member', ['m']))
  t.notOk(resolver.introduced('member', ['n']))
  t.ok(resolver.introduced(FIRST, ['n']) && resolver.introduced('recovery', ['g']))
  t.notOk(resolver.introduced('stranger', ['m', 'n']))
  t.throws(
    () => resolver.add({ id: 'z', prev: ['?'], kind: 'name', author: FIRST, serial: 2 }),
    /before its parent/
  )
})

t.test('a long history, resolved in batches, is what it is at once', async t => {
  const steps = longHistory(2000)
  const batches = new Resolver()
  const once = new Resolver()
  for (const [n, step] of steps.entries()) {
    batches.add(step)
    once.add(step)
    if (n % 64 === 63) batches.resolve()
  }
  t.same(plain(batches.resolve()), plain(once.resolve()))
})
