/** `coterie init`: makes a circle. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { json, lookOf, out, printable, wrapped } from './print.ts'
import { withDaemon, withJson, withKeyStore } from './run.ts'

interface InitOptions {
  name?: string
  device?: string
  keyStore?: string
  json?: boolean
}

export function addInitCommand(program: Command): void {
  withJson(withKeyStore(program.command('init')))
    .description('make a circle with this device as its first one')
    .option('--name <circle>', 'name of the circle (default: home)')
    .option('--device <name>', 'name of this device (default: the host name)')
    .action(init)
}

const init = (options: InitOptions) =>
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
    ...wrapped('Write it down on paper, now, and keep the paper away from this computer.', look.columns),
    ...wrapped(
      'It is shown this once and stored nowhere. If this device is ever lost or stolen, the code is the only thing that can remove it; whoever has the code has that power too.',
      look.columns
    ),
    `${look.bold('coterie recovery verify')} says whether you wrote it down rightly.`,
    '',
    `Next: ${look.bold('coterie invite')} lets another device join.`
  ]
}
