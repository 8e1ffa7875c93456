/**
 * The configuration: one TOML file, read once, checked into one value. Unknown keys are errors that name
 * the nearest known one; every error says where and what is expected.
 */
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { patternProblem } from '../messages/tag.ts'
import { type InterfaceKind, interfaceKinds } from '../net/interfaces.ts'
import type { NetworkConfig, Policy, Rule } from '../net/policy.ts'
import { lineOf } from './config-lines.ts'
import type { Rule as AllowRule } from './messages/rules.ts'

export interface Config {
  readonly device: {
    readonly name: string
    /** Members are told how this device can be woken. */
    readonly wake: boolean
  }
  readonly network: NetworkConfig
  /** Static addresses, by peer id, short id or name. */
  readonly peers: readonly { readonly id: string; readonly addresses: readonly string[] }[]
  readonly dbus: { readonly control: boolean }
  readonly handlers: {
    /** Absolute; none: the one beside the configuration. */
    readonly folders: readonly string[]
    /** How long one may take, seconds. */
    readonly timeout: number
    /** What one may use, MiB. */
    readonly memory: number
    /** Processes and threads it may have. */
    readonly tasks: number
    /** They run as units of the user's systemd, where there is one. */
    readonly units: boolean
  }
  /** Who may send which tags. */
  readonly allow: readonly AllowRule[]
  /** What is told by notifications of the desktop. */
  readonly notifications: {
    /** A device joined the circle. */
    readonly joined: boolean
    /** A message of this device came to nothing. */
    readonly failed: boolean
    /** A device that was reachable is not any more, and did not say that it would go. */
    readonly lost: boolean
  }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** A sentence for the user: where in the file, what was wrong, what to do. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** The same before it is known where in the file the place is. */
class WrongValue extends Error {
  readonly place: string
  constructor(place: string, sentence: string) {
    super(sentence)
    this.place = place
  }
}

type Check<T> = (value: unknown, where: string) => T
const wrong = (where: string, expected: string): never => {
  throw new WrongValue(where, `${where} must be ${expected}`)
}
const text: Check<string> = (v, where) => (typeof v === 'string' && v !== '' ? v : wrong(where, 'a text'))
const flag: Check<boolean> = (v, where) => (typeof v === 'boolean' ? v : wrong(where, 'true or false'))
const oneOf =
  <const T extends string>(...values: T[]): Check<T> =>
  (v, where) =>
    values.includes(v as T) ? (v as T) : wrong(where, `one of ${values.map(x => `"${x}"`).join(', ')}`)
const listOf =
  <T>(item: Check<T>): Check<T[]> =>
  (v, where) =>
    Array.isArray(v) ? v.map((x, i) => item(x, `${where}[${i}]`)) : wrong(where, 'a list')
const oneOrMore =
  <T>(item: Check<T>): Check<T[]> =>
  (v, where) =>
    Array.isArray(v) ? listOf(item)(v, where) : [item(v, where)]

/** A table with these keys and no others; a key that is absent keeps its default. */
const table =
  <T extends { [key: string]: unknown }>(keys: { [K in keyof T]: Check<T[K]> }): Check<Partial<T>> =>
  (v, where) => {
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return wrong(where, 'a table')
    const out: Partial<T> = {}
    for (const [key, value] of Object.entries(v)) {
      const place = where === '' ? key : `${where}.${key}`
      const check = Object.hasOwn(keys, key) ? keys[key] : undefined
      if (check === undefined)
        throw new WrongValue(place, `unknown key ${place}; did you mean ${nearest(key, Object.keys(keys))}?`)
      out[key as keyof T] = check(value, place)
    }
    return out
  }

const name: Check<string> = (v, where) => {
  const s = text(v, where)
  return Buffer.byteLength(s) <= 64 && !/\p{Cc}/u.test(s)
    ? s
    : wrong(where, 'a name of at most 64 bytes without control characters')
}
const port: Check<number> = (v, where) =>
  Number.isInteger(v) && (v as number) >= 0 && (v as number) < 65536
    ? (v as number)
    : wrong(where, 'a port, 0 to 65535')
const address: Check<string> = (v, where) =>
  /^tcp:\/\/(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+(%25[^\]\s]+)?\]):\d{1,5}$/.test(text(v, where))
    ? (v as string)
    : wrong(where, 'an address like "tcp://192.0.2.1:24747" or "tcp://[2001:db8::1]:24747"')

const rule: Check<Rule> = (v, where) => {
  const r = table<{ name: string; type: InterfaceKind; connection: string; zone: string; policy: Policy }>({
    name: text,
    type: oneOf(...interfaceKinds),
    connection: text,
    zone: text,
    policy: oneOf('announce', 'listen', 'off')
  })(v, where)
  const matches = (['name', 'type', 'connection', 'zone'] as const).filter(k => r[k] !== undefined)
  if (matches.length !== 1 || r.policy === undefined)
    return wrong(where, 'exactly one of name, type, connection or zone, and a policy')
  return { match: matches[0]!, value: r[matches[0]!]!, policy: r.policy } as Rule
}
const peer: Check<Config['peers'][number]> = (v, where) => {
  const p = table<{ id: string; address: string[] }>({ id: text, address: oneOrMore(address) })(v, where)
  if (p.id === undefined || p.address === undefined)
    return wrong(where, 'an id (peer id or name) and an address')
  return { id: p.id, addresses: p.address }
}

const seconds: Check<number> = (v, where) =>
  Number.isInteger(v) && (v as number) > 0 && (v as number) <= 604_800
    ? (v as number)
    : wrong(where, 'seconds, 1 to 604800 (a week)')
const whole =
  (least: number, most: number, what: string): Check<number> =>
  (v, where) =>
    Number.isInteger(v) && (v as number) >= least && (v as number) <= most
      ? (v as number)
      : wrong(where, `${what}, ${least} to ${most}`)
const folder: Check<string> = (v, where) =>
  isAbsolute(text(v, where)) ? (v as string) : wrong(where, 'an absolute path')
const pattern: Check<string> = (v, where) =>
  patternProblem(text(v, where)) === ''
    ? (v as string)
    : wrong(where, 'a tag such as "backup/start", "backup/*" or "*"')
const allow: Check<Pick<AllowRule, 'from' | 'tags'>> = (v, where) => {
  const rule = table<{ from: string; tags: string[] }>({ from: text, tags: listOf(pattern) })(v, where)
  if (rule.from === undefined || rule.tags === undefined)
    return wrong(where, 'a device (from) and the tags it may send')
  return { from: rule.from, tags: rule.tags }
}

const file = table({
  device: table({ name, wake: flag }),
  network: table({ only: listOf(text), port, rule: listOf(rule) }),
  peer: listOf(peer),
  dbus: table({ control: flag }),
  handlers: table({
    folders: listOf(folder),
    timeout: seconds,
    memory: whole(16, 1_048_576, 'MiB'),
    tasks: whole(1, 65_536, 'a number of processes'),
    units: flag
  }),
  allow: listOf(allow),
  notifications: table({ joined: flag, failed: flag, lost: flag }),
  log: table({ level: oneOf('debug', 'info', 'warn', 'error') })
})

function checked(toml: string, raw: unknown): ReturnType<typeof file> {
  try {
    return file(raw, '')
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error
    const line = lineOf(toml, error.place)
    throw new ConfigError(line === 0 ? error.message : `line ${line}: ${error.message}`)
  }
}

/** Throws ConfigError. */
export function parseConfig(toml: string, hostname: string): Config {
  let raw: unknown
  try {
    raw = parse(toml)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw new ConfigError(`line ${error.line}, column ${error.column}: ${error.message.split('\n')[0]}`)
  }
  const c = checked(toml, raw)
  return {
    device: {
      name: c.device?.name ?? (hostname.split('.')[0]?.slice(0, 64) || 'device'),
      wake: c.device?.wake ?? true
    },
    network: {
      only: c.network?.only ?? [],
      port: c.network?.port ?? 24747,
      rules: c.network?.rule ?? []
    },
    peers: c.peer ?? [],
    dbus: { control: c.dbus?.control ?? true },
    handlers: {
      folders: c.handlers?.folders ?? [],
      timeout: c.handlers?.timeout ?? 3600,
      memory: c.handlers?.memory ?? 1024,
      tasks: c.handlers?.tasks ?? 256,
      units: c.handlers?.units ?? true
    },
    allow: (c.allow ?? []).map((rule, i) => ({ ...rule, line: lineOf(toml, `allow[${i}]`) })),
    notifications: {
      joined: c.notifications?.joined ?? false,
      failed: c.notifications?.failed ?? false,
      lost: c.notifications?.lost ?? false
    },
    log: { level: c.log?.level ?? 'info' }
  }
}

/** Reads the file; one that is not there stands for an empty one. Throws ConfigError, naming the file. */
export function readConfig(path: string, hostname: string): Config {
  let toml = ''
  try {
    toml = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new ConfigError(`${path} cannot be read (${code})`)
  }
  try {
    return parseConfig(toml, hostname)
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}: ${error.message}`)
    throw error
  }
}

/** The word at the least edit distance (Levenshtein). */
export function nearest(word: string, words: readonly string[]): string {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i)
    for (let i = 1; i <= a.length; i++) {
      const next = [i]
      for (let j = 1; j <= b.length; j++)
        next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
      row = next
    }
    return row[b.length]!
  }
  return words.reduce((best, w) => (distance(word, w) < distance(word, best) ? w : best))
}
