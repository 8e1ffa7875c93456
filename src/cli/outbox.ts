/** `coterie outbox`: what waits to be sent, and what came to nothing. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { json, type Look, lookOf, out, printable, table } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'
import { sentence } from './send.ts'
import { ago, bytes, deadReason } from './words.ts'

type Messages = Result<'Outbox'>['Messages']
interface Options {
  circle?: string
  json?: boolean
  all?: boolean
}

export function addOutboxCommand(program: Command): void {
  const outbox = withJson(withCircle(program.command('outbox')))
    .description('messages that wait here, and those that came to nothing')
    .option('--all', 'also the latest that are done')
    .action(list)
  withJson(withCircle(outbox.command('cancel')))
    .description('take a message back, or drop a dead one')
    .argument('<id>', 'id of the message')
    .action((id: string, _options: Options, command: Command) => cancel(id, command.optsWithGlobals()))
  withJson(withCircle(outbox.command('retry')))
    .description('send a dead message anew')
    .argument('<id>', 'id of the message')
    .action((id: string, _options: Options, command: Command) => retry(id, command.optsWithGlobals()))
  withJson(withCircle(outbox.command('clear')))
    .description('drop all dead messages')
    .action((_options: Options, command: Command) => clear(command.optsWithGlobals()))
}

const clear = (options: Options) =>
  withDaemon(async client => {
    const { Dropped } = await client.call('ClearOutbox', circleOf(options))
    if (options.json) return void json({ Dropped })
    out(Dropped === 1 ? 'One dead message was dropped.' : `${Dropped || 'No'} dead messages were dropped.`)
  })

const list = (options: Options) =>
  withDaemon(async client => {
    const found = await client.call('Outbox', { ...circleOf(options), All: options.all ?? false })
    if (options.json) return void json(found)
    const look = lookOf(process.stdout)
    const none = options.all ? 'Nothing was sent yet.' : 'Nothing waits to be sent; --all shows what is done.'
    if (found.Messages.length === 0) out(none)
    else for (const line of outboxLines(found.Messages, look, Date.now() * 1000)) out(line)
    if (found.KeptCopies > 0)
      out(
        look.dim(`For others this device keeps ${found.KeptCopies} sealed, ${bytes(found.KeptBytes)} in all.`)
      )
  })

export function outboxLines(messages: Messages, look: Look, nowUSec: number): string[] {
  const rows = messages.map(message => {
    const { Id, Name, Tag, State, Reason, Exit, SentUSec, HeldBy } = message
    const state = State === 'dead' ? look.red('dead') : State === 'done' ? look.green('done') : State
    const by = State === 'held' ? `by ${HeldBy.map(holder => printable(holder.Name)).join(' and ')}` : ''
    const why = State === 'dead' ? deadReason(Reason, Tag, Exit) : by
    return [Id, printable(Name), Tag, state, ago(SentUSec, nowUSec), why]
  })
  return table(look, ['ID', 'TO', 'TAG', 'STATE', 'SENT', ''], rows)
}

const cancel = (id: string, options: Options) =>
  withDaemon(async client => {
    const { Message } = await client.call('CancelMessage', { ...circleOf(options), Id: id })
    if (options.json) return void json({ Message })
    const asked = Message.State !== 'dead'
    out(asked ? `${printable(Message.Name)} is asked not to begin with it.` : 'It will not be sent.')
  })

const retry = (id: string, options: Options) =>
  withDaemon(async client => {
    const { Message } = await client.call('RetryMessage', { ...circleOf(options), Id: id, ExpiresInUSec: 0 })
    if (options.json) return void json({ Message })
    out(`${Message.Id}  ${sentence(Message)}`)
  })
