/** The body of a message, as the command line takes it. */
import { readSync } from 'node:fs'
import { Failure } from './run.ts'

/** As the daemon takes it. */
const BODY_MAX = 1_048_576
const PIECE = 65_536

/** The parameters of the API for it: the text as it is; `-`: all of stdin, whatever bytes these are. */
export function bodyOf(text: string | undefined): { Body?: string; BodyBase64?: string } {
  if (text === undefined) return {}
  return text === '-' ? { BodyBase64: readStdin().toString('base64') } : { Body: text }
}

/** Throws Failure when there is more than a message carries; that is not read to its end. */
function readStdin(): Buffer {
  const pieces: Buffer[] = []
  for (let length = 0; ; ) {
    const piece = Buffer.alloc(PIECE)
    const read = readSome(piece)
    if (read === 0) return Buffer.concat(pieces)
    pieces.push(piece.subarray(0, read))
    length += read
    if (length > BODY_MAX)
      throw new Failure(
        'the body has more than 1 MiB, which a message cannot carry; `coterie copy` will, in a later version'
      )
  }
}

function readSome(piece: Buffer): number {
  try {
    return readSync(0, piece)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EOF') return 0
    throw new Failure(`stdin cannot be read (${code})`)
  }
}
