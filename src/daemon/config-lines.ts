/** Where a value stands in a TOML file, for sentences about it. */

/**
 * The line, from 1, of a place such as `allow[1].tags[0]` or `network.port`; of what is in an array over several
 * lines, the line where the array begins. 0 when it is not found: written in a way that is not looked for here.
 */
export function lineOf(toml: string, place: string): number {
  const counts = new Map<string, number>()
  let table = ''
  let best = 0
  let length = -1
  for (const [i, text] of toml.split('\n').entries()) {
    const found = placeOn(text, table, counts)
    if (found === undefined) continue
    if (found.table !== undefined) table = found.table
    if (found.place.length > length && within(place, found.place)) {
      best = i + 1
      length = found.place.length
    }
  }
  return best
}

/** What the line begins: a table (its place is that of the keys after it), or a key. */
function placeOn(text: string, table: string, counts: Map<string, number>) {
  const list = /^\s*\[\[\s*([^\]]+?)\s*\]\]/.exec(text)?.[1]
  if (list !== undefined) {
    const number = counts.get(list) ?? 0
    counts.set(list, number + 1)
    const place = `${list}[${number}]`
    return { place, table: place }
  }
  const single = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(text)?.[1]
  if (single !== undefined) return { place: single, table: single }
  const key = /^\s*([A-Za-z0-9_.-]+)\s*=/.exec(text)?.[1]
  return key === undefined ? undefined : { place: table === '' ? key : `${table}.${key}`, table: undefined }
}

/** `place` is `found` or lies in it. */
const within = (place: string, found: string): boolean =>
  place === found || place.startsWith(`${found}.`) || place.startsWith(`${found}[`)
