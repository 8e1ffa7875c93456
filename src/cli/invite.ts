/** `coterie invite`: lets one other device join, by a code that is shown here and typed there. */
import type { Command } from 'commander'
import { needTerminal, TerminalAnswers } from './ask.ts'
import type { Client } from './client.ts'
import { InvitationLines } from './invitation-lines.ts'
import { jsonLine } from './print.ts'
import { circleOf, orInterrupted, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { makeTicket } from './ticket.ts'
import { parseSpan } from './words.ts'

interface InviteOptions {
  ticket?: boolean
  level?: string
  expires?: string
  valid?: string
  yes?: boolean
  circle?: string
  json?: boolean
}
type Details = { readonly [name: string]: unknown }

export function addInviteCommand(program: Command): void {
  withJson(withCircle(program.command('invite')))
    .description('let one other device join: shows a code, and waits until the device has joined')
    .option('--level <n>', 'level the device gets: 2-9 admin, 10 member, 11 relay (default: 10)')
    .option('--expires <duration>', 'it joins as a guest, for so long: 12h, 2d (default: it may stay)')
    .option('--yes', 'let in whoever has the code, and do not ask')
    .option('--ticket', 'print a ticket instead: one line, for a device that joins later or from elsewhere')
    .option('--valid <duration>', 'how long the ticket is good, such as 30m, 12h, 2d (default: 24h)')
    .action(invite)
}

async function invite(options: InviteOptions): Promise<void> {
  const params = { ...circleOf(options), Level: levelOf(options), GuestForUSec: spanOf(options, 'expires') }
  if (options.ticket) return makeTicket({ ...params, ExpiresInUSec: spanOf(options, 'valid') }, options)
  if (options.valid !== undefined)
    throw new UsageError('--valid goes with --ticket; a code is good for 10 minutes')
  if (!options.yes) needTerminal('invite')
  const answers = options.yes ? undefined : new TerminalAnswers()
  try {
    await withDaemon(client => byCode(client, params, answers, options))
  } finally {
    answers?.close()
  }
}

async function byCode(
  client: Client,
  params: { Circle?: string; Level: number; GuestForUSec: number },
  answers: TerminalAnswers | undefined,
  options: InviteOptions
): Promise<void> {
  const lines = new InvitationLines({ quiet: options.json === true, guestForUSec: params.GuestForUSec })
  const question = answers && new Question(answers, lines)
  const tell = (sentence: string, details: Details) => {
    if (options.json && Object.keys(details).length > 0) jsonLine(details)
    if (details['Answer'] !== undefined) question?.withdraw()
    lines.tell(sentence, details)
    if (details['Answer'] === undefined) question?.follow(details)
  }
  const asked = { Confirmed: answers === undefined, Ask: answers !== undefined }
  try {
    const joined = await orInterrupted(
      client,
      client.call('Invite', { ...params, ...asked }, tell),
      'cancelled; the code is good no more, and nobody has joined'
    )
    lines.clear()
    if (options.json) jsonLine(joined)
    else lines.joined(joined)
  } finally {
    question?.withdraw()
    lines.clear()
  }
}

/** What this terminal is asked, for as long as nobody else has answered. */
class Question {
  readonly #answers: TerminalAnswers
  readonly #lines: InvitationLines
  #open: AbortController | undefined

  constructor(answers: TerminalAnswers, lines: InvitationLines) {
    this.#answers = answers
    this.#lines = lines
  }

  /** Asks, when these details are a question. */
  follow({ Request, Id, Name, Level }: Details): void {
    if (typeof Request !== 'string') return
    this.withdraw()
    void this.#ask(
      Request,
      this.#lines.question({ Id: String(Id), Name: String(Name), Level: Number(Level) })
    )
  }

  /** It was answered by somebody else, or is of no use any more. */
  withdraw(): void {
    if (this.#open === undefined) return
    this.#open.abort()
    this.#open = undefined
    this.#lines.leaveQuestion()
  }

  async #ask(Request: string, text: string): Promise<void> {
    const open = new AbortController()
    this.#open = open
    for (;;) {
      const line = await this.#answers.ask(text, open.signal)
      if (open.signal.aborted) return
      // Ctrl-D, or the terminal is gone: that is no yes
      const answer = line === undefined ? 'n' : line.trim().toLowerCase()
      if (!['', 'y', 'yes', 'n', 'no'].includes(answer)) continue
      this.#open = undefined
      const Accept = !answer.startsWith('n')
      // when somebody else was faster, the invitation itself tells what became of it
      await withDaemon(async other => void (await other.call('Confirm', { Request, Accept }))).catch(() => {})
      return
    }
  }
}

function levelOf({ level }: InviteOptions): number {
  const number = level === undefined ? 0 : Number(level)
  if (Number.isInteger(number) && number >= 0 && level?.trim() !== '') return number
  throw new UsageError(`--level takes a number, such as 10 (member), not ${JSON.stringify(level)}`)
}

function spanOf(options: InviteOptions, name: 'expires' | 'valid'): number {
  const text = options[name]
  const usec = text === undefined ? 0 : parseSpan(text)
  if (usec !== undefined) return usec
  throw new UsageError(`--${name} takes a duration such as 30m, 12h or 2d, not ${JSON.stringify(text)}`)
}
