/** Random membership histories for property tests: devices that keep the rules, and some that do not. */
import { type Resolution, Resolver, type Step } from '../../src/circle/resolver.ts'
import { fc } from '../draws.ts'

export const RECOVERY = 'recovery'
export const FIRST = 'A'
const NAMES = ['A', 'B', 'C', 'D', 'E', 'F', 'G', RECOVERY]

/** What one step is drawn from; numbers are reduced to what is there when it is built. */
interface Draw {
  readonly author: number
  readonly target: number
  readonly level: number
  readonly kind: 'add' | 'add' | 'remove' | 'name' | 'rekey'
  readonly parents: readonly number[]
  readonly cut: readonly number[] | undefined
}

const draw: fc.Arbitrary<Draw> = fc.record({
  author: fc.nat(NAMES.length - 1),
  target: fc.nat(NAMES.length - 2),
  level: fc.integer({ min: 1, max: 11 }),
  kind: fc.constantFrom('add', 'add', 'add', 'remove', 'remove', 'name', 'rekey'),
  parents: fc.array(fc.nat(7), { maxLength: 2 }),
  cut: fc.option(fc.array(fc.nat(30), { maxLength: 2 }), { nil: undefined, freq: 4 })
})

export const genesis: Step = { id: 'g', prev: [], kind: 'genesis', author: FIRST, recovery: RECOVERY }

/** Each author's own operations form a chain, as those of a device that keeps the rules do. */
function build(draws: readonly Draw[]): Step[] {
  const steps: Step[] = [genesis]
  const last = new Map<string, string>([[FIRST, 'g']])
  for (const d of draws) {
    const author = NAMES[d.author]!
    const recent = d.parents.map(p => steps[Math.max(0, steps.length - 1 - p)]!.id)
    const prev = [...new Set([last.get(author) ?? 'g', ...recent])].sort()
    steps.push(step(`${steps.length}`, author, prev, d, steps))
    last.set(author, steps.at(-1)!.id)
  }
  return steps
}

function step(id: string, author: string, prev: string[], d: Draw, steps: readonly Step[]): Step {
  const common = { id: `${id}-${author}`, prev, author }
  const target = NAMES[d.target]!
  switch (d.kind) {
    case 'add':
      return { ...common, kind: 'add', target, level: d.level }
    case 'remove':
      return {
        ...common,
        kind: 'remove',
        target,
        cut: d.cut?.map(c => steps[c % steps.length]!.id)
      }
    default:
      return { ...common, kind: d.kind, serial: d.level }
  }
}

export const history: fc.Arbitrary<Step[]> = fc.array(draw, { minLength: 4, maxLength: 40 }).map(build)

/** Operations one author adds at any old points, forking as it likes; they may build on each other. */
export const attack = (steps: readonly Step[], author: string): fc.Arbitrary<Step[]> =>
  fc.array(draw, { minLength: 1, maxLength: 8 }).map(draws => {
    const all = [...steps]
    for (const [n, d] of draws.entries()) {
      const prev = [...new Set(d.parents.concat(d.target).map(p => all[(p * 5 + d.level) % all.length]!.id))]
      all.push(step(`evil-${n}`, author, prev.sort(), d, all))
    }
    return all.slice(steps.length)
  })

/** A random order in which every step follows its parents. */
export const shuffled = (steps: readonly Step[]): fc.Arbitrary<Step[]> =>
  fc.array(fc.nat(1000), { minLength: steps.length, maxLength: steps.length }).map(keys => {
    const open = steps.map((s, i) => ({ s, key: keys[i]! })).sort((a, b) => a.key - b.key)
    const done = new Set<string>()
    const order: Step[] = []
    while (open.length > 0) {
      const i = open.findIndex(o => o.s.prev.every(p => done.has(p)))
      const [next] = open.splice(i, 1)
      done.add(next!.s.id)
      order.push(next!.s)
    }
    return order
  })

export function resolve(steps: readonly Step[], everyStep = false): Resolution {
  const resolver = new Resolver()
  for (const s of steps) {
    resolver.add(s)
    if (everyStep) resolver.resolve()
  }
  return resolver.resolve()
}

/** A resolution as plain data, for comparing. */
export const plain = (r: Resolution) => ({
  members: Object.fromEntries([...r.members].sort(([a], [b]) => (a < b ? -1 : 1))),
  removed: [...r.removed].sort()
})

/** Devices whose removal does not hang on their own leaving. */
export function removedByOthers(steps: readonly Step[]): string[] {
  return [...resolve(steps).removed].filter(d => {
    const stayed = steps.map((s): Step => {
      const leaving = s.kind === 'remove' && s.author === d && s.target === d
      return leaving ? { id: s.id, prev: s.prev, kind: 'name', author: d, serial: 0 } : s
    })
    return resolve(stayed).removed.has(d)
  })
}

/** Devices come, rename and rekey, and half of them are removed again; one after another. */
export function longHistory(length: number): Step[] {
  const steps: Step[] = [genesis]
  let last = 'g'
  const push = (s: Omit<Step, 'prev' | 'id'>) => {
    const id = `${(steps.length * 7919) % 100_003}-${steps.length}`
    steps.push({ id, prev: [last], ...s })
    last = id
  }
  for (let d = 0; steps.length < length; d++) {
    const level = d < 8 ? 2 + d : 10
    push({ kind: 'add', author: FIRST, target: `d${d}`, level })
    for (let serial = 1; serial <= 2; serial++) {
      push({ kind: 'name', author: `d${d}`, serial })
      push({ kind: 'rekey', author: `d${d}`, serial })
    }
    if (d % 2 === 1) push({ kind: 'remove', author: FIRST, target: `d${d - 1}` })
  }
  return steps
}
