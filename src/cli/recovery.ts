/** The recovery code: recovery verify, use, split, share, unlock. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { confirm, needTerminal } from './ask.ts'
import { aligned, err, json, lookOf, out, printable, progressLine } from './print.ts'
import { circleOf, UsageError, withCircle, withDaemon, withJson } from './run.ts'
import { readRecovery } from './secret.ts'
import { count, level, parseSpan, shortId } from './words.ts'

export function addRecoveryCommand(program: Command): void {
  const recovery = program
    .command('recovery')
    .description(
      'the recovery code, which stands above all devices; it is read from stdin, never an argument'
    )
  withJson(withCircle(recovery.command('verify')))
    .description('say whether what you wrote down is the recovery code of the circle')
    .action(verify)
  withJson(withCircle(recovery.command('use')))
    .description('make this device a first device, and remove lost ones of any level')
    .option('--remove <device>', 'id, short id or name; may be repeated', also, [])
    .option('--since <when>', 'void what the removed did since: 2d, 12h, or a time such as 2026-11-20T18:00')
    .option('--lost', 'the removed devices are lost or stolen: they lock themselves when they hear of it')
    .option('--yes', 'do not ask')
    .action(use)
  withJson(withCircle(recovery.command('split')))
    .description('give three devices a share each; any two of them together make the code')
    .argument('<devices...>', 'three ids, short ids or names; this device may be one')
    .action(split)
  withJson(withCircle(recovery.command('share')))
    .description('print the share that this device holds: half of the recovery code')
    .action(share)
  withJson(withCircle(recovery.command('unlock')))
    .description('on a device that was removed as lost and found again: open its keys; it stays removed')
    .action(unlock)
}

const also = (value: string, before: string[]): string[] => [...before, value]

interface CircleOptions {
  circle?: string
  json?: boolean
}

async function verify(options: CircleOptions): Promise<void> {
  const typed = await readRecovery()
  await withDaemon(async client => {
    const found = await client.call('VerifyRecovery', { ...circleOf(options), ...typed })
    if (options.json) json(found)
    else out(`This is the recovery code of the circle ${printable(found.Name)}.`)
  })
}

async function split(devices: string[], options: CircleOptions): Promise<void> {
  if (devices.length !== 3)
    throw new UsageError(`name three devices, not ${devices.length}: any two of them make the code`)
  const typed = await readRecovery()
  await withDaemon(async client => {
    const waiting = progressLine()
    const asked = { ...circleOf(options), ...typed, Devices: devices }
    const done = await client.call('SplitRecovery', asked, waiting.show).finally(waiting.clear)
    if (options.json) return void json(done)
    out(
      `Each of ${devices.map(printable).join(', ')} holds a share now. Any two of them make the code: on them`
    )
    out('`coterie recovery share` shows it, and `coterie recovery use` takes two, one a line.')
    out('Shares of an older splitting do not fit these, but two old ones still fit each other.')
    if (done.NotTold.length > 0)
      out(`Away just now, and not told to forget an older share: ${done.NotTold.map(printable).join(', ')}.`)
  })
}

const share = (options: CircleOptions) =>
  withDaemon(async client => {
    const held = await client.call('RecoveryShare', circleOf(options))
    if (options.json) return void json(held)
    out(held.Share)
    err(
      `Whoever has this and one more share has the recovery code. The three are on ${held.Holders.map(printable).join(', ')}.`
    )
    if (!held.Finished)
      err('The splitting it comes from was not finished: the others may hold none that fits it.')
  })

async function unlock(options: CircleOptions): Promise<void> {
  const typed = await readRecovery()
  await withDaemon(async client => {
    const opened = await client.call('UnlockCircle', { ...circleOf(options), ...typed })
    if (options.json) return void json(opened)
    out(`The keys of the circle ${printable(opened.Name)} on this device are open again.`)
    out('It stays removed, for ever: `coterie leave` clears it away, then it can join anew, with new keys.')
  })
}

interface UseOptions extends CircleOptions {
  remove: string[]
  since?: string
  lost?: boolean
  yes?: boolean
}

async function use(options: UseOptions): Promise<void> {
  const since = options.since === undefined ? 0 : momentOf(options.since, Date.now())
  if (options.remove.length === 0 && (since > 0 || options.lost))
    throw new UsageError(
      `${since > 0 ? '--since' : '--lost'} is about removed devices; name them with --remove`
    )
  if (!options.yes) needTerminal('recovery use')
  const typed = await readRecovery()
  await withDaemon(async client => {
    const asked = {
      ...circleOf(options),
      ...typed,
      Remove: options.remove,
      SinceUSec: since,
      Lost: options.lost === true
    }
    if (!options.yes) {
      const { Changes } = await client.call('UseRecovery', { ...asked, Preview: true })
      const { Devices } = await client.call('Devices', circleOf(options))
      for (const line of meaning(Changes, Devices)) out(line)
      await confirm('Do this, for ever?', 'nothing was changed')
    }
    const used = await client.call('UseRecovery', asked)
    if (options.json) return void json(used)
    if (options.yes) for (const line of changeLines(used.Changes)) out(line)
    out(`Done: ${count(used.Changes.length, 'device')} changed. The others follow as they meet this device.`)
  })
}

/** Microseconds since 1970 of `2d` (ago) or of an ISO time. Throws UsageError. */
export function momentOf(text: string, nowMs: number): number {
  const span = parseSpan(text)
  const ms = span === undefined ? Date.parse(text) : nowMs - span / 1000
  if (Number.isNaN(ms) || ms <= 0)
    throw new UsageError(
      `--since takes a duration such as 2d or 12h, or a time such as 2026-11-20T18:00, not ${JSON.stringify(text)}`
    )
  if (ms > nowMs) throw new UsageError('--since lies in the future')
  return Math.floor(ms) * 1000
}

type Changes = Result<'UseRecovery'>['Changes']

function meaning(changes: Changes, devices: Result<'Devices'>['Devices']): string[] {
  const ceased = new Set(changes.filter(c => c.Level === 0).map(c => c.Id))
  const others = devices.filter(d => d.Level === 1 && !d.Self && !ceased.has(d.Id))
  return [
    'It means:',
    ...changeLines(changes),
    ...others.map(d => `  ${printable(d.Name)} is a first device too and stays one.`)
  ]
}

function changeLines(changes: Changes): string[] {
  if (changes.length === 0) return ['  nobody’s place in the circle changes']
  const look = lookOf(process.stdout)
  return aligned(
    changes.map(change => [look.bold(printable(change.Name)), shortId(change.Id), words(change)]),
    '  '
  )
}

function words({ Change, WasLevel, Level }: Changes[number]): string {
  switch (Change) {
    case 'removed':
      return 'is removed, for ever'
    case 'dropped':
      return 'is no member any more: what added it becomes void'
    case 'returns':
      return `comes back as ${level(Level)}: what removed it becomes void`
    case 'joins':
      return `becomes ${level(Level)}`
    default:
      return `becomes ${level(Level)} (was ${level(WasLevel)})`
  }
}
