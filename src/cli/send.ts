/** `coterie send` and `coterie ask`: messages to other devices, and what became of them. */
import type { Command } from 'commander'
import type { Params, Result } from '../api/api.ts'
import { bodyOf } from './body.ts'
import type { Client } from './client.ts'
import { err, json, jsonLine, lookOf, out, printable } from './print.ts'
import { circleOf, Failure, orInterrupted, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { deadReason, parseSpan } from './words.ts'

type Message = Result<'WaitMessage'>['Message']
interface Options {
  circle?: string
  json?: boolean
  all?: boolean
  wait?: true | string
  expires?: string
  timeout?: string
}

const STATES = ['received', 'started', 'done']
const ASK_TIMEOUT = '60s'

export function addSendCommands(program: Command): void {
  withJson(withCircle(program.command('send')))
    .description('run the handler of a tag on another device; it waits here while that one is away')
    .argument('<peer>', 'id, short id or name; several with commas between; with --all the tag')
    .argument('[tag]', 'what it is about, such as backup/start')
    .argument('[body]', 'the body; - reads it from stdin')
    .option('--all', 'to all other members; then no peer is named')
    .option('--wait [state]', 'wait until it is received, started or done (default: done)')
    .option('--expires <duration>', 'give it up if it is not delivered by then: 1h, 2d (default: 7d)')
    .action(send)
  withJson(withCircle(program.command('ask')))
    .description('the same, and print what the handler answers')
    .argument('<peer>', 'id, short id or name')
    .argument('<tag>', 'what it is about')
    .argument('[body]', 'the body; - reads it from stdin')
    .option('--timeout <duration>', `how long to wait (default: ${ASK_TIMEOUT})`)
    .action(ask)
}

function send(first: string, second: string | undefined, third: string | undefined, options: Options) {
  const [peers, tag, body] = options.all ? ['', first, second] : [first, second, third]
  if (options.all && third !== undefined)
    throw new UsageError('with --all no peer is named: coterie send --all TAG [BODY]')
  if (tag === undefined)
    throw new UsageError('the tag is missing: coterie send PEER TAG [BODY], such as backup/start')
  const wait = options.wait === true ? 'done' : options.wait
  if (wait !== undefined && !STATES.includes(wait)) throw new UsageError(`--wait takes ${STATES.join(', ')}`)
  const call: Params<'Send'> | object = {
    ...circleOf(options),
    ...(options.all ? { All: true } : { Peers: peers.split(',').filter(Boolean) }),
    Tag: tag,
    ...bodyOf(body),
    ...(options.expires === undefined ? {} : { ExpiresInUSec: duration('expires', options.expires) })
  }
  return withDaemon(async client => {
    const { Messages } = await client.call('Send', call as Params<'Send'>)
    if (wait === undefined) {
      if (options.json) json({ Messages })
      else for (const message of Messages) out(`${message.Id}  queued for ${printable(message.Name)}`)
      return
    }
    const look = lookOf(process.stderr)
    if (look.terminal)
      for (const { Name, Id } of Messages)
        err(look.dim(`waiting for ${printable(Name)} (${Id}); Ctrl-C stops only the waiting`))
    const settled = await Promise.all(Messages.map(({ Id }) => waitFor(client, options, Id, wait)))
    if (options.json) json({ Messages: settled })
    else for (const message of settled) out(`${message.Id}  ${sentence(message)}`)
    if (settled.some(({ State }) => State === 'dead')) process.exitCode = 1
  })
}

function ask(peer: string, tag: string, body: string | undefined, options: Options) {
  const timeout = duration('timeout', options.timeout ?? ASK_TIMEOUT)
  return withDaemon(async client => {
    const { Messages } = await client.call('Send', {
      ...circleOf(options),
      Peers: [peer],
      Tag: tag,
      ...bodyOf(body),
      Ask: true,
      ExpiresInUSec: timeout
    } as Params<'Send'>)
    const message = await waitFor(client, options, Messages[0]!.Id, 'done', timeout)
    if (options.json) {
      jsonLine({ Message: message })
      if (message.State === 'dead') process.exitCode = 1
      return
    }
    process.stdout.write(
      message.OutputBase64 === '' ? message.Output : Buffer.from(message.OutputBase64, 'base64')
    )
    if (message.State === 'dead') throw new Failure(sentence(message))
  })
}

async function waitFor(
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
export function sentence({ State, Reason, Name, Exit, Tag }: Message): string {
  const name = printable(Name)
  if (State === 'dead') return `not done on ${name}: ${deadReason(Reason, Tag, Exit)}`
  if (State === 'later') return `${name} tries it again later`
  return State === 'queued' ? `queued for ${name}` : `${State} on ${name}`
}

function duration(name: string, text: string): number {
  const usec = parseSpan(text)
  if (usec !== undefined) return usec
  throw new UsageError(`--${name} takes a duration such as 30s, 12h or 2d, not ${JSON.stringify(text)}`)
}
