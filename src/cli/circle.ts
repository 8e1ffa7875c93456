/** Commands with which a circle begins and grows: init, invite, join. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { ApiError } from '../api/api.ts'
import { readTicket } from './ask.ts'
import { err, json, lookOf, out, printable, progressLine } from './print.ts'
import { qrLines } from './qr.ts'
import { circleOf, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { parseSpan, span } from './words.ts'

/** A code of the kind `K7QF-2M9X` (Crockford base32). */
const CODE = /^[0-9a-hjkmnp-tv-z]{4}-?[0-9a-hjkmnp-tv-z]{4}$/i

const KEY_STORE =
  'where the key of this device is kept, with its first circle: file, secret-service, credential'

export function addCircleCommands(program: Command): void {
  withJson(program.command('init'))
    .description('make a circle with this device as its first one')
    .option('--name <circle>', 'name of the circle (default: home)')
    .option('--device <name>', 'name of this device (default: the host name)')
    .option('--key-store <place>', KEY_STORE)
    .action(init)
  withJson(withCircle(program.command('invite')))
    .description('let one other device join')
    .option('--ticket', 'print a ticket: one line, good for one device')
    .option('--level <n>', 'level the device gets: 2-9 admin, 10 member, 11 relay (default: 10)')
    .option('--expires <duration>', 'how long the ticket is good, such as 30m, 12h, 2d (default: 24h)')
    .action(invite)
  withJson(program.command('join'))
    .description('join a circle with a ticket, read from stdin (-) or a file')
    .argument('<from>', '- for stdin, or a file')
    .option('--device <name>', 'name of this device (default: the host name)')
    .option('--key-store <place>', KEY_STORE)
    .option('--yes', 'ask nothing (join never does; for scripts that say it everywhere)')
    .action(join)
}

const init = (options: { name?: string; device?: string; keyStore?: string; json?: boolean }) =>
  withDaemon(async client => {
    const made = await client.call('Init', {
      ...(options.name !== undefined && { Name: options.name }),
      ...(options.device !== undefined && { Device: options.device }),
      ...(options.keyStore !== undefined && { KeyStore: options.keyStore })
    })
    tellMade(made, options)
  })

/** What a new circle is, and its recovery code. */
export function tellMade(made: Result<'Init'>, options: { json?: boolean }): void {
  if (options.json) json(made)
  else for (const line of initLines(made)) out(line)
}

function initLines(made: Result<'Init'>): string[] {
  const look = lookOf(process.stdout)
  const bar = look.terminal ? `${look.yellow(look.mark('┃', '|'))} ` : ''
  return [
    `The circle ${look.bold(printable(made.Name))} is ready. Its first device is this one, ${look.bold(printable(made.Device))}.`,
    '',
    look.bold('Recovery code'),
    '',
    `  ${bar}${look.bold(made.RecoveryCode)}`,
    '',
    'Write it down on paper, now, and keep the paper away from this computer.',
    'It is shown this once and stored nowhere. If this device is ever lost or stolen, the code',
    'is the only thing that can remove it; whoever has the code has that power too.',
    `${look.bold('coterie recovery verify')} says whether you wrote it down rightly.`,
    '',
    `Next: ${look.bold('coterie invite --ticket')} lets another device join.`
  ]
}

interface InviteOptions {
  ticket?: boolean
  level?: string
  expires?: string
  circle?: string
  json?: boolean
}

async function invite(options: InviteOptions): Promise<void> {
  if (!options.ticket) {
    throw new UsageError('say --ticket: inviting by a short code is not available yet')
  }
  const level = options.level === undefined ? 0 : Number(options.level)
  if (!Number.isInteger(level) || level < 0 || options.level?.trim() === '') {
    throw new UsageError(`--level takes a number, such as 10 (member), not ${JSON.stringify(options.level)}`)
  }
  const expires = options.expires === undefined ? 0 : parseSpan(options.expires)
  if (expires === undefined) {
    throw new UsageError(
      `--expires takes a duration such as 30m, 12h or 2d, not ${JSON.stringify(options.expires)}`
    )
  }
  await withDaemon(async client => {
    const made = await client.call('MakeTicket', {
      ...circleOf(options),
      Level: level,
      ExpiresInUSec: expires
    })
    if (options.json) return void json(made)
    out(made.Ticket)
    const look = lookOf(process.stderr)
    if (!look.terminal) return
    const left = Math.round((made.ExpiresUSec / 1000 - Date.now()) / 60_000) * 60_000_000
    const qr = await qrLines(made.Ticket, look.columns)
    err(['', ...qr, `Good for one device, for ${span(left)}. Treat it like a password.`].join('\n'))
    err(`On the other device: ${look.bold('coterie join -')}, then paste the line.`)
  })
}

async function join(
  from: string,
  options: { device?: string; keyStore?: string; json?: boolean }
): Promise<void> {
  const notYet = 'joining by a code is not available yet; run `coterie invite --ticket` on the other device'
  if (CODE.test(from)) throw new UsageError(`${notYet} and give its line to \`coterie join -\``)
  const ticket = await readTicket(from)
  if (CODE.test(ticket)) throw new UsageError(`${notYet} and give its line to this command`)
  if (!ticket.startsWith('coterie1:')) {
    throw new ApiError(
      'InvalidTicket',
      `${from === '-' ? 'stdin' : from} has no ticket: that is one line which begins with coterie1:`
    )
  }
  await withDaemon(async client => {
    const waiting = progressLine()
    const joined = await client
      .call(
        'Join',
        {
          Ticket: ticket,
          ...(options.device !== undefined && { Device: options.device }),
          ...(options.keyStore !== undefined && { KeyStore: options.keyStore })
        },
        waiting.show
      )
      .finally(waiting.clear)
    if (options.json) return void json(joined)
    const look = lookOf(process.stdout)
    out(
      `This device is now ${look.bold(printable(joined.Device))} in the circle ${look.bold(printable(joined.Name))}.`
    )
    out(`Next: ${look.bold('coterie status')} shows the others.`)
  })
}
