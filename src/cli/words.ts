/** Values of the API in the words people read. Pure. */

export { deadReason, reason } from '../api/words.ts'

const SECOND = 1_000_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `atUSec` and `nowUSec` are microseconds since 1970; clocks may differ, so the future is "just now". */
export function ago(atUSec: number, nowUSec: number): string {
  const past = nowUSec - atUSec
  if (past < 5 * SECOND) return 'just now'
  if (past < MINUTE) return `${Math.floor(past / SECOND)} s ago`
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`
  if (past < 2 * DAY) return 'yesterday'
  if (past < 30 * DAY) return `${Math.floor(past / DAY)} days ago`
  return `on ${new Date(atUSec / 1000).toISOString().slice(0, 10)}`
}

/** "since 14:05", "since yesterday, 14:05", "since 2026-11-21": by the clock here. */
export function since(atUSec: number, nowUSec: number): string {
  const at = new Date(atUSec / 1000)
  const time = `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`
  if (day(atUSec) === day(nowUSec)) return `since ${time}`
  return day(atUSec) === day(nowUSec - DAY) ? `since yesterday, ${time}` : `since ${day(atUSec)}`
}

/** How long something lasts, roughly: "40 s", "12 min", "3 h", "9 days". */
export function duration(usec: number): string {
  if (usec < 2 * MINUTE) return `${Math.floor(usec / SECOND)} s`
  if (usec < 2 * HOUR) return `${Math.floor(usec / MINUTE)} min`
  return usec < 2 * DAY ? `${Math.floor(usec / HOUR)} h` : `${Math.floor(usec / DAY)} days`
}

/** "today", "12 d": how old something is, in days; '' when it is not known. */
export function age(sinceUSec: number, nowUSec: number): string {
  if (sinceUSec === 0) return ''
  const days = Math.floor((nowUSec - sinceUSec) / DAY)
  return days < 1 ? 'today' : `${days} d`
}

/** The day of the year here, as 2026-11-30. */
export function day(atUSec: number): string {
  const at = new Date(atUSec / 1000)
  const two = (n: number) => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

/** A round trip: three digits are enough. 0 is unknown: ''. */
export function latency(usec: number): string {
  if (usec === 0) return ''
  const ms = usec / 1000
  if (ms < 9.95) return `${ms.toFixed(ms < 1 ? 2 : 1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** "24 hours", "90 seconds": the largest unit that divides. */
export function span(usec: number): string {
  const [size, name] = (
    [
      [DAY, 'day'],
      [HOUR, 'hour'],
      [MINUTE, 'minute']
    ] as const
  ).find(([size]) => usec % size === 0) ?? [SECOND, 'second']
  const count = Math.round(usec / size)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

const UNITS: { readonly [unit: string]: number } = {
  s: SECOND,
  m: MINUTE,
  min: MINUTE,
  h: HOUR,
  d: DAY,
  w: 7 * DAY
}

/** `90s`, `30m`, `1h30m`, `2d`, `1w` in microseconds; undefined when it is none. */
export function parseSpan(text: string): number | undefined {
  if (!/^(\d+(s|min|m|h|d|w))+$/.test(text)) return undefined
  let usec = 0
  for (const [, count, unit] of text.matchAll(/(\d+)(s|min|m|h|d|w)/g)) usec += Number(count) * UNITS[unit!]!
  return usec > 0 && Number.isSafeInteger(usec) ? usec : undefined
}

/** The usual port goes without saying. */
const USUAL_PORT = '24747'

/** `tcp://[fe80::1%25eth0]:24747` → `fe80::1%eth0`. What is not understood is shown as it is. */
export function address(uri: string): string {
  const found = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d+)$/.exec(uri)
  if (!found) return uri
  const [, six, four, port] = found
  const bare = (six ?? four ?? '').replace('%25', '%')
  if (port === USUAL_PORT) return bare
  return six ? `[${bare}]:${port}` : `${bare}:${port}`
}

const RESULTS: { readonly [result: string]: string } = {
  connected: 'connected',
  refused: 'refused',
  unreachable: 'nobody there',
  'no-route': 'no route from here',
  timeout: 'no answer',
  handshake: 'answered by another',
  protocol: 'answered by another',
  closed: 'hung up',
  reset: 'hung up',
  barred: 'interface not in use',
  'no-keys': 'not met in the last 10 minutes',
  cancelled: 'not needed',
  address: 'no address'
}
/** What came of an attempt. */
export const result = (word: string): string => RESULTS[word] ?? word

const NAMED_BY: { readonly [source: string]: string } = {
  static: 'configuration',
  announcement: 'heard',
  known: 'an earlier session',
  gossip: 'its word,',
  inbound: 'its call',
  overlay: 'tailscale or WireGuard,'
}
/** Who named an address; when follows, but for configuration and earlier sessions. */
export const namedBy = (source: string): string => NAMED_BY[source] ?? `${source},`

const LINK_KINDS: { readonly [kind: string]: string } = {
  wired: 'by cable',
  wireless: 'by Wi-Fi',
  tunnel: 'by a tunnel',
  loopback: 'inside this computer',
  other: 'by another link'
}
export const linkKind = (kind: string): string => LINK_KINDS[kind] ?? `by ${kind}`

const EVIDENCE: { readonly [how: string]: string } = {
  direct: 'straight from it',
  witness: 'by another device',
  word: 'its goodbye'
}
/** How a sign of life came. */
export const evidence = (how: string): string => EVIDENCE[how] ?? how

export function level(n: number): string {
  if (n === 0) return 'recovery code'
  if (n === 1) return 'first device'
  if (n < 10) return `admin (level ${n})`
  if (n === 10) return 'member'
  return n === 11 ? 'relay' : `level ${n}`
}

/** PROTOCOL 1: the 8 characters after `co1`. */
export const shortId = (id: string): string => (id.startsWith('co1') ? id.slice(3, 11) : id.slice(0, 8))

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

/** One digit behind the point while it says something. */
export const number = (n: number): string =>
  n >= 10 || Number.isInteger(n) ? String(Math.round(n)) : n.toFixed(1)

/** "2.5 kB". */
export function bytes(n: number): string {
  if (n < 1000) return `${Math.round(n)} B`
  const [size, unit] = n < 1e6 ? [1e3, 'kB'] : n < 1e9 ? [1e6, 'MB'] : [1e9, 'GB']
  return `${number(n / size)} ${unit}`
}

/** Whether others hear of this device where it listens. */
export const policy = (word: string): string =>
  word === 'announce' ? 'announcing' : word === 'listen' ? 'listening only' : word

/** What the property DBus means. */
export const onBus = (word: string): string =>
  ({ owned: 'on the session bus', taken: 'name on the session bus taken', absent: 'no session bus' })[word] ??
  word

/** 14:05:07, by the clock here. */
export const clock = (now: Date): string =>
  [now.getHours(), now.getMinutes(), now.getSeconds()].map(n => `${n}`.padStart(2, '0')).join(':')
