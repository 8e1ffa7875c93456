/** `coterie join`: with a code or a ticket, this device becomes a member of a circle. */
import type { Command } from 'commander'
import { ApiError, type Params } from '../api/api.ts'
import { readInvitation } from './ask.ts'
import { json, lookOf, out, printable, progressLine } from './print.ts'
import { orInterrupted, UsageError, withDaemon, withJson, withKeyStore } from './run.ts'

interface JoinOptions {
  at?: string[]
  device?: string
  keyStore?: string
  json?: boolean
}

export function addJoinCommand(program: Command): void {
  withJson(withKeyStore(program.command('join')))
    .description(
      'join a circle, with the code or the ticket that `coterie invite` gives on one of its devices'
    )
    .argument('<from...>', 'the code; - for a code or ticket on stdin; or a file with a ticket')
    .option('--at <address>', 'with a code: where the inviting device is; may be given again', addTo)
    .option('--device <name>', 'name of this device (default: the host name)')
    .option('--yes', 'ask nothing (join never does; for scripts that say it everywhere)')
    .action(join)
}

const addTo = (address: string, others: string[] = []): string[] => [...others, address]

async function join(words: string[], options: JoinOptions): Promise<void> {
  const way = await wayOf(words)
  const at = options.at ?? []
  if (at.length > 0 && 'Ticket' in way)
    throw new UsageError('--at goes with a code; a ticket says itself where the inviting device is')
  const params = {
    ...way,
    ...(at.length > 0 && { At: at }),
    ...(options.device !== undefined && { Device: options.device }),
    ...(options.keyStore !== undefined && { KeyStore: options.keyStore })
  }
  await withDaemon(async client => {
    const waiting = progressLine()
    const joined = await orInterrupted(
      client,
      client.call('Join', params, waiting.show),
      'cancelled; this device has not joined'
    ).finally(waiting.clear)
    if (options.json) return void json(joined)
    const look = lookOf(process.stdout)
    out(
      `This device is now ${look.bold(printable(joined.Device))} in the circle ${look.bold(printable(joined.Name))}.`
    )
    out(`Next: ${look.bold('coterie status')} shows the others.`)
  })
}

/** A code may come in two words, as it is read out. */
async function wayOf(
  words: readonly string[]
): Promise<Pick<Params<'Join'>, 'Code'> | Pick<Params<'Join'>, 'Ticket'>> {
  const [first = '', ...others] = words
  const typed = words.join('')
  if (isCode(typed)) return { Code: typed }
  if (others.length > 0)
    throw new UsageError(`${JSON.stringify(words.join(' '))} is no code; a code is like K7QF-2M9X`)
  const text = await readInvitation(first, looksTyped(first))
  if (text.startsWith('coterie1:')) return { Ticket: text }
  if (isCode(text)) return { Code: text }
  throw new ApiError(
    'InvalidTicket',
    `${first === '-' ? 'stdin' : first} has no code and no ticket: a code is like K7QF-2M9X, a ticket is one line which begins with coterie1:`
  )
}

/** Eight letters and digits, whatever the dashes, spaces and case; the daemon knows which are in use. */
const isCode = (text: string): boolean => /^[0-9a-z]{8}$/i.test(text.replace(/[-\s]/g, ''))

/** Rather a code with a character too many or too few than the name of a file. */
const looksTyped = (word: string): boolean => /^[0-9a-z-]{5,12}$/i.test(word)
