/**
 * The service side of systemd: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), and the level
 * prefixes of sd-daemon(3). Without systemd all of it does nothing.
 */
import { execFile } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { createRequire } from 'node:module'

type Environment = { readonly [name: string]: string | undefined }

/** What systemd is told at once; the fields of sd_notify(3). */
export interface Notice {
  readonly ready?: boolean
  readonly stopping?: boolean
  /** The configuration is being read again; `ready` follows. */
  readonly reloading?: boolean
  readonly watchdog?: boolean
  /** One line for `systemctl status`. */
  readonly status?: string
}

/** Sends one datagram to NOTIFY_SOCKET. */
export type SendState = (state: string) => Promise<void>

/** The sd-notify addon, which Node needs for datagrams to UNIX sockets; undefined when it is not compiled. */
export function addonSend(): SendState | undefined {
  try {
    const addon = createRequire(import.meta.url)('sd-notify') as { sendState(state: string): void }
    return async state => addon.sendState(state)
  } catch {
    return undefined
  }
}

/** The program systemd-notify does it in our name: the unit needs NotifyAccess=all. One at a time, in order. */
export function programSend(): SendState {
  let last: Promise<void> = Promise.resolve()
  return state => {
    last = last.then(
      () => new Promise(resolve => execFile('systemd-notify', state.split('\n'), () => resolve()))
    )
    return last
  }
}

export class Supervisor {
  readonly #send: SendState
  readonly #environment: Environment
  #status = ''
  #timer: NodeJS.Timeout | undefined

  constructor(environment: Environment = process.env, send?: SendState) {
    this.#environment = environment
    this.#send = environment['NOTIFY_SOCKET'] ? (send ?? addonSend() ?? programSend()) : async () => {}
  }

  /** systemd waits for our word. */
  get present(): boolean {
    return Boolean(this.#environment['NOTIFY_SOCKET'])
  }

  /** Resolves when systemd has it (or nobody wants it); a status that stays the same is not sent again. */
  async notify(notice: Notice): Promise<void> {
    const lines: string[] = []
    if (notice.reloading) lines.push('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
    if (notice.stopping) lines.push('STOPPING=1')
    if (notice.ready) lines.push('READY=1')
    if (notice.watchdog) lines.push('WATCHDOG=1')
    const status = notice.status?.replaceAll(/\s+/g, ' ')
    if (status !== undefined && status !== this.#status) {
      this.#status = status
      lines.push(`STATUS=${status}`)
    }
    if (lines.length) await this.#send(lines.join('\n'))
  }

  /** Milliseconds within which systemd wants to hear WATCHDOG=1, or 0: nobody waits for it. */
  get watchdogMs(): number {
    const { WATCHDOG_USEC, WATCHDOG_PID } = this.#environment
    if (WATCHDOG_PID && WATCHDOG_PID !== String(process.pid)) return 0
    const microseconds = Number(WATCHDOG_USEC ?? 0)
    return Number.isSafeInteger(microseconds) && microseconds > 0 ? microseconds / 1000 : 0
  }

  /** Tells the watchdog twice an interval that we live, while `healthy` says so; a hung check is silence. */
  watch(healthy: () => boolean | Promise<boolean>): void {
    if (!this.present || this.watchdogMs === 0 || this.#timer) return
    let checking = false
    this.#timer = setInterval(async () => {
      if (checking) return
      checking = true
      try {
        if (await healthy()) await this.notify({ watchdog: true })
      } catch {
        // a check that throws is not healthy
      } finally {
        checking = false
      }
    }, this.watchdogMs / 2)
    this.#timer.unref()
  }

  unwatch(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/** The sockets systemd opened for us, by FileDescriptorName= (the socket unit's name where none is set). */
export function listenFds(
  environment: Environment = process.env
): { readonly fd: number; readonly name: string }[] {
  const { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES } = environment
  if (LISTEN_PID !== String(process.pid)) return []
  const count = Number(LISTEN_FDS)
  if (!Number.isInteger(count) || count < 0 || count > 100) return []
  const names = (LISTEN_FDNAMES ?? '').split(':')
  return Array.from({ length: count }, (_, i) => ({ fd: 3 + i, name: names[i] || 'unknown' }))
}

/** What is written to this descriptor goes to the journal: JOURNAL_STREAM names its device and inode. */
export function goesToJournal(fd: number, environment: Environment = process.env): boolean {
  const stream = environment['JOURNAL_STREAM']
  if (!stream) return false
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}
