/** `coterie send` and what `coterie ask` shares with it: messages to other devices, and what became of them. */
import type { Command } from 'commander'
import type { Params, Result } from '../api/api.ts'
import { ask } from './asking.ts'
import { bodyOf } from './body.ts'
import type { Client } from './client.ts'
import { err, json, lookOf, out, printable } from './print.ts'
import { circleOf, orInterrupted, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { deadReason, parseSpan } from './words.ts'

export type Message = Result<'WaitMessage'>['Message']
export interface Options {
  circle?: string
  json?: boolean
  all?: boolean
}
interface SendOptions extends Options {
  wait?: true | string
  expires?: string
}

const STATES = ['held', 'received', 'started', 'done']
/** Reasons of dead letters whose handler had been started. */
const BEGAN = ['failed', 'killed', 'timeout', 'output', 'unknown', 'gave-up']
const ASK_TIMEOUT = '60s'

export function addSendCommands(program: Command): void {
  withReceivers(program.command('send'))
    .description('run the handler of a tag on another device; it waits here while that one is away')
    .option('--wait [state]', 'wait until it is held, received, started or done (default: done)')
    .option('--expires <duration>', 'give it up if it is not delivered by then: 1h, 2d (default: 7d)')
    .addHelpText(
      'after',
      `
Exit codes: 0 it is on disk here (with --wait: it came so far), 1 it was not accepted, or came to nothing.

  coterie send laptop backup/start
  echo hello | coterie send laptop,phone notify - --wait`
    )
    .action((first, second, third, options) => send([first, second, third], options))
  withReceivers(program.command('ask'))
    .description('run the handler of a tag on another device, and print what it writes')
    .option('--timeout <duration>', 'how long to wait for the answer', ASK_TIMEOUT)
    .addHelpText(
      'after',
      `
Exit codes: 0 answered, 1 not (in time), or the handler failed, 4 the one device could not be reached.
Of the answer 64 KiB come back, as they are.

  coterie ask laptop backup/start
  coterie ask laptop,phone uptime --timeout 5s`
    )
    .action((first, second, third, options) => ask([first, second, third], options))
}

const withReceivers = (command: Command): Command =>
  withJson(withCircle(command))
    .usage('[options] <peer> <tag> [body]')
    .argument('[peer]', 'id, short id or name; several with commas between')
    .argument('[tag]', 'what it is about, such as backup/start')
    .argument('[body]', 'at most 1 MiB; - reads it from stdin')
    .option('--all', 'to all other members: then no peer is named')

/** Whom, what about, and with what body. Throws UsageError. */
export function wishOf(
  command: string,
  words: readonly (string | undefined)[],
  options: Options
): Partial<Params<'Send'>> {
  const [peers, tag, body, more] = options.all ? ['', ...words] : words
  const usage = `coterie ${command} ${options.all ? '--all' : 'PEER'} TAG [BODY]`
  if (more !== undefined) throw new UsageError(`with --all no peer is named: ${usage}`)
  if (peers === undefined) throw new UsageError(`peer and tag are missing: ${usage}`)
  if (tag === undefined) throw new UsageError(`the tag is missing: ${usage}, such as backup/start`)
  return {
    ...circleOf(options),
    ...(options.all ? { All: true } : { Peers: peers.split(',').filter(Boolean) }),
    Tag: tag,
    ...bodyOf(body)
  }
}

function send(words: readonly (string | undefined)[], options: SendOptions) {
  const wait = options.wait === true ? 'done' : options.wait
  if (wait !== undefined && !STATES.includes(wait)) {
    const text = JSON.stringify(wait)
    throw new UsageError(
      `--wait takes received, started or done, not ${text}; put it last, or say --wait=done`
    )
  }
  const expires = options.expires === undefined ? {} : { ExpiresInUSec: duration('expires', options.expires) }
  const call = { ...wishOf('send', words, options), ...expires } as Params<'Send'>
  return withDaemon(async client => {
    const { Messages } = await client.call('Send', call)
    if (wait === undefined) {
      if (options.json) json({ Messages })
      else for (const message of Messages) out(`${message.Id}  queued for ${printable(message.Name)}`)
      return
    }
    const look = lookOf(process.stderr)
    if (look.terminal)
      for (const { Name, Id } of Messages)
        err(look.dim(`waiting for ${printable(Name)} (${Id}); Ctrl-C stops only the waiting`))
    const settled: Message[] = []
    for (const { Id } of Messages) {
      const message = await waitFor(client, options, Id, wait)
      settled.push(message)
      if (!options.json) out(`${Id}  ${sentence(message)}`)
    }
    if (options.json) json({ Messages: settled })
    if (!settled.every(message => cameSoFar(message, wait))) process.exitCode = 1
  })
}

/** What began and ended badly has come so far as it was to. */
const cameSoFar = ({ State, Reason }: Message, wait: string): boolean =>
  State !== 'dead' || (wait !== 'done' && BEGAN.includes(Reason))

export async function waitFor(
  client: Client,
  options: Options,
  id: string,
  state: string,
  timeout = 0
): Promise<Message> {
  const call = { ...circleOf(options), Id: id, State: state, TimeoutUSec: timeout } as Params<'WaitMessage'>
  const wait = client.call('WaitMessage', call)
  const { Message } = await orInterrupted(client, wait, 'not waited for any longer; the message goes on')
  return Message
}

/** One message in words: `done on laptop`. */
export function sentence({ State, Reason, Name, Exit, Tag, HeldBy }: Message): string {
  const name = printable(Name)
  if (State === 'dead') return `not done on ${name}: ${deadReason(Reason, Tag, Exit)}`
  if (State === 'later') return `${name} tries it again later`
  if (State === 'held')
    return `held for ${name} by ${HeldBy.map(({ Name }) => printable(Name)).join(' and ')}`
  return State === 'queued' ? `queued for ${name}` : `${State} on ${name}`
}

export function duration(name: string, text: string): number {
  const usec = parseSpan(text)
  if (usec !== undefined) return usec
  throw new UsageError(`--${name} takes a duration such as 30s, 12h or 2d, not ${JSON.stringify(text)}`)
}
