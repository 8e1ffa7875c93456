/** The daemon as it is run: from the checkout, or bundled and laid out as packages do it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from '../../scripts/bundle.ts'
import { Client } from '../../src/cli/client.ts'

const top = fileURLToPath(new URL('../..', import.meta.url))

export interface Form {
  readonly name: 'checkout' | 'bundle'
  /** The launcher, bin/coteried. */
  readonly launcher: string
}

export const checkout: Form = { name: 'checkout', launcher: join(top, 'bin/coteried') }

/** Makes `folder`/bin and `folder`/lib/coterie. */
export async function bundled(folder: string): Promise<Form> {
  const library = join(folder, 'lib/coterie')
  await bundle(library)
  symlinkSync(process.execPath, join(library, 'node'))
  symlinkSync(join(top, 'node_modules'), join(library, 'node_modules'))
  cpSync(join(top, 'bin'), join(folder, 'bin'), { recursive: true })
  return { name: 'bundle', launcher: join(folder, 'bin/coteried') }
}

/** Where nothing listens. */
const NOWHERE = 'unix:path=/nonexistent/bus'

export interface Place {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
  readonly socket: string
}

/** Directories and environment of one daemon; the buses are to be D-Bus addresses. */
export function place(folder: string, buses: { session?: string; system?: string } = {}): Place {
  mkdirSync(join(folder, 'config/coterie'), { recursive: true })
  mkdirSync(join(folder, 'run'), { mode: 0o700 })
  writeFileSync(join(folder, 'config/coterie/coterie.toml'), '[network]\nport = 0\n')
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
    DBUS_SESSION_BUS_ADDRESS: buses.session ?? NOWHERE,
    DBUS_SYSTEM_BUS_ADDRESS: buses.system ?? NOWHERE
  }
  return { folder, environment, socket: join(folder, 'run/coterie/coterie.sock') }
}

export class RunningDaemon {
  readonly place: Place
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(place: Place, child: ChildProcess) {
    this.place = place
    this.#child = child
    this.#ended = once(child, 'exit')
  }

  /** Resolves when it has told its log that it is ready. */
  static async start(form: Form, place: Place): Promise<RunningDaemon> {
    const child = spawn(form.launcher, ['--only', 'lo'], {
      env: place.environment,
      stdio: ['ignore', 'ignore', 'pipe']
    })
    const daemon = new RunningDaemon(place, child)
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr!.setEncoding('utf8').on('data', text => {
        said = (said + text).slice(-4000)
        if (/ ready/.test(said)) resolve()
      })
      child.once('exit', code => reject(new Error(`coteried ended with ${code}\n${said}`)))
    })
    return daemon
  }

  get pid(): number {
    return this.#child.pid!
  }

  client(): Promise<Client> {
    return Client.open(this.place.socket)
  }

  async stop(): Promise<void> {
    this.#child.kill()
    await this.#ended
  }
}

export interface Usage {
  /** Resident, and the part of it that is no file's; in MB. */
  readonly rss: number
  readonly anon: number
  /** Time on a processor, all threads, in ms. */
  readonly cpu: number
  /** How often a thread slept and was woken. */
  readonly wakeUps: number
}

/** What a process has used so far, by /proc. */
export function usage(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  let cpu = 0
  let wakeUps = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const base = `/proc/${pid}/task/${thread}`
    cpu += Number(readFileSync(`${base}/schedstat`, 'utf8').split(' ')[0]) / 1e6
    wakeUps += field(readFileSync(`${base}/status`, 'utf8'), 'voluntary_ctxt_switches')
  }
  return { rss: field(status, 'VmRSS') / 1024, anon: field(status, 'RssAnon') / 1024, cpu, wakeUps }
}
