/** Lines of a terminal, with their colours, as a picture of it. The same lines give the same bytes. */
import { width } from '../../src/cli/columns.ts'

const CELL = { width: 8.4, height: 18 }
const MARGIN = { top: 44, side: 16, bottom: 14 }
const FONT = "ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', 'Liberation Mono', Consolas, monospace"
const INK = {
  ground: '#171a21',
  frame: '#2b303b',
  plain: '#d5d9e0',
  bold: '#ffffff',
  dim: '#818998',
  green: '#6cc66c',
  yellow: '#e3b341',
  red: '#ff7b72',
  cyan: '#56c8d8'
}
const BARS = '▁▂▃▄▅▆▇█'

interface Style {
  readonly bold: boolean
  readonly dim: boolean
  readonly turned: boolean
  readonly colour: string
}
const PLAIN: Style = { bold: false, dim: false, turned: false, colour: INK.plain }

/** What a code of src/cli/print.ts and top changes. */
const CODES: { readonly [code: number]: Partial<Style> } = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  7: { turned: true },
  31: { colour: INK.red },
  32: { colour: INK.green },
  33: { colour: INK.yellow },
  36: { colour: INK.cyan }
}

/** The style after `\x1b[…m`. */
function styled(before: Style, codes: string): Style {
  const changes = codes.split(';').map(code => {
    const change = CODES[Number(code)]
    if (change === undefined) throw new Error(`no such colour: ${code}`)
    return change
  })
  return Object.assign({}, before, ...changes)
}

const ink = ({ bold, dim, turned, colour }: Style): string =>
  turned ? INK.ground : dim ? INK.dim : bold && colour === INK.plain ? INK.bold : colour

/** Text of one style; what is not ASCII stands alone, for fonts disagree about how wide it is. */
interface Run {
  readonly text: string
  readonly column: number
  readonly columns: number
  readonly style: Style
}

function runs(line: string): Run[] {
  const all: Run[] = []
  let style = PLAIN
  let column = 0
  for (const [piece, codes] of line.matchAll(/\x1b\[([\d;]*)m|[\x20-\x7e]+|[^\x1b]\p{M}*/gu)) {
    if (codes !== undefined) style = styled(style, codes)
    else {
      const columns = width(piece)
      all.push({ text: piece, column, columns, style })
      column += columns
    }
  }
  return all
}

const round = (n: number): string => String(Math.round(n * 100) / 100)
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const rectangle = (x: number, y: number, w: number, h: number, fill: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" fill="${fill}"/>`

function drawn({ text, column, columns, style }: Run, row: number): string[] {
  const x = MARGIN.side + column * CELL.width
  const y = MARGIN.top + row * CELL.height
  const w = columns * CELL.width
  const fill = ink(style)
  // a little more than the cells, so that no line of the ground shows between them
  const ground = style.turned ? [rectangle(x, y, w + 0.4, CELL.height, INK.plain)] : []
  const parts: string[] = []
  const [cx, cy] = [round(x + w / 2), round(y + 9.5)]
  const bar = BARS.indexOf(text)
  if (bar >= 0) {
    const high = ((bar + 1) / 8) * 14
    parts.push(rectangle(x + 0.5, y + 15 - high, w - 1, high, fill))
  } else if (text === '●') parts.push(`<circle cx="${cx}" cy="${cy}" r="4" fill="${fill}"/>`)
  else if (text === '○')
    parts.push(`<circle cx="${cx}" cy="${cy}" r="3.4" fill="none" stroke="${fill}" stroke-width="1.2"/>`)
  else if (text === '◐') {
    parts.push(`<circle cx="${cx}" cy="${cy}" r="3.4" fill="none" stroke="${fill}" stroke-width="1.2"/>`)
    parts.push(`<path d="M${cx} ${round(y + 5.5)}a4 4 0 0 0 0 8z" fill="${fill}"/>`)
  } else if (text === '☾')
    parts.push(
      `<path d="M${round(x + w / 2 + 1.6)} ${round(y + 5.2)}a4.4 4.4 0 1 0 2.4 6.6a4 4 0 0 1 -2.4 -6.6z" fill="${fill}"/>`
    )
  else if (text.trim() !== '') {
    const lead = text.length - text.trimStart().length
    const shown = text.trim()
    const bold = style.bold && !style.turned ? ' font-weight="700"' : ''
    const ascii = /^[\x20-\x7e]+$/.test(shown)
    const place = ascii
      ? `x="${round(x + lead * CELL.width)}" textLength="${round(width(shown) * CELL.width)}" lengthAdjust="spacingAndGlyphs"`
      : `x="${cx}" text-anchor="middle"`
    parts.push(`<text ${place} y="${round(y + 13.5)}" fill="${fill}"${bold}>${escaped(shown)}</text>`)
  }
  return [...ground, ...parts]
}

/** `lines` as the program wrote them; `title` in the frame, and for those who cannot see it. */
export function picture(title: string, lines: readonly string[], columns: number): string {
  const w = columns * CELL.width + 2 * MARGIN.side
  const h = lines.length * CELL.height + MARGIN.top + MARGIN.bottom
  const dots = [0, 1, 2].map(i => `<circle cx="${20 + i * 18}" cy="16" r="5.5" fill="${INK.frame}"/>`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(w)}" height="${round(h)}" viewBox="0 0 ${round(w)} ${round(h)}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${round(w - 1)}" height="${round(h - 1)}" rx="9" fill="${INK.ground}" stroke="${INK.frame}"/>`,
    ...dots,
    `<g font-family="${FONT}" font-size="14" xml:space="preserve">`,
    `<text x="${round(w / 2)}" y="21" text-anchor="middle" fill="${INK.dim}" font-size="12">${escaped(title)}</text>`,
    ...lines.flatMap((line, row) => runs(line).flatMap(run => drawn(run, row))),
    '</g>',
    '</svg>',
    ''
  ].join('\n')
}
