/** `coterie rekey`: a new static key for this device. */
import type { Command } from 'commander'
import { json, out } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'

export function addRekeyCommand(program: Command): void {
  withJson(withCircle(program.command('rekey')))
    .description('give this device a new static key (it does so by itself every 90 days)')
    .action(rekey)
}

const rekey = (options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const changed = await client.call('Rekey', circleOf(options))
    if (options.json) json(changed)
    else out('This device has a new static key. Its id stays the same, and nobody has to do anything.')
  })
