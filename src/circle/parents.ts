/**
 * On which heads an operation is made when there are more than it may name. What a removal has not in its past
 * it takes from its target: so nobody may crowd out what others of smaller levels have done.
 */
import { MAX_PREV } from '../wire/operation.ts'
import { bit, type Resolver } from './resolver.ts'

/**
 * At most 16 of the heads: the one over the author's own last operation, then such as stand on what counts and adds or
 * removes somebody, smallest level first, latest first; then any.
 */
export function parents(resolver: Resolver, author: string, heads: readonly string[]): string[] {
  const left = new Map(heads.map(head => [head, resolver.past([head])]))
  const chosen: string[] = []
  const covered = new Set<number>()
  for (const index of wanted(resolver, author)) {
    if (chosen.length === MAX_PREV) return chosen
    if (covered.has(index)) continue
    const found = [...left].find(([, past]) => bit(past, index))
    if (found === undefined) continue
    const [head, past] = found
    chosen.push(head)
    left.delete(head)
    for (let i = 0; i < resolver.size; i++) if (bit(past, i)) covered.add(i)
  }
  return [...chosen, ...left.keys()].slice(0, MAX_PREV)
}

function wanted(resolver: Resolver, author: string): number[] {
  const own = resolver.last(author)
  const deeds = resolver.deeds().sort((a, b) => a.level - b.level || b.index - a.index)
  return [...(own === undefined ? [] : [own]), ...deeds.map(({ index }) => index)]
}
