/**
 * An invitation by code for people. In a pipe stdout has the code on its first line and who has joined on its
 * last; all else is on stderr.
 */
import type { Result } from '../api/api.ts'
import { err, lookOf, out, printable, progressLine } from './print.ts'
import { level, shortId, span } from './words.ts'

const SECOND_MS = 1_000
/** How long a device that only began to try is shown: most of them are through, or gone, in less. */
const TRYING_MS = 5_000
const WAITING = 'waiting for a device to join'
type Details = { readonly [name: string]: unknown }

export class InvitationLines {
  /** Only what a person has to know while a program reads the rest. */
  readonly #quiet: boolean
  /** As what it joins, when not by its level alone. */
  readonly #guest: string
  readonly #progress = progressLine()
  readonly #look = lookOf(process.stderr)
  #endsMs = 0
  #clock: NodeJS.Timeout | undefined

  constructor({ quiet, guestForUSec }: { quiet: boolean; guestForUSec: number }) {
    this.#quiet = quiet
    this.#guest = guestForUSec > 0 ? `guest for ${span(guestForUSec)}` : ''
  }

  tell(sentence: string, details: Details): void {
    const { Code, ExpiresUSec, TriesLeft, Unannounced, Request, Answer, By } = details
    if (typeof Code === 'string') this.#code(Code, Number(ExpiresUSec))
    if (this.#quiet) return
    const stays = TriesLeft !== undefined || Unannounced !== undefined
    if (stays) this.#note(sentence)
    if (By === 'agent' || By === 'notification') this.#note(`${sentence}: so it was answered on the desktop`)
    if (Request !== undefined && Answer === undefined) this.clear()
    else if (By !== undefined && By !== '') this.#go(sentence)
    else this.#go(WAITING, stays ? WAITING : sentence)
  }

  /** What is asked, on the line that was that of progress. */
  question({ Id, Name, Level }: { Id: string; Name: string; Level: number }): string {
    return `${this.#look.bold(printable(Name))} (${shortId(Id)}) wants to join as ${this.#guest || level(Level)}. Accept? [Y/n] `
  }

  /** The line with the question is of no use any more. */
  leaveQuestion(): void {
    if (this.#look.terminal) err('')
  }

  /** Takes the line of progress away. */
  clear(): void {
    clearInterval(this.#clock)
    this.#clock = undefined
    this.#progress.clear()
  }

  joined({ Id, Name, Level }: Result<'Invite'>): void {
    const look = lookOf(process.stdout)
    out(`${look.bold(printable(Name))} (${shortId(Id)}) has joined as ${this.#guest || level(Level)}.`)
  }

  #code(code: string, expiresUSec: number): void {
    this.#endsMs = expiresUSec / 1000
    if (this.#quiet) return
    const look = lookOf(process.stdout)
    const minutes = Math.max(1, Math.round((this.#endsMs - Date.now()) / 60_000))
    const life = `Good for one device, for ${span(minutes * 60_000_000)}. Ctrl-C cancels it.`
    if (!look.terminal) {
      out(code)
      if (this.#look.terminal) err(`On the other device: coterie join ${code}\n${life}`)
      return
    }
    const side = look.mark('│', '|')
    const bar = (left: string, right: string) =>
      `  ${look.yellow(look.mark(`${left}${'─'.repeat(code.length + 6)}${right}`, `+${'-'.repeat(code.length + 6)}+`))}`
    for (const line of [
      bar('╭', '╮'),
      `  ${look.yellow(side)}   ${look.bold(code)}   ${look.yellow(side)}`,
      bar('╰', '╯'),
      '',
      `On the other device:  ${look.bold(`coterie join ${code}`)}`,
      look.dim(life),
      ''
    ])
      out(line)
  }

  /** A line that stays. */
  #note(sentence: string): void {
    this.#progress.clear()
    err(`${this.#look.yellow(this.#look.mark('▲', '!'))} ${printable(sentence)}`)
  }

  /** The sentence; where it is to wait, with the time that is left, each second anew, and `first` for a while. */
  #go(sentence: string, first = sentence): void {
    this.clear()
    if (!this.#look.terminal) return
    if (sentence !== WAITING) this.#progress.show(sentence)
    else this.#wait(first)
  }

  #wait(first: string): void {
    const began = performance.now()
    const show = () => {
      const left = Math.max(0, Math.ceil((this.#endsMs - Date.now()) / SECOND_MS))
      const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
      const now = performance.now() - began < TRYING_MS ? first : WAITING
      this.#progress.show(`${now}${this.#look.mark(' · ', ', ')}${time} left`)
    }
    show()
    this.#clock = setInterval(show, SECOND_MS)
  }
}
