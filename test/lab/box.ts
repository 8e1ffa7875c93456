/**
 * A booted computer: systemd, logind, a user manager for `tester` (who lingers), its own NetworkManager on
 * a cable of the lab. A container of systemd-nspawn on a throw-away overlay of a template; the checkout, or
 * another folder that is given, lies read-only in /host.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, realpathSync, rmdirSync } from 'node:fs'
import { NotifySocket } from '../host/notify-socket.ts'
import { within } from './deadline.ts'
import type { Ended, Space } from './space.ts'
import { type Suite, template } from './template.ts'

const top = realpathSync(new URL('../..', import.meta.url).pathname)
const hierarchies = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']

/** Somebody who has an account inside. */
export interface Account {
  readonly name: string
  readonly uid: number
}
export const TESTER: Account = { name: 'tester', uid: 1000 }

export class Box {
  readonly name: string
  /** The cable and the network it sits in. */
  readonly space: Space
  readonly #leader: number
  readonly #nspawn: ChildProcess
  readonly #console: string

  private constructor(name: string, space: Space, leader: number, nspawn: ChildProcess, log: string) {
    this.name = name
    this.space = space
    this.#leader = leader
    this.#nspawn = nspawn
    this.#console = log
  }

  /** Boots it and waits for the user manager. `shown`: the folder in /host. */
  static async boot(name: string, suite: Suite, space: Space, log: string, shown = top): Promise<Box> {
    const folder = await template(suite)
    const socket = await NotifySocket.open()
    // Two boxes in one control group would end each other's processes.
    const own = hierarchies.filter(h => existsSync(`${h}/cgroup.procs`)).slice(0, 2)
    const join = own.map(h => `mkdir -p ${h}/${group(name)}; echo $$ > ${h}/${group(name)}/cgroup.procs`)
    const modules = shown === top ? realpathSync(`${top}/node_modules`) : `${top}/node_modules`
    const args = ['--quiet', `--directory=${folder}`, `--machine=${name}`, '--boot', '--register=no']
    args.push(
      '--keep-unit',
      '--volatile=overlay',
      '--link-journal=no',
      '--console=pipe',
      '--notify-ready=yes'
    )
    args.push('--resolv-conf=off', '--timezone=off', '--capability=CAP_NET_ADMIN,CAP_NET_RAW')
    args.push(`--network-namespace-path=/proc/${space.pid}/ns/net`, `--bind-ro=${shown}:/host`)
    if (modules !== `${top}/node_modules`) args.push(`--bind-ro=${modules}`)
    const fd = openSync(log, 'a')
    const nspawn = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'sh',
        '-c',
        `${join.join('\n')}\nexec "$@"`,
        'sh',
        ...['systemd-nspawn', ...args]
      ],
      { stdio: ['ignore', fd, fd], env: { ...process.env, NOTIFY_SOCKET: socket.path } }
    )
    closeSync(fd)
    const story = () => readFileSync(log, 'utf8').slice(-3000)
    let leader = 0
    const booted = async () => {
      for (;;) {
        const lines = (await socket.next()).split('\n')
        for (const line of lines)
          if (line.startsWith('X_NSPAWN_LEADER_PID=')) leader = Number(line.split('=')[1])
        if (leader && lines.includes('READY=1')) return
      }
    }
    const ended = once(nspawn, 'exit').then(() => {
      throw new Error(`the box ${name} ended\n${story()}`)
    })
    ended.catch(() => {})
    try {
      await within(60_000, `the box ${name} boots`, Promise.race([booted(), ended]), story)
    } finally {
      socket.close()
    }
    const box = new Box(name, space, leader, nspawn, log)
    await box.run('systemctl start user@1000.service')
    return box
  }

  /** As root inside. */
  try(command: readonly string[], options: Asked = {}): Promise<Ended> {
    const clean = ['env', '-i', '-C', '/root', 'HOME=/root', 'LANG=C.UTF-8', `PATH=${path}`]
    return this.#enter([...clean, ...command], options)
  }
  /** As tester, or somebody else who has an account, with what a login would give. */
  tryUser(command: readonly string[], options: Asked = {}): Promise<Ended> {
    return this.#enter([...login(options.as), ...command], options)
  }
  /** The same as a command of this computer, for who gives it a terminal. */
  words(command: readonly string[], as?: Account): string[] {
    return ['nsenter', ...this.#inside, ...login(as), ...command]
  }
  /** The same, for what does not end by itself; it ends with the box at the latest. */
  start(command: readonly string[], as?: Account): ChildProcess {
    const [program = '', ...args] = this.words(command, as)
    return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  }
  /** Makes an account. Nobody's service manager runs because of it. */
  async account(name: string, uid: number): Promise<Account> {
    await this.run(`useradd -m -u ${uid} -s /bin/bash ${name}`)
    return { name, uid }
  }
  async run(line: string | readonly string[]): Promise<string> {
    const words = typeof line === 'string' ? line.split(' ') : line
    return this.#must(words, await this.try(words, { timeoutMs: 90_000 }))
  }
  async user(line: string | readonly string[], input = '', as = TESTER): Promise<string> {
    const words = typeof line === 'string' ? line.split(' ') : line
    return this.#must(words, await this.tryUser(words, { timeoutMs: 90_000, input, as }))
  }

  /** A property of a unit of the user manager. */
  show(unit: string, property: string, as = TESTER): Promise<string> {
    return this.user(['systemctl', '--user', 'show', '-P', property, unit], '', as)
  }
  /** Asks again and again: a user manager tells of changes only those who stay connected to it. */
  async until(what: string, holds: () => Promise<boolean>, milliseconds = 30_000): Promise<void> {
    let over = false
    const event = (async () => {
      while (!over && !(await holds()));
    })()
    try {
      await within(milliseconds, `${this.name}: ${what}`, event)
    } catch (error) {
      throw new Error(`${(error as Error).message}${await this.journal()}`)
    } finally {
      over = true
    }
  }
  async journal(): Promise<string> {
    const { stdout } = await this.tryUser([
      'journalctl',
      '--user',
      '-n',
      '60',
      '--no-pager',
      '-o',
      'short-monotonic'
    ])
    return `--- journal of ${this.name}\n${stdout}`
  }

  async close(): Promise<void> {
    if (this.#nspawn.exitCode === null && this.#nspawn.signalCode === null) {
      const ended = once(this.#nspawn, 'exit')
      process.kill(this.#leader, 'SIGKILL')
      await ended
    }
    for (const hierarchy of hierarchies) remove(`${hierarchy}/${group(this.name)}`)
  }

  get #inside(): string[] {
    return ['-t', String(this.#leader), '-m', '-u', '-i', '-n', '-p', '-C', '--']
  }

  #enter(command: readonly string[], options: Asked): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = execFile(
        'nsenter',
        [...this.#inside, ...command],
        { timeout: options.timeoutMs ?? 30_000, killSignal: 'SIGKILL', maxBuffer: 64 << 20 },
        (error, stdout, stderr) => {
          if (error && typeof error.code !== 'number')
            reject(new Error(`${this.name}: ${command.join(' ')}: ${error.message}\n${stdout}${stderr}`))
          else resolve({ code: Number(error?.code ?? 0), stdout, stderr })
        }
      )
      child.stdin!.on('error', () => {}).end(options.input ?? '')
    })
  }

  async #must(words: readonly string[], { code, stdout, stderr }: Ended): Promise<string> {
    if (code === 0) return stdout.trim()
    const text = `${this.name}: ${words.join(' ')}: exit ${code}\n${stdout}${stderr}`
    throw new Error(`${text}\n${await this.journal()}\n${readFileSync(this.#console, 'utf8').slice(-500)}`)
  }
}

interface Asked {
  readonly input?: string
  readonly timeoutMs?: number
  /** Tester, when nobody is named. */
  readonly as?: Account
}

const path = '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Becomes them, with the environment of a login. */
function login({ name, uid }: Account = TESTER): string[] {
  const become = ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--init-groups']
  const runtime = `/run/user/${uid}`
  const session = [`XDG_RUNTIME_DIR=${runtime}`, `DBUS_SESSION_BUS_ADDRESS=unix:path=${runtime}/bus`]
  const clean = ['env', '-i', '-C', `/home/${name}`, `HOME=/home/${name}`, `USER=${name}`, 'LANG=C.UTF-8']
  return [...become, ...clean, `PATH=${path}`, ...session]
}

const group = (name: string) => `coterie-box-${process.pid}-${name}`

function remove(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) remove(`${folder}/${entry.name}`)
  try {
    rmdirSync(folder)
  } catch {
    // a process in it is still ending; an empty group does no harm
  }
}
