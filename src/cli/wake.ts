/** `coterie wake`: has a device woken that sleeps, and says who sent the packet and whether the device came. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { json, out, printable, progressLine } from './print.ts'
import { circleOf, orInterrupted, UNREACHABLE, UsageError, withCircle, withDaemon, withJson } from './run.ts'

const WAIT_S = 20
const AT_MOST_S = 60

export function addWakeCommand(program: Command): void {
  withJson(withCircle(program.command('wake')))
    .description('wake a device that sleeps, from its network')
    .argument('<device>', 'id, short id or name')
    .option('--wait <seconds>', `how long to wait for it, up to ${AT_MOST_S} (default: ${WAIT_S})`)
    .action(wake)
}

async function wake(
  device: string,
  options: { wait?: string; circle?: string; json?: boolean }
): Promise<void> {
  const seconds = Number(options.wait ?? WAIT_S)
  if (!(seconds > 0 && seconds <= AT_MOST_S))
    throw new UsageError(
      `--wait takes seconds, more than 0 and up to ${AT_MOST_S}, not ${JSON.stringify(options.wait)}`
    )
  await withDaemon(async client => {
    const waiting = progressLine()
    const { Devices } = await client.call('Devices', circleOf(options))
    const params = { ...circleOf(options), Peer: device, WaitUSec: Math.round(seconds * 1e6) }
    const work = client.call('Wake', params, waiting.show).finally(waiting.clear)
    const woken = await orInterrupted(client, work, 'it was not waited for; the packet may be sent')
    if (!woken.Reachable) process.exitCode = UNREACHABLE
    if (options.json) return void json(woken)
    out(wokenLine(woken, Devices, seconds))
  })
}

/** One sentence. */
export function wokenLine(
  { Id, SentBy, Reachable }: Result<'Wake'>,
  devices: Result<'Devices'>['Devices'],
  seconds: number
): string {
  const nameOf = (id: string) => printable(devices.find(device => device.Id === id)?.Name ?? id)
  const name = nameOf(Id)
  if (SentBy.length === 0) return `${name} is awake.`
  const senders = SentBy.map(id =>
    devices.some(({ Id, Self }) => Self && Id === id) ? 'this device' : nameOf(id)
  )
  const sent = `sent the packet that wakes ${name}`
  const came = Reachable ? 'it is awake' : `it has not come within ${seconds} s`
  return `${senders.join(' and ').replace(/^this/, 'This')} ${sent}; ${came}.`
}
