/**
 * The kernel's network through iproute2: `ip monitor` says that something changed, `ip -json address` says
 * what is. (`ip -json monitor` prints plain text on older releases: the monitor is a trigger and no more.)
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { isObject } from './objects.ts'
import { defaultInterface } from './poll.ts'
import { type KernelAddress, type KernelInterface, type KernelNetwork, kindOf } from './snapshot.ts'

const READ_TIMEOUT_MS = 2_000
const READ_LIMIT = 4 * 1024 * 1024
const RESTART_FIRST_MS = 1_000
const RESTART_LAST_MS = 60_000

/** Rejects where there is no `ip`, or none that writes JSON. */
export async function readIp(): Promise<KernelNetwork> {
  const text = await new Promise<string>((resolve, reject) => {
    const options = { timeout: READ_TIMEOUT_MS, maxBuffer: READ_LIMIT }
    execFile('ip', ['-json', 'address'], options, (error, stdout) =>
      error ? reject(error) : resolve(stdout)
    )
  })
  return { interfaces: parseIp(text), checking: isChecking(text), primary: defaultInterface() }
}

/** The output of `ip -json address`. Entries that make no sense are left out; throws when it is no list at all. */
export function parseIp(text: string): KernelInterface[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list)) throw new Error('ip -json address gave no list')
  return list.filter(isObject).flatMap((entry): KernelInterface[] => {
    const { ifname: name, ifindex: index, flags, address: mac, link_type, addr_info } = entry
    if (typeof name !== 'string' || typeof index !== 'number' || !Array.isArray(flags)) return []
    const kind = kindOf(name)
    return [
      {
        name,
        index,
        kind: kind === 'other' && (link_type === 'none' || link_type === 'ppp') ? 'vpn' : kind,
        up: flags.includes('UP') && flags.includes('LOWER_UP'),
        multicast: flags.includes('MULTICAST'),
        mac: link_type === 'ether' && typeof mac === 'string' ? mac.toLowerCase() : '',
        addresses: Array.isArray(addr_info) ? addr_info.flatMap(parseAddress) : []
      }
    ]
  })
}

/** One whose check failed is marked so as well, and stays. */
const isChecking = (text: string): boolean => /"tentative"/.test(text) && !/"dadfailed"/.test(text)

function parseAddress(info: unknown): KernelAddress[] {
  if (!isObject(info)) return []
  const { local, prefixlen, tentative, dadfailed, deprecated } = info
  // Older releases write the flags as a list of words.
  const flags = Array.isArray(info['flags']) ? info['flags'] : []
  const has = (value: unknown, word: string) => value === true || flags.includes(word)
  if (typeof local !== 'string' || typeof prefixlen !== 'number') return []
  if (has(tentative, 'tentative') || has(dadfailed, 'dadfailed')) return []
  return [{ address: local, prefix: prefixlen, deprecated: has(deprecated, 'deprecated') }]
}

/** What a line of `ip -oneline monitor` is about; undefined for what cannot matter to us. */
export function eventOf(line: string): 'address' | 'link' | undefined {
  const event = line.replace(/^Deleted /, '')
  if (/^\d+: \S+\s+inet6? /.test(event)) return 'address'
  if (/^\d+: \S+: </.test(event)) return 'link'
  return event.startsWith('default') ? 'link' : undefined
}

/** `ip monitor`, started again when it ends. */
export class IpMonitor {
  readonly #onEvent: (what: 'address' | 'link') => void
  readonly #onRunning: (running: boolean) => void
  #child: ChildProcess | undefined
  #restart: NodeJS.Timeout | undefined
  #restartMs = RESTART_FIRST_MS
  #stopped = false

  /** onRunning(false) also where it cannot be started at all. */
  constructor(onEvent: (what: 'address' | 'link') => void, onRunning: (running: boolean) => void) {
    this.#onEvent = onEvent
    this.#onRunning = onRunning
  }

  start(): void {
    const child = spawn('ip', ['-oneline', 'monitor', 'link', 'address', 'route'], {
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.#child = child
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#restartMs = RESTART_FIRST_MS
      const lines = (rest + text).split('\n')
      rest = lines.pop()!.slice(-1024)
      const events = new Set(lines.map(eventOf))
      if (events.has('address')) this.#onEvent('address')
      else if (events.has('link')) this.#onEvent('link')
    })
    // It reports lost events there: then anything may have happened.
    child.stderr.on('data', () => this.#onEvent('address'))
    child.on('spawn', () => this.#onRunning(true))
    let ended = false
    const end = () => {
      if (ended || this.#stopped) return
      ended = true
      this.#onRunning(false)
      this.#restart = setTimeout(() => this.start(), this.#restartMs)
      this.#restartMs = Math.min(this.#restartMs * 2, RESTART_LAST_MS)
    }
    child.on('error', end)
    child.on('close', end)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#restart)
    this.#child?.kill()
  }
}
