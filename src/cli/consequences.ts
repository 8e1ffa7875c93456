/** What removing a device, or leaving, will mean: told before the question. Pure. */
import { ApiError } from '../api/api.ts'
import { type Device, levelOf } from './devices.ts'
import { printable } from './print.ts'
import { count, level, shortId } from './words.ts'

/** One member by id, short id or name, as the daemon finds it. Throws ApiError. */
export function findDevice(all: readonly Device[], text: string): Device {
  const id = all.filter(d => d.Id === text)
  const short = all.filter(d => shortId(d.Id) === text)
  const found = [id, short, all.filter(d => d.Name === text)].find(some => some.length > 0) ?? []
  if (found.length === 1) return found[0]!
  const quoted = JSON.stringify(text)
  if (found.length === 0)
    throw new ApiError('NoSuchPeer', `no member is called ${quoted}; \`coterie devices\` lists them`)
  const ids = found.map(d => (found === short ? d.Id : shortId(d.Id))).join(', ')
  throw new ApiError('AmbiguousPeer', `${found.length} members are called ${quoted}; use an id: ${ids}`)
}

/** Throws ApiError when this device may not remove that one: said before anything is asked. */
export function checkRemovable(all: readonly Device[], target: Device): void {
  if (target.Self)
    throw new ApiError('InvalidValue', 'this is the device you are on; use `coterie leave` to leave')
  const own = all.find(d => d.Self)
  if (own === undefined)
    throw new ApiError('NotAllowed', 'this device is no member any more; `coterie leave` clears it away')
  if (own.Level < target.Level) return
  const able = all.filter(d => d.Level < target.Level).map(d => `${printable(d.Name)} (${level(d.Level)})`)
  const who =
    able.length === 0 ? 'only the recovery code can remove it' : `${either(able)} can, on that device`
  throw new ApiError(
    'NotAllowed',
    `${printable(target.Name)} has level ${target.Level} and this device level ${own.Level}, and only a smaller level may remove a greater one: ${who}`
  )
}

/** The first line is the heading; each other one is a sentence of its own. */
export function removalLines(all: readonly Device[], target: Device): string[] {
  const name = printable(target.Name)
  const adder = all.find(d => d.Id === target.AddedBy)
  const by = target.AddedBy ? `, added by ${adder ? printable(adder.Name) : shortId(target.AddedBy)}` : ''
  const lines = [
    `${name} (${shortId(target.Id)}): ${levelOf(target)}${by}`,
    'It is removed for ever: its keys are never accepted again. It may come back only by joining anew.',
    'From then on it gets nothing more from anybody; what it has received before stays on it.'
  ]
  const added = all.filter(d => d.AddedBy === target.Id)
  if (added.length > 0)
    lines.push(
      `${added.length === 1 ? 'The device' : 'The devices'} it added ${added.length === 1 ? 'stays' : 'stay'}: ${names(added)}.`
    )
  lines.push('The others get a new key for finding each other, which it does not have.')
  const others = all.filter(d => !d.Self && d !== target)
  const away = others.filter(d => !d.Reachable)
  if (!target.Reachable) lines.push(`${name} is offline now: nobody will talk to it who knows of this.`)
  if (away.length > 0)
    lines.push(
      `Offline now, ${away.length === 1 ? 'this one hears' : 'these hear'} of it when ${away.length === 1 ? 'it meets' : 'they meet'} any other device, before anything else: ${names(away)}.`
    )
  return lines
}

/** What `--lost` adds: what it does, and plainly what it cannot do. */
export function lostLines(all: readonly Device[], target: Device): string[] {
  const own = all.find(d => d.Self)
  const name = printable(target.Name)
  if (own !== undefined && own.Level > 1)
    return [
      `--lost locks nothing from here: only a first device, or the recovery code, can have a device lock itself. ${name} is only removed.`
    ]
  return [
    target.Reachable
      ? `${name} is online: it locks its keys at once. The recovery code opens them again, should it be found.`
      : `${name} locks its keys when it meets any device that knows of this. The recovery code opens them again, should it be found.`,
    'If it never comes online again, or its disk is read elsewhere, what is on it stays as it is.'
  ]
}

/** As `removalLines`, for this device. */
export function leavingLines(all: readonly Device[], circle: string): string[] {
  const own = all.find(d => d.Self)
  const others = all.filter(d => !d.Self)
  const lines = [
    `This device${own ? `, ${printable(own.Name)} (${shortId(own.Id)}),` : ''} leaves the circle ${printable(circle)}.`,
    'Its keys for the circle are deleted. It may come back only by a new invitation, as another device.'
  ]
  if (own === undefined) return lines
  if (others.length === 0) {
    lines.push('It is the last device: the circle ends with it, and nobody can ever join it again.')
    return lines
  }
  if (own.Level === 1 && !others.some(d => d.Level === 1)) lines.push(withoutFirst(others))
  const added = others.filter(d => d.AddedBy === own.Id)
  if (added.length > 0)
    lines.push(`${count(added.length, 'device')} it added ${added.length === 1 ? 'stays' : 'stay'}.`)
  const away = others.filter(d => !d.Reachable)
  if (away.length === others.length)
    lines.push(
      'No other device is online, so none will hear of it: afterwards remove this one there, with `coterie remove`.'
    )
  else if (away.length > 0) lines.push(`Offline now, and told by the others later: ${names(away)}.`)
  return lines
}

function withoutFirst(others: readonly Device[]): string {
  const admins = others.filter(d => d.Level < 10)
  const rest =
    admins.length === 0
      ? 'nobody who stays can add or remove devices'
      : `${names(admins)} can add and remove only devices of greater levels than their own`
  return `It is the only first device: without it ${rest}. The recovery code can make a new first device; have it at hand.`
}

const names = (devices: readonly Device[]): string => devices.map(d => printable(d.Name)).join(', ')
const either = (all: readonly string[]): string =>
  all.length === 1 ? all[0]! : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`
