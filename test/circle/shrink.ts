/** The least of a history that still breaks the rules, and how to read it. */
import type { Step } from '../../src/circle/resolver.ts'
import { type History, randomHistory } from './attack.ts'
import { check, Violation } from './invariants.ts'
import type { Subject } from './replica.ts'

/** What is left of a history that breaks this rule. */
export function least(subject: Subject, seed: number, rule: string): History {
  const fails = (history: History) => {
    try {
      check(subject, history, seed)
      return false
    } catch (error) {
      return error instanceof Violation && error.rule === rule
    }
  }
  return shrink(randomHistory(seed), fails)
}

function shrink(history: History, fails: (history: History) => boolean): History {
  let least = history
  for (let smaller = true; smaller; ) {
    smaller = false
    const ids = [...least.steps.slice(1), ...least.attack].map(s => s.id).reverse()
    for (let size = Math.ceil(ids.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < ids.length; at += size) {
        const shorter = ids.slice(at, at + size).reduce(without, least)
        if (shorter.steps.length + shorter.attack.length === least.steps.length + least.attack.length)
          continue
        if (!fails(shorter)) continue
        least = shorter
        smaller = true
      }
  }
  return least
}

/** Whatever stood on it stands on what it stood on. */
function without(history: History, id: string): History {
  const gone = [...history.steps, ...history.attack].find(s => s.id === id)
  if (gone === undefined || gone.kind === 'genesis') return history
  const instead = (ids: readonly string[]) => [
    ...new Set(ids.flatMap(each => (each === id ? gone.prev : [each])))
  ]
  const mend = (steps: readonly Step[]) =>
    steps
      .filter(s => s.id !== id)
      .map(s => ({ ...s, prev: instead(s.prev).sort(), cut: s.cut && instead(s.cut) }))
  return { ...history, steps: mend(history.steps), attack: mend(history.attack) }
}

/** One operation a line. */
export function story({ steps, attack, attackers }: History): string {
  const line = ({ id, author, kind, prev, target, level, serial, cut }: Step) =>
    [
      `${id} ${author} ${kind}`,
      target,
      level === undefined ? '' : `level ${level}`,
      serial === undefined ? '' : `serial ${serial}`,
      cut === undefined ? '' : `cut [${cut.join(' ')}]`,
      `<- ${prev.join(' ')}`
    ]
      .filter(Boolean)
      .join(' ')
  return [...steps.map(line), `attack by ${attackers.join(', ')}:`, ...attack.map(line)].join('\n')
}
