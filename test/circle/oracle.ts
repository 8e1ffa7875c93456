/**
 * A second resolver, written from the rules in docs/protocol/membership.md and from nothing else: sets of ids,
 * one rule a line, slow. What it says must be what src/circle/resolver.ts says, on every history.
 */
import type { Step } from '../../src/circle/resolver.ts'

type Ids = ReadonlySet<string>

/** Everything an operation stands on, and itself. */
export function pasts(steps: readonly Step[]): ReadonlyMap<string, Ids> {
  const all = new Map<string, Set<string>>()
  for (const { id, prev } of steps) {
    const past = new Set([id])
    for (const parent of prev) for (const older of all.get(parent)!) past.add(older)
    all.set(id, past)
  }
  return all
}

/**
 * The operations that may be taken in: all their parents may, and somebody added their author before, or it is
 * the first device or the recovery key.
 */
export function admissible(steps: readonly Step[]): Step[] {
  const [genesis] = steps
  const adds = new Map<string, string[]>()
  const past = new Map<string, Ids>()
  return steps.filter(({ id, prev, author, kind, target }) => {
    if (!prev.every(parent => past.has(parent))) return false
    const mine = new Set([id])
    for (const parent of prev) for (const older of past.get(parent)!) mine.add(older)
    const known = author === genesis!.author || author === genesis!.recovery
    if (!known && !adds.get(author)?.some(add => mine.has(add))) return false
    past.set(id, mine)
    if (kind === 'add') adds.set(target!, [...(adds.get(target!) ?? []), id])
    return true
  })
}

export interface Verdict {
  /** As text: the same state is the same text. */
  readonly text: string
  readonly levels: ReadonlyMap<string, number>
  readonly live: Ids
  readonly removed: Ids
  readonly left: ReadonlyMap<string, number>
  /** What no removal of its author by a smaller level leaves it: it is there, and counts for nothing. */
  readonly outside: readonly Step[]
}

/** `steps`: each after its parents. */
export function oracle(steps: readonly Step[]): Verdict {
  const genesis = steps[0]!
  const past = pasts(steps)
  const sequence = sequences(steps, past)
  const levels = new Map([
    [genesis.author, 1],
    [genesis.recovery!, 0]
  ])
  const live = new Set<string>()
  const removed = new Set<string>()
  const left = new Map<string, number>()
  const outside: Step[] = []
  const liveBelow = (level: number) => steps.filter(s => live.has(s.id) && levels.get(s.author)! < level)

  for (let level = 0; level <= 11; level++)
    for (const [device] of [...levels].filter(([, its]) => its === level)) {
      const own = steps.filter(s => s.author === device)
      const removals = liveBelow(level).filter(s => s.kind === 'remove' && s.target === device)
      const trusted = own.filter(s => removals.every(r => leaves(r, past).has(s.id)))
      outside.push(...own.filter(s => !trusted.includes(s)))
      const leavings = trusted.filter(s => s.kind === 'remove' && s.target === device)
      for (const s of trusted) {
        if (!leavings.every(l => past.get(l.id)!.has(s.id))) continue
        if (s.kind === 'remove' || sequence.get(s.id)! <= (level < 10 ? 1024 : 64)) live.add(s.id)
      }
      if (removals.length + leavings.length > 0) removed.add(device)
      if (removals.length === 0 && leavings.length > 0) left.set(device, level)
      for (const { kind, author, target, level: given, id } of steps)
        if (kind === 'add' && author === device && live.has(id) && given! > level && given! < 12)
          levels.set(target!, Math.min(given!, levels.get(target!) ?? 255))
    }

  const members = [...levels]
    .filter(([device]) => device !== genesis.recovery && !removed.has(device))
    .map(([device, level]) => {
      const adds = liveBelow(level).filter(s => s.kind === 'add' && s.target === device && s.level === level)
      const origins = device === genesis.author && level === 1 ? [genesis, ...adds] : adds
      const own = (kind: string) => {
        const said = steps.filter(s => s.author === device && s.kind === kind && live.has(s.id))
        return said.sort((a, b) => b.serial! - a.serial! || (a.id < b.id ? -1 : 1)).map(s => s.id)
      }
      const added = origins.map(s => s.id).sort()[0]!
      return { device, level, added, rekeys: own('rekey').slice(0, 2), name: own('name')[0] }
    })
    .sort((a, b) => a.level - b.level || (a.added < b.added ? -1 : 1))
    .slice(0, 128)
  const places = steps.map(s => `${s.author} ${sequence.get(s.id)}`).sort()
  const doubled = places.filter((place, i) => place === places[i + 1]).map(place => place.split(' ')[0]!)
  // the recovery code may be used anywhere
  const forks = doubled.filter(author => author !== genesis.recovery)
  return { text: stateText({ members, removed, left, forks }), levels, live, removed, left, outside }
}

/** 1 + the greatest of its author's in its past. */
function sequences(steps: readonly Step[], past: ReadonlyMap<string, Ids>): Map<string, number> {
  const all = new Map<string, number>()
  for (const { id, author } of steps) {
    const own = steps.filter(s => s.author === author && s.id !== id && past.get(id)!.has(s.id))
    all.set(id, 1 + Math.max(0, ...own.map(s => all.get(s.id)!)))
  }
  return all
}

/** What a removal leaves of its target: all that its author had seen, or had seen under the cut. */
function leaves(removal: Step, past: ReadonlyMap<string, Ids>): Ids {
  const seen = past.get(removal.id)!
  if (removal.cut === undefined) return seen
  const heads = removal.cut.filter(id => id !== removal.id && seen.has(id))
  return new Set(heads.flatMap(id => [...past.get(id)!]))
}

interface Said {
  readonly device: string
  readonly level: number
  readonly added: string
  readonly rekeys: readonly string[]
  readonly name: string | undefined
}

export function stateText(of: {
  members: readonly Said[]
  removed: Ids
  left: ReadonlyMap<string, number>
  forks: readonly string[]
}): string {
  const lines = of.members.map(
    m => `${m.device} ${m.level} ${m.added} ${m.rekeys.join('+')} ${m.name ?? '-'}`
  )
  const left = [...of.left].map(([device, level]) => `${device} ${level}`)
  const groups = [lines, [...of.removed], left, [...new Set(of.forks)]]
  return groups.map(group => group.toSorted().join('\n')).join('\n--\n')
}
