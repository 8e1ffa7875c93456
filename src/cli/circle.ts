/** Commands about who belongs to the circle: init, invite, join, devices, remove, leave. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { ApiError } from '../api/api.ts'
import { confirm, needTerminal, readTicket } from './ask.ts'
import { err, json, lookOf, out, printable, progressLine, table } from './print.ts'
import { qrLines } from './qr.ts'
import { circleOf, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { count, level, parseSpan, shortId, span } from './words.ts'

/** A code of the kind `K7QF-2M9X` (Crockford base32). */
const CODE = /^[0-9a-hjkmnp-tv-z]{4}-?[0-9a-hjkmnp-tv-z]{4}$/i

export function addCircleCommands(program: Command): void {
  withJson(program.command('init'))
    .description('make a circle with this device as its first one')
    .option('--name <circle>', 'name of the circle (default: home)')
    .option('--device <name>', 'name of this device (default: the host name)')
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
    .option('--yes', 'ask nothing (join never does; for scripts that say it everywhere)')
    .action(join)
  withJson(withCircle(program.command('devices')))
    .description('all devices of the circle, by its signed log')
    .action(devices)
  withJson(withCircle(program.command('remove')))
    .description('remove a device from the circle, for ever')
    .argument('<device>', 'id, short id or name')
    .option('--yes', 'do not ask')
    .action(remove)
  withJson(withCircle(program.command('leave')))
    .description('leave the circle and forget its keys')
    .option('--yes', 'do not ask')
    .action(leave)
}

const init = (options: { name?: string; device?: string; json?: boolean }) =>
  withDaemon(async client => {
    const made = await client.call('Init', {
      ...(options.name !== undefined && { Name: options.name }),
      ...(options.device !== undefined && { Device: options.device })
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
    const made = await client.call('Invite', { ...circleOf(options), Level: level, ExpiresInUSec: expires })
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

async function join(from: string, options: { device?: string; json?: boolean }): Promise<void> {
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
        { Ticket: ticket, ...(options.device !== undefined && { Device: options.device }) },
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

const devices = (options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const result = await client.call('Devices', circleOf(options))
    if (options.json) return void json(result)
    const look = lookOf(process.stdout)
    const names = new Map(result.Devices.map(d => [d.Id, d.Name]))
    const rows = result.Devices.map(d => [
      look.bold(printable(d.Name)),
      level(d.Level),
      shortId(d.Id),
      look.dim(d.AddedBy ? `added by ${printable(names.get(d.AddedBy) ?? shortId(d.AddedBy))}` : ''),
      d.Self ? 'this device' : ''
    ])
    for (const line of table(look, ['NAME', 'LEVEL', 'ID', '', ''], rows)) out(line)
  })

async function remove(device: string, options: { circle?: string; json?: boolean; yes?: boolean }) {
  if (!options.yes) needTerminal('remove')
  await withDaemon(async client => {
    if (!options.yes) {
      const { Devices } = await client.call('Devices', circleOf(options))
      const meant = Devices.filter(d => d.Id === device || shortId(d.Id) === device || d.Name === device)
      const named =
        meant.length === 1 ? `${printable(meant[0]!.Name)} (${shortId(meant[0]!.Id)})` : printable(device)
      await confirm(`Remove ${named} for ever? It can come back only by joining anew.`, 'nothing was removed')
    }
    const removed = await client.call('Remove', { ...circleOf(options), Device: device })
    if (options.json) json(removed)
    else out(`${printable(device)} (${shortId(removed.Id)}) is removed.`)
  })
}

async function leave(options: { circle?: string; json?: boolean; yes?: boolean }) {
  if (!options.yes) {
    needTerminal('leave')
    await confirm(
      `Leave ${printable(options.circle ?? 'the circle')} and forget its keys? Coming back takes a new invitation.`,
      'nothing was changed'
    )
  }
  await withDaemon(async client => {
    const waiting = progressLine()
    const left = await client.call('Leave', circleOf(options), waiting.show).finally(waiting.clear)
    if (options.json) return void json(left)
    const others = `${count(left.Told, 'other device')} ${left.Told === 1 ? 'knows' : 'know'}`
    out(`This device has left; ${left.Told === 0 ? 'no other device knows it yet' : others}.`)
  })
}
