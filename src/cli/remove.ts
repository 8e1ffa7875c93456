/** `coterie remove`: says what it will mean, asks, and does it. */
import type { Command } from 'commander'
import { confirm, needTerminal, tell } from './ask.ts'
import { checkRemovable, findDevice, lostLines, removalLines } from './consequences.ts'
import { json, out, printable } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'
import { shortId } from './words.ts'

export function addRemoveCommand(program: Command): void {
  withJson(withCircle(program.command('remove')))
    .description('remove a device from the circle, for ever')
    .argument('<device>', 'id, short id or name')
    .option('--lost', 'it is lost or stolen: it locks its keys as soon as it hears of it')
    .option('--yes', 'do not ask')
    .action(remove)
}

interface RemoveOptions {
  circle?: string
  json?: boolean
  lost?: boolean
  yes?: boolean
}

async function remove(device: string, options: RemoveOptions) {
  if (!options.yes) needTerminal('remove')
  await withDaemon(async client => {
    const { Devices } = await client.call('Devices', circleOf(options))
    const target = findDevice(Devices, device)
    checkRemovable(Devices, target)
    const name = printable(target.Name)
    const lost = options.lost === true
    if (!options.yes) {
      tell([...removalLines(Devices, target), ...(lost ? lostLines(Devices, target) : [])])
      await confirm(`Remove ${name} for ever?`, 'nothing was removed')
    }
    const removed = await client.call('Remove', { ...circleOf(options), Device: target.Id, Lost: lost })
    if (options.json) json(removed)
    else out(`${name} (${shortId(removed.Id)}) is removed.`)
  })
}
