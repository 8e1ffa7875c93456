/** A ticket as a picture to be scanned: two rows of modules in one line of text. */

const QUIET = 2

/** Black on white whatever the colours of the terminal; empty when it does not fit into `columns`. */
export async function qrLines(text: string, columns: number): Promise<string[]> {
  const { default: qrcode } = (await import('qrcode' as string)) as { default: QrCode }
  const { size, data } = qrcode.create(text, { errorCorrectionLevel: 'L' }).modules
  if (size + 2 * QUIET > columns) return []
  const dark = (row: number, column: number) =>
    row >= 0 && row < size && column >= 0 && column < size && data[row * size + column] === 1
  const lines: string[] = []
  for (let row = -QUIET; row < size + QUIET; row += 2) {
    let line = ''
    for (let column = -QUIET; column < size + QUIET; column++) {
      const [upper, lower] = [dark(row, column), dark(row + 1, column)]
      line += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' '
    }
    lines.push(`\x1b[38;5;16;48;5;231m${line}\x1b[0m`)
  }
  return lines
}

/** What is used of the library. */
interface QrCode {
  create(text: string, options: object): { modules: { size: number; data: ArrayLike<number> } }
}
