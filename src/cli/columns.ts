/** How much room text takes in a terminal, and making it fit. Colours (SGR sequences) take none. Pure. */

/** Columns a text takes, as wcwidth(3) counts them: marks that combine take none, wide characters two. */
export function width(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let columns = 0
  for (const character of text.replace(SGR, '')) columns += NARROW.test(character) ? 1 : room(character)
  return columns
}
const SGR = /\x1b\[[\d;]*m/g
const NARROW = /[\x20-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u259f]/
const NONE = /[\p{Mn}\p{Me}\p{Cf}]|[\u1160-\u11ff]/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
/** Two of them are one flag of two columns. */
const HALF_A_FLAG = /\p{Regional_Indicator}/u

function room(character: string): number {
  if (NONE.test(character)) return 0
  if (HALF_A_FLAG.test(character)) return 1
  return WIDE.test(character) ? 2 : 1
}

/** At most so many columns of it, `mark` where something is missing; a colour that is open there is closed. */
export function cut(text: string, columns: number, mark = '…'): string {
  if (width(text) <= columns) return text
  let left = columns - width(mark)
  if (left < 0) return ''
  let taken = ''
  let open = false
  for (const [piece] of text.matchAll(/\x1b\[[\d;]*m|[\s\S]/gu)) {
    if (piece.startsWith('\x1b')) open = piece !== '\x1b[0m'
    else if ((left -= width(piece)) < 0) break
    taken += piece
  }
  return taken + mark + (open ? '\x1b[0m' : '')
}

/** Filled up with spaces. */
export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - width(text)))

/** Columns that such rows take with two spaces between their cells. */
export function breadth(rows: readonly (readonly string[])[]): number {
  return widths(rows).reduce((sum, each) => sum + each + GAP, -GAP)
}
export const GAP = 2

/** The widest cell of each column. */
export function widths(rows: readonly (readonly string[])[]): number[] {
  const most: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) most[i] = Math.max(most[i] ?? 0, width(cell))
  return most
}

/** The cells of `columns` give way, the widest first, until all fit `room` or are as short as they may be. */
export function fitted(
  rows: readonly (readonly string[])[],
  room: number,
  columns: readonly number[],
  least = 8,
  mark = '…'
): string[][] {
  const most = widths(rows)
  const limits = [...most]
  let over = breadth(rows) - room
  while (over > 0) {
    const column = columns.toSorted((a, b) => (limits[b] ?? 0) - (limits[a] ?? 0))[0]
    if (column === undefined || (limits[column] ?? 0) <= least) break
    limits[column]! -= 1
    over -= 1
  }
  return rows.map(row => row.map((cell, i) => cut(cell, limits[i]!, mark)))
}
