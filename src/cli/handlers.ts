/** `coterie handlers`: which programs run for messages and events here. */
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Params, Result } from '../api/api.ts'
import { bodyOf } from './body.ts'
import { aligned, err, json, type Look, lookOf, out, printable, wrapped } from './print.ts'
import { circleOf, Failure, orInterrupted, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { deadReason } from './words.ts'

type Handlers = Result<'Handlers'>
type File = Handlers['Handlers'][number]
interface Options {
  circle?: string
  json?: boolean
  dry?: boolean
}

export function addHandlersCommand(program: Command): void {
  const handlers = withJson(program.command('handlers')).description(
    'the programs that run for messages here'
  )
  withJson(handlers.command('list', { isDefault: true }))
    .description('all of them, what each is for, and who may send what')
    .allowExcessArguments()
    .action((_options: Options, command: Command) => {
      const [word] = command.args
      if (word === undefined) return list(command.optsWithGlobals())
      throw new UsageError(`coterie handlers knows list, check and run, not ${JSON.stringify(word)}`)
    })
  withJson(handlers.command('check'))
    .description('what is wrong with the files and rules; exit 1 when something is')
    .action((_options: Options, command: Command) => check(command.optsWithGlobals()))
  withJson(withCircle(handlers.command('run')))
    .description('run the handler of a tag here, as if the message had come')
    .argument('<peer>', 'who is said to have sent it: id, short id or name')
    .argument('<tag>', 'the tag')
    .argument('[body]', 'the body; - reads it from stdin')
    .option('--dry', 'run nothing: say what would run, and why, or why not')
    .action((peer: string, tag: string, body: string | undefined, _options: Options, command: Command) => {
      const options: Options = command.optsWithGlobals()
      if (!options.dry) return runHere(peer, tag, body, options)
      if (body !== undefined) throw new UsageError('with --dry nothing runs, and no body is needed')
      return dryRun(peer, tag, options)
    })
}

const list = (options: Options) =>
  withDaemon(async client => {
    const found = await client.call('Handlers', {})
    if (options.json) return void json(found)
    const look = lookOf(process.stdout)
    for (const line of [...handlerLines(found, look), ...readyMadeLines(found, look)]) out(line)
  })

const check = (options: Options) =>
  withDaemon(async client => {
    const found = await client.call('Handlers', {})
    const wrong: Handlers = {
      ...found,
      Handlers: found.Handlers.filter(({ Problem }) => Problem !== ''),
      Rules: found.Rules.filter(({ Problem }) => Problem !== ''),
      Programs: []
    }
    if (options.json) json(wrong)
    else if (wrong.Handlers.length + wrong.Rules.length > 0)
      for (const line of handlerLines(wrong, lookOf(process.stdout))) out(line)
    const sentence = checkSentence(found, wrong)
    if (wrong.Handlers.length + wrong.Rules.length > 0) throw new Failure(sentence)
    if (!options.json) out(sentence)
  })

function checkSentence(found: Handlers, wrong: Handlers): string {
  const [files, rules] = [found.Handlers.length, found.Rules.length]
  if (wrong.Handlers.length > 0) return `${wrong.Handlers.length} of ${count(files, 'file')} cannot run`
  if (wrong.Rules.length > 0) return `${wrong.Rules.length} of ${count(rules, 'rule')} is for nobody`
  if (files === 0) return 'There are no handlers.'
  return `${files === 1 ? 'The one handler' : `All ${files} handlers`} can run.`
}
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

/** Files by folder, what is wrong with one below it; then the rules. */
export function handlerLines({ Folders, Handlers, Rules, Programs }: Handlers, look: Look): string[] {
  const lines: string[] = []
  if (Handlers.length + Programs.length === 0 && Rules.every(({ Problem }) => Problem === ''))
    lines.push(
      `There are no handlers. An executable ${printable(Folders[0] ?? '')}/message/backup/start`,
      'would run when another device says: coterie send THIS backup/start'
    )
  for (const folder of Folders) {
    const files = Handlers.filter(({ Path }) => Path === folder || Path.startsWith(slashed(folder)))
    files.sort((a, b) => placeOf(a) - placeOf(b) || (a.Tag < b.Tag ? -1 : a.Tag > b.Tag ? 1 : 0))
    if (files.length === 0) continue
    if (lines.length > 0) lines.push('')
    lines.push(look.bold(printable(folder)))
    const rows = aligned(
      files.map(file => rowOf(file, folder, look)),
      '  '
    )
    for (const [i, { Problem }] of files.entries())
      lines.push(rows[i]!, ...(Problem === '' ? [] : complaint(Problem, look)))
  }
  if (Programs.length > 0) {
    lines.push(...(lines.length > 0 ? [''] : []), look.bold('Programs'))
    const rows = Programs.map(({ Name, Tags, Retry, Busy }) => [
      mark('', look),
      Tags.join(' '),
      printable(Name),
      [Retry ? 'may run twice' : '', Busy ? 'busy' : ''].filter(Boolean).map(look.dim).join('  ')
    ])
    lines.push(...aligned(rows, '  '))
  }
  if (Rules.length === 0) return lines
  lines.push('', look.bold('Who may send what'))
  const rows = aligned(
    Rules.map(({ From, Tags, Line, Problem }) => [
      mark(Problem, look),
      From === '*' ? 'everybody' : printable(From),
      Tags.length === 0 ? 'nothing' : Tags.join(' '),
      look.dim(`line ${Line}`)
    ]),
    '  '
  )
  for (const [i, { Problem }] of Rules.entries())
    lines.push(rows[i]!, ...(Problem === '' ? [] : complaint(Problem, look)))
  return lines
}

/** Of what came with the program nothing runs before it is linked; what is linked is among the files above. */
function readyMadeLines({ ReadyMade, Folders, Handlers }: Handlers, look: Look): string[] {
  if (ReadyMade === '' || !existsSync(ReadyMade)) return []
  const linked = new Set(
    Handlers.filter(({ Path }) => existsSync(Path)).map(({ Path }) => realpathSync(Path))
  )
  const off = readdirSync(ReadyMade).filter(name => !linked.has(join(realpathSync(ReadyMade), name)))
  const first = off.includes('notify') ? 'notify' : off.sort()[0]
  if (first === undefined) return []
  const target = `${Folders[0]}/message`
  const link = `${existsSync(target) ? '' : `mkdir -p ${target} && `}ln -s ${ReadyMade}/${first} ${target}/`
  return [
    '',
    look.bold('Ready-made, off until linked'),
    `  ${off.sort().map(printable).join(', ')}`,
    `  ${printable(link)}`
  ]
}

/** Messages first, strays last. */
const placeOf = ({ Family }: File): number => ['message', 'peer', 'daemon', ''].indexOf(Family)
const slashed = (folder: string): string => (folder.endsWith('/') ? folder : `${folder}/`)
const mark = (problem: string, look: Look): string =>
  problem === '' ? look.green(look.mark('●', '*')) : look.red(look.mark('✗', 'x'))
const complaint = (problem: string, look: Look): string[] =>
  wrapped(printable(problem), look.terminal ? look.columns : 1_000, '      ').map(look.yellow)

function rowOf({ Path, Family, Tag, Peers, Events, Retry, Problem }: File, folder: string, look: Look) {
  const what = Family === 'message' ? Tag : `${Family} ${Events.length === 0 ? 'any' : Events.join(' ')}`
  const whom = Family === 'daemon' ? '' : Peers.length === 0 ? look.dim('any') : printable(Peers.join(' '))
  return [
    mark(Problem, look),
    Family === '' ? look.dim('nothing') : what,
    Family === '' ? '' : whom,
    printable(Path.slice(slashed(folder).length)) || '.',
    Retry ? look.dim('may run twice') : ''
  ]
}

const dryRun = (peer: string, tag: string, options: Options) =>
  withDaemon(async client => {
    const found = await client.call('TryHandler', { ...circleOf(options), Peer: peer, Tag: tag })
    if (options.json) {
      json(found)
      if (found.Handler === '') process.exitCode = 1
      return
    }
    const look = lookOf(process.stdout)
    if (found.Handler === '') out(`${look.red('Nothing')} would run.`)
    else out(`${look.green(printable(found.Handler))} would run.`)
    const why = [
      ...(found.Handler === '' ? [found.Problem] : []),
      ...(found.Decision === found.Problem ? [] : [found.Decision]),
      ...found.Others.map(other => `not ${other}: the other goes first`),
      ...(found.Handler === '' ? [] : found.Skipped.map(each => `not ${each}`))
    ].filter(Boolean)
    for (const sentence of why)
      for (const line of wrapped(printable(sentence), look.terminal ? look.columns : 1_000, '  ')) out(line)
    if (found.Handler === '') process.exitCode = 1
  })

function runHere(peer: string, tag: string, body: string | undefined, options: Options) {
  const call = { ...circleOf(options), Peer: peer, Tag: tag, ...bodyOf(body) } as Params<'RunHandler'>
  return withDaemon(async client => {
    const work = client.call('RunHandler', call)
    const ran = await orInterrupted(client, work, 'the handler was ended')
    if (ran.State === 'dead') process.exitCode = 1
    if (options.json) return void json(ran)
    process.stdout.write(ran.OutputBase64 === '' ? ran.Output : Buffer.from(ran.OutputBase64, 'base64'))
    if (ran.Complaint !== '') err(ran.Complaint.split('\n').map(printable).join('\n'))
    const file = printable(ran.Handler)
    if (ran.State === 'done') err(`${file} ended with 0`)
    else if (ran.State === 'later') err(`${file} ended with 75: it would run again later`)
    else if (ran.Reason === 'failed') throw new Failure(`${file} ended with ${ran.Exit}`)
    else throw new Failure(`${file}: ${deadReason(ran.Reason, tag, ran.Exit)}`)
  })
}
