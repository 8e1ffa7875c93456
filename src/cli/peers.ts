/** Commands about the other devices as seen from here: status, peers, watch, ping. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { fitted, width } from './columns.ts'
import { energyLines } from './energy.ts'
import { matrixLines } from './matrix.ts'
import { ping } from './ping.ts'
import { json, jsonLine, type Look, lookOf, out, printable, table, wrapped } from './print.ts'
import { circleOf, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { peerRow, statusLines } from './status.ts'
import { EventLines } from './watch.ts'
import { address, shortId } from './words.ts'

export function addPeerCommands(program: Command): void {
  withJson(withCircle(program.command('status')))
    .description('this device, its circle, and who can be reached')
    .option('--all', 'peers of all circles')
    .option('--matrix', 'instead, who sees whom: the word of each device on each other')
    .option('--energy', 'instead, what the daemon does to the battery: wake-ups, packets, bytes')
    .action(status)
  withJson(withCircle(program.command('peers')))
    .description('the other devices, with all their addresses')
    .action(peers)
  withJson(program.command('watch'))
    .description('changes as they happen, one a line')
    .option('--since <cursor>', 'go on after this event of an earlier watch --json')
    .action(watch)
  withJson(withCircle(program.command('ping')))
    .description('measure round trips to a peer')
    .argument('<peer>', 'id, short id or name')
    .option('--count <n>', 'how many (default: 1)')
    .action(ping)
}

interface StatusOptions {
  circle?: string
  all?: boolean
  energy?: boolean
  matrix?: boolean
  json?: boolean
}

const status = (options: StatusOptions) =>
  withDaemon(async client => {
    if (options.matrix) {
      if (options.all || options.energy)
        throw new UsageError('--matrix is of one circle, and goes without --all and --energy')
      const matrix = await client.call('Matrix', circleOf(options))
      if (options.json) json(matrix)
      else for (const line of matrixLines(matrix.Rows, lookOf(process.stdout))) out(line)
      return
    }
    if (options.energy) {
      if (options.all || options.circle !== undefined)
        throw new UsageError('--energy is of all circles together; it goes without --all and --circle')
      const energy = await client.call('Energy', {})
      if (options.json) json(energy)
      else for (const line of energyLines(energy, lookOf(process.stdout))) out(line)
      return
    }
    const found = await client.call('Status', { ...circleOf(options), All: options.all ?? false })
    if (options.json) return void json(found)
    for (const line of statusLines(found, lookOf(process.stdout), Date.now() * 1000, options.all)) out(line)
  })

const peers = (options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const result = await client.call('Peers', circleOf(options))
    if (options.json) return void json(result)
    for (const line of addressLines(result.Peers, lookOf(process.stdout), Date.now() * 1000)) out(line)
  })

/** All addresses of each peer: beside it, or below it where the terminal is too narrow. */
export function addressLines(peers: Result<'Peers'>['Peers'], look: Look, nowUSec: number): string[] {
  const rows = peers.map(peer => [...peerRow(peer, look, nowUSec).slice(0, 3), shortId(peer.Id)])
  const addresses = peers.map(peer => peer.Addresses.map(a => printable(address(a))).join(' '))
  const whole = table(
    look,
    ['NAME', 'STATE', 'LATENCY', 'ID', 'ADDRESSES'],
    rows.map((row, i) => [...row, addresses[i]!])
  )
  if (!look.terminal || whole.every(line => width(line) <= look.columns)) return whole
  const names = fitted(rows, look.columns, [0], 8, look.mark('…', '~'))
  const [heading = '', ...lines] = table(look, ['NAME', 'STATE', 'LATENCY', 'ID'], names)
  return [
    heading,
    ...lines.flatMap((line, i) =>
      addresses[i] === '' ? [line] : [line, ...wrapped(addresses[i]!, look.columns, '  ').map(look.dim)]
    )
  ]
}

const watch = (options: { since?: string; json?: boolean }) =>
  withDaemon(async client => {
    const lines = new EventLines(lookOf(process.stdout))
    if (!options.json) lines.know((await client.call('Status', { All: true })).Peers)
    for await (const event of client.stream('Watch', { Since: options.since ?? '' })) {
      if (options.json) jsonLine(event)
      else for (const line of lines.of(event, new Date())) out(line)
    }
  })
