/** `coterie serve`: messages of a tag go to a command, or are printed, as long as this runs. */
import { spawn } from 'node:child_process'
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import type { Client } from './client.ts'
import { err, jsonLine, lookOf, printable } from './print.ts'
import { withDaemon } from './run.ts'
import { shortId } from './words.ts'

type Served = Result<'Serve'>
interface Options {
  retry?: boolean
}

/** What goes back to a sender that asked, bytes; the daemon takes no more. */
const OUTPUT = 65_536
/** As a shell has it: of a command that is not there, or cannot be run. */
const NOT_RUN = 127
const SIGNALLED = 128

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('handle messages as long as this runs: a command for each, or a line of JSON and done')
    .argument('<tag>', 'such as backup/start; backup/* for all below, * for all')
    .argument(
      '[command...]',
      'after --: gets the body on stdin, facts in COTERIE_*; exit 0 is done, 75 later'
    )
    .option('--retry', 'a message may come again when this ended and nobody knows how it went')
    .action(serve)
}

function serve(tag: string, command: string[], options: Options) {
  return withDaemon(client =>
    withDaemon(answers => loop(client, answers, tag, command, options.retry ?? false))
  )
}

async function loop(client: Client, answers: Client, tag: string, command: string[], retry: boolean) {
  const Name = ['coterie serve', ...command.slice(0, 1)].join(' ')
  const look = lookOf(process.stderr)
  for await (const message of client.stream('Serve', { Tags: [tag], Retry: retry, Name })) {
    if (message.Request === '') {
      if (look.terminal) err(look.dim(`serving ${tag}; Ctrl-C ends it`))
      continue
    }
    const { Exit, output } = command.length === 0 ? print(message) : await run(message, command)
    if (look.terminal && command.length > 0)
      err(look.dim(`${message.Tag} of ${printable(message.Name)}: ${Exit === 0 ? 'done' : `exit ${Exit}`}`))
    await answers.call('Answer', { Request: message.Request, Exit, OutputBase64: output.toString('base64') })
  }
}

function print({ Request: _, ...message }: Served): { Exit: number; output: Buffer } {
  jsonLine(message)
  return { Exit: 0, output: Buffer.alloc(0) }
}

/** Never rejects. What the sender did not ask for goes to stdout here. */
function run(message: Served, [file, ...words]: string[]): Promise<{ Exit: number; output: Buffer }> {
  return new Promise(resolve => {
    const child = spawn(file!, words, {
      env: { ...process.env, ...environmentOf(message) },
      stdio: ['pipe', message.Ask ? 'pipe' : 'inherit', 'inherit']
    })
    const parts: Buffer[] = []
    let length = 0
    child.stdout?.on('data', (part: Buffer) => {
      if (length < OUTPUT) parts.push(part)
      length += part.length
    })
    child.stdin!.on('error', () => {}) // it may end without reading
    child.stdin!.end(bodyOf(message))
    child.once('error', error => {
      err(`coterie: ${file} cannot be run: ${error.message}`)
      resolve({ Exit: NOT_RUN, output: Buffer.alloc(0) })
    })
    child.once('close', (code, signal) =>
      resolve({
        Exit: signal === null ? (code ?? SIGNALLED) : SIGNALLED,
        output: Buffer.concat(parts).subarray(0, OUTPUT)
      })
    )
  })
}

const bodyOf = ({ Body, BodyBase64 }: Served): Buffer =>
  BodyBase64 === '' ? Buffer.from(Body) : Buffer.from(BodyBase64, 'base64')

/** As handler files have it (docs/handlers.md). */
const environmentOf = (message: Served): { [name: string]: string } => ({
  COTERIE_EVENT: 'message',
  COTERIE_ID: message.Id,
  COTERIE_TAG: message.Tag,
  COTERIE_FROM: message.Peer,
  COTERIE_FROM_SHORT: shortId(message.Peer),
  COTERIE_FROM_NAME: message.Name.replaceAll(/[^ -~]/g, '?'),
  COTERIE_CIRCLE: message.Circle,
  COTERIE_CIRCLE_NAME: message.CircleName.replaceAll(/[^ -~]/g, '?'),
  COTERIE_SENT: `${Math.floor(message.SentUSec / 1_000_000)}`,
  COTERIE_SIZE: `${bodyOf(message).length}`,
  COTERIE_RUN: `${message.Run}`,
  COTERIE_ASK: message.Ask ? '1' : '0'
})
