/** `coterie leave`: says what is lost, asks, and leaves. */
import type { Command } from 'commander'
import { ApiError } from '../api/api.ts'
import { paths } from '../paths.ts'
import { confirm, needTerminal, tell } from './ask.ts'
import { leavingLines } from './consequences.ts'
import type { Device } from './devices.ts'
import { json, out, printable, progressLine } from './print.ts'
import { circleOf, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { count } from './words.ts'

export function addLeaveCommand(program: Command): void {
  withJson(withCircle(program.command('leave')))
    .description('leave the circle and forget its keys')
    .option('--erase', 'leave all circles, and erase the keys and all that this device keeps')
    .option('--yes', 'do not ask')
    .action(leave)
}

interface LeaveOptions {
  circle?: string
  json?: boolean
  yes?: boolean
  erase?: boolean
}

async function leave(options: LeaveOptions) {
  if (options.erase && options.circle !== undefined)
    throw new UsageError('--erase leaves all circles; without it, --circle leaves one')
  if (!options.yes) needTerminal('leave')
  if (options.erase) return erase(options)
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
    out(`This device has left; ${known(left.Told)}.`)
  })
}

/** Of each circle it is said what it loses. */
async function erase(options: LeaveOptions) {
  await withDaemon(async client => {
    if (!options.yes) {
      const { Circles } = await client.call('Status', {})
      for (const { Id, Name } of Circles) {
        const { Devices } = await client.call('Devices', { Circle: Id }).catch(lockedOut)
        tell(leavingLines(Devices, Name))
      }
      await confirm('Erase the keys and all that this device keeps?', 'nothing was changed')
    }
    const waiting = progressLine()
    const left = await client.call('Erase', {}, waiting.show).finally(waiting.clear)
    if (options.json) return void json(left)
    out(`Keys and data of this device are erased; ${known(left.Told)}.`)
    out(`Configuration and handlers stay in ${paths().config}. To end the daemon for good:`)
    out('  systemctl --user disable --now coterie.service coterie.socket')
  })
}

/** Of a circle whose keys are locked nobody knows the devices. */
function lockedOut(error: unknown): { Devices: Device[] } {
  if (error instanceof ApiError && error.code === 'Locked') return { Devices: [] }
  throw error
}

function known(told: number): string {
  const others = `${count(told, 'other device')} ${told === 1 ? 'knows' : 'know'}`
  return told === 0 ? 'no other device knows it: where there are some, remove this one there' : others
}
