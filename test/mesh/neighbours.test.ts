/** The graph of the view: who wants a session with whom. */

import { createHash } from 'node:crypto'
import t from 'tap'
import { peerId } from '../../src/crypto/identity.ts'
import { Members } from '../../src/mesh/members.ts'
import { neighbours } from '../../src/mesh/neighbours.ts'
import { generator } from '../random.ts'

const circle = (size: number): Members =>
  new Members(
    Array.from({ length: size }, (_, i) => peerId(createHash('sha256').update(`member ${i}`).digest()))
  )

/** How many steps it takes from one to all, and how many those are. */
function reach(graph: readonly ReadonlySet<number>[], from: number): { steps: number; all: number } {
  const seen = new Set([from])
  let steps = -1
  for (let edge = [from]; edge.length > 0; steps++) {
    edge = edge.flatMap(member => [...graph[member]!]).filter(member => !seen.has(member) && seen.add(member))
  }
  return { steps, all: seen.size }
}

for (const size of [17, 64, 100, 257, 1_000, 4_096, 10_000]) {
  t.test(`${size} members: few neighbours, one graph, short ways, whoever is awake`, async t => {
    const members = circle(size)
    const random = generator(size)
    const limit = Math.ceil(Math.log2(size)) + 3
    const steps = 1.5 * Math.ceil(Math.log2(size) / 2) + 4
    for (const share of size < 64 ? [1] : [1, 0.5, 0.1]) {
      const up = members.ids.map(() => random() < share)
      const awake = (member: number) => up[member]!
      const graph = up.map((is, i) => (is ? neighbours(members, i, awake, awake) : new Set<number>()))
      const count = up.filter(Boolean).length
      t.ok(Math.max(...graph.map(({ size }) => size)) <= limit, `${share}: at most ${limit}`)
      t.ok(
        graph.every((each, i) => [...each].every(other => graph[other]!.has(i))),
        `${share}: both ends agree`
      )
      const reached = reach(graph, up.indexOf(true))
      t.equal(reached.all, count, `${share}: one graph`)
      t.ok(reached.steps <= steps, `${share}: ${reached.steps} steps of ${steps}`)
    }
  })
}

t.test('the graph stays one when half of its devices vanish at once', async t => {
  const members = circle(1_000)
  for (let seed = 0; seed < 20; seed++) {
    const random = generator(seed)
    const graph = members.ids.map((_, i) =>
      neighbours(
        members,
        i,
        () => true,
        () => true
      )
    )
    const up = members.ids.map(() => random() < 0.5)
    const left = graph.map((each, i) => new Set(up[i] ? [...each].filter(other => up[other]) : []))
    const alone = left.filter((each, i) => up[i] && each.size === 0).length
    const first = left.findIndex((each, i) => up[i]! && each.size > 1)
    const count = up.filter(Boolean).length
    // who lost all its neighbours finds others as one that comes from far does
    t.ok(reach(left, first).all >= count - alone - 2, `${reach(left, first).all} of ${count}, ${alone} alone`)
    t.ok(alone <= 5)
  }
})

t.test('the next device on mains is a neighbour', async t => {
  const members = circle(100)
  const mains = (member: number) => member === 60
  for (const self of [3, 40, 59, 61, 99]) t.ok(neighbours(members, self, () => true, mains).has(60))
  t.notOk(neighbours(members, 60, () => true, mains).has(60))
})

t.test('who falls asleep changes the neighbours of its neighbours only', async t => {
  const members = circle(1_000)
  const all = members.ids.map((_, i) =>
    neighbours(
      members,
      i,
      () => true,
      () => true
    )
  )
  const awake = (member: number) => member !== 500
  const without = members.ids.map((_, i) => neighbours(members, i, awake, awake))
  const changed = all.filter((before, i) => i !== 500 && [...before].some(other => !without[i]!.has(other)))
  t.equal(changed.length, all[500]!.size)
})

t.test('members are found by their keys', async t => {
  const members = circle(300)
  for (const [member, key] of members.keys.entries()) {
    t.equal(members.find(key, 0), member)
    t.equal(members.owner(Buffer.concat([Uint8Array.of(1), key]), 1), member)
    t.equal(members.number(members.ids[member]!), member)
  }
  const stranger = members.keys[0]!.slice()
  stranger[31]! ^= 1
  t.equal(members.owner(stranger, 0), -1)
  t.equal(members.find(new Uint8Array(8), 0), -1)
  t.equal(members.number('co1'), -1)
  t.equal(new Members([]).size, 0)
  t.end()
})
