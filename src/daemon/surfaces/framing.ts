/**
 * Calls out of the bytes of one client of the UNIX socket.
 *
 *   call = *space object *space end      object = a JSON object, RFC 8259      end = NUL | LF
 *
 * A call ends at the first NUL or LF after its outermost object closes, so it may be spread over lines, and
 * one socket serves Varlink (NUL) and JSON lines (LF) alike. White space and ends before an object are
 * skipped. Whether the object is good JSON is for the reader of the call; here are only its bounds.
 */
import { isUtf8 } from 'node:buffer'

/** Bytes of one call, its end not counted: room for the body of a message, 1 MiB, in base64. */
export const CALL_MAX = 1536 * 1024
/** Nested objects and lists of one call. */
export const DEPTH_MAX = 32
const HELD_MIN = 256

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

export type End = '\0' | '\n'
export interface Message {
  readonly text: string
  /** How it ended, and so how its answers end. */
  readonly end: End
}

export class Framing {
  /** Why nothing more is read from this client; empty while all is well. */
  fault = ''
  /** How the last call ended; what tells the client of a fault ends the same way. */
  end: End = '\n'

  #where: 'before' | 'inside' | 'string' | 'escape' | 'after' = 'before'
  #depth = 0
  #bytes: Buffer | undefined
  #length = 0

  /** Memory held for an unfinished call, in bytes. */
  get held(): number {
    return this.#bytes?.length ?? 0
  }

  /** The calls that `chunk` completes. Sets `fault` when what follows them cannot be a call. */
  push(chunk: Uint8Array): Message[] {
    const messages: Message[] = []
    let start = 0
    for (let at = 0; at < chunk.length && !this.fault; at++) {
      const byte = chunk[at]!
      switch (this.#where) {
        case 'before':
          if (byte === OPEN_OBJECT) {
            this.#where = 'inside'
            this.#depth = 1
            start = at
          } else if (!isSpace(byte) && !isEnd(byte)) {
            this.fault = 'a call is a JSON object, such as {"method":"Status"}'
          }
          break
        case 'inside':
          if (byte === QUOTE) this.#where = 'string'
          else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
            if (++this.#depth > DEPTH_MAX) this.fault = `a call is nested at most ${DEPTH_MAX} deep`
          } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
            if (--this.#depth === 0) this.#where = 'after'
          } else if (byte === 0) this.fault = 'the call ends before its object is closed'
          break
        case 'string':
          if (byte === QUOTE) this.#where = 'inside'
          else if (byte === BACKSLASH) this.#where = 'escape'
          else if (byte < SPACE) this.fault = 'a string of the call is not closed on its line'
          break
        case 'escape':
          this.#where = byte < SPACE ? this.#where : 'string'
          if (byte < SPACE) this.fault = 'a string of the call is not closed on its line'
          break
        case 'after':
          if (isEnd(byte)) {
            this.end = byte === LF ? '\n' : '\0'
            const text = this.#finish(chunk.subarray(start, at))
            if (text !== undefined) messages.push({ text, end: this.end })
          } else if (!isSpace(byte)) {
            this.fault = 'a call ends with a line end or NUL; something else follows its object'
          }
          break
      }
    }
    if (this.fault) this.refuse(this.fault)
    else if (this.#where !== 'before') this.#hold(chunk.subarray(start))
    return messages
  }

  /** The client has sent all it will. A closed object counts as a call although its end is missing. */
  finish(): Message | undefined {
    if (this.#where === 'after' && !this.fault) {
      const text = this.#finish(new Uint8Array())
      if (text !== undefined) return { text, end: this.end }
    }
    if (this.#where !== 'before' && !this.fault) this.refuse('the call is cut short')
    return undefined
  }

  /** Reads no more, and holds nothing. */
  refuse(sentence: string): void {
    this.fault = sentence
    this.#bytes = undefined
    this.#length = 0
  }

  #finish(last: Uint8Array): string | undefined {
    this.#where = 'before'
    if (this.#bytes) {
      if (!this.#hold(last)) return undefined
    } else if (last.length > CALL_MAX) {
      this.#refuseLength()
      return undefined
    }
    const bytes =
      this.#bytes?.subarray(0, this.#length) ?? Buffer.from(last.buffer, last.byteOffset, last.length)
    this.#bytes = undefined
    this.#length = 0
    if (isUtf8(bytes)) return bytes.toString('utf8')
    this.fault = 'a call is text in UTF-8'
    return undefined
  }

  /** Copies, into room that doubles: many small pieces cost no more than one large. */
  #hold(piece: Uint8Array): boolean {
    const length = this.#length + piece.length
    if (length > CALL_MAX) return this.#refuseLength()
    if (!this.#bytes || length > this.#bytes.length) {
      let room = Math.max(HELD_MIN, this.held)
      while (room < length) room *= 2
      const grown = Buffer.allocUnsafeSlow(room)
      this.#bytes?.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
    return true
  }

  #refuseLength(): false {
    this.refuse(`a call has at most ${CALL_MAX} bytes`)
    return false
  }
}

const isSpace = (byte: number) => byte === SPACE || byte === TAB || byte === CR
const isEnd = (byte: number) => byte === LF || byte === 0
