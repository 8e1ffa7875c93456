/** `coterie rename`: another name for this device. */
import type { Command } from 'commander'
import { json, lookOf, out, printable } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'

export function addRenameCommand(program: Command): void {
  withJson(withCircle(program.command('rename')))
    .description('give this device another name in the circle')
    .argument('<name>', 'what the others shall see')
    .action(rename)
}

const rename = (name: string, options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const renamed = await client.call('Rename', { ...circleOf(options), Name: name })
    if (options.json) json(renamed)
    else out(`This device is now called ${lookOf(process.stdout).bold(printable(renamed.Name))}.`)
  })
