/** `coterie leave`: says what is lost, asks, and leaves. */
import type { Command } from 'commander'
import { confirm, needTerminal, tell } from './ask.ts'
import { leavingLines } from './consequences.ts'
import { json, out, printable, progressLine } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'
import { count } from './words.ts'

export function addLeaveCommand(program: Command): void {
  withJson(withCircle(program.command('leave')))
    .description('leave the circle and forget its keys')
    .option('--yes', 'do not ask')
    .action(leave)
}

async function leave(options: { circle?: string; json?: boolean; yes?: boolean }) {
  if (!options.yes) needTerminal('leave')
  await withDaemon(async client => {
    if (!options.yes) {
      const { Devices } = await client.call('Devices', circleOf(options))
      const { Circle } = await client.call('Status', circleOf(options))
      tell(leavingLines(Devices, Circle.Name))
      await confirm(`Leave ${printable(Circle.Name)}?`, 'nothing was changed')
    }
    const waiting = progressLine()
    const left = await client.call('Leave', circleOf(options), waiting.show).finally(waiting.clear)
    if (options.json) return void json(left)
    const others = `${count(left.Told, 'other device')} ${left.Told === 1 ? 'knows' : 'know'}`
    const nobody = 'no other device knows it: where there are some, remove this one there'
    out(`This device has left; ${left.Told === 0 ? nobody : others}.`)
  })
}
