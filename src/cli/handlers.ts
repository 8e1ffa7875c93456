/** `coterie handlers`: which programs run for messages and events here. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { json, type Look, lookOf, out, printable, table } from './print.ts'
import { circleOf, Failure, withCircle, withDaemon, withJson } from './run.ts'

type Handlers = Result<'Handlers'>
interface Options {
  circle?: string
  json?: boolean
}

export function addHandlersCommand(program: Command): void {
  const handlers = withJson(program.command('handlers'))
    .description('the programs that run for messages here')
    .action(list)
  withJson(handlers.command('check'))
    .description('the same, and exit 1 when one of the files does not run')
    .action((_options: Options, command: Command) => check(command.optsWithGlobals()))
  withJson(withCircle(handlers.command('try')))
    .description('what would run for a message, and why not; nothing is run')
    .argument('<peer>', 'the sender: id, short id or name')
    .argument('<tag>', 'the tag')
    .action((peer: string, tag: string, _options: Options, command: Command) =>
      attempt(peer, tag, command.optsWithGlobals())
    )
}

const list = (options: Options) => show(options).then(() => {})

async function check(options: Options): Promise<void> {
  const { Handlers } = await show(options)
  const wrong = Handlers.filter(({ Problem }) => Problem !== '').length
  if (wrong > 0) throw new Failure(`${wrong} of ${Handlers.length} files do not run`)
}

async function show(options: Options): Promise<Handlers> {
  let found!: Handlers
  await withDaemon(async client => {
    found = await client.call('Handlers', {})
    if (options.json) json(found)
    else for (const line of handlerLines(found, lookOf(process.stdout))) out(line)
  })
  return found
}

export function handlerLines({ Folders, Handlers, Programs }: Handlers, look: Look): string[] {
  if (Handlers.length + Programs.length === 0)
    return [
      `There are no handlers. An executable ${Folders[0]}/message/backup/start`,
      'would run when another device says: coterie send THIS backup/start'
    ]
  const rows = Handlers.map(({ Path, Family, Tag, Peers, Events, Problem }) => {
    const what = Family === 'message' ? Tag : [Family, ...Events].join(' ')
    return [
      Problem === '' ? look.green(what || '-') : look.yellow(what || '-'),
      printable(Peers.join(' ')) || (Family === '' ? '' : 'any'),
      printable(Path),
      Problem === '' ? '' : look.yellow(printable(Problem))
    ]
  })
  const programs = Programs.map(({ Name, Tags, Busy }) => [
    look.green(Tags.join(' ')),
    'any',
    `program ${printable(Name)}`,
    Busy ? 'busy' : ''
  ])
  return table(look, ['FOR', 'PEER', 'FILE', ''], [...programs, ...rows])
}

const attempt = (peer: string, tag: string, options: Options) =>
  withDaemon(async client => {
    const found = await client.call('TryHandler', { ...circleOf(options), Peer: peer, Tag: tag })
    if (options.json) json(found)
    else if (found.Handler !== '') {
      out(`${printable(found.Handler)} would run.`)
      for (const other of found.Others) out(`  not ${printable(other)}: the other goes first`)
    }
    if (found.Handler === '') throw new Failure(`nothing would run: ${found.Problem}`)
  })
