/** One computer of the lab: its NetworkManager, its buses, its daemon, and the commands typed on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Client } from '../../src/cli/client.ts'
import { Bus, Variant } from '../../src/host/bus.ts'
import type { Counters } from './counters.ts'
import { Daemon, type Happened } from './daemon.ts'
import { PATIENCE_MS, within } from './deadline.ts'
import type { Lan, Switch } from './lab.ts'
import { type Ended, type Environment, inner, Space } from './space.ts'

const top = new URL('../..', import.meta.url).pathname

export class Host {
  readonly name: string
  /** Its number: h2 is 2, and has 10.77.1.12 in LAN a. */
  readonly number: number
  readonly space: Space
  readonly folder: string
  readonly #switch: Switch
  readonly #programs = new Map<string, ChildProcess>()
  #daemon: Daemon | undefined
  #system: Bus | undefined

  private constructor(name: string, number: number, space: Space, folder: string, wires: Switch) {
    this.name = name
    this.number = number
    this.space = space
    this.folder = folder
    this.#switch = wires
  }

  static async open(name: string, number: number, folder: string, wires: Switch): Promise<Host> {
    for (const part of ['home', 'run', 'etc/system-connections', 'state'])
      mkdirSync(`${folder}/${part}`, { recursive: true, mode: 0o700 })
    writeFileSync(`${folder}/state/hostname`, `${name}\n`) // NetworkManager would set the machine's
    writeFileSync(`${folder}/etc/NetworkManager.conf`, networkManagerConfig)
    writeFileSync(`${folder}/etc/system-connections/lan.nmconnection`, lanProfile, { mode: 0o600 })
    const environment: Environment = {
      PATH: `${top}node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: 'C.UTF-8',
      NODE_COMPILE_CACHE: `${top}node_modules/.cache/compile`,
      HOME: `${folder}/home`,
      XDG_RUNTIME_DIR: `${folder}/run`,
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${folder}/run/system_bus`,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder}/run/bus`
    }
    const space = await Space.open(
      name,
      environment,
      `mkdir -p /run/NetworkManager /run/dbus /run/avahi-daemon
       mount --bind ${folder}/etc /etc/NetworkManager
       [ ! -e /etc/hostname ] || mount --bind ${folder}/state/hostname /etc/hostname
       mount -t tmpfs tmpfs /var/lib/NetworkManager
       [ ! -d /etc/avahi/services ] || mount -t tmpfs tmpfs /etc/avahi/services`
    )
    return new Host(name, number, space, folder, wires)
  }

  // --- cables -------------------------------------------------------------------------------------------

  /** Plugs an interface into a LAN: the same card (same MAC) elsewhere, or another one (any number from 2). */
  async plug(lan: Lan, name = 'eth0', card = name === 'eth0' ? 0 : 1): Promise<void> {
    await this.#switch.plug(this, name, lan, card)
  }
  async unplug(name = 'eth0'): Promise<void> {
    await this.space.run(`ip link del ${name}`)
  }
  /** Carried over to another LAN; NetworkManager gives it an address there. */
  async move(lan: Lan): Promise<void> {
    await this.unplug()
    await this.plug(lan)
    await this.addressed(this.address(lan))
  }
  /**
   * Its own IPv4 address in LAN a is replaced, as in NetworkManager's settings. Resolves when the kernel has the new
   * one, with performance.now().
   */
  async renumber(address: string): Promise<number> {
    const ipv4 = `ipv4.method manual ipv4.addresses ${address}/24 ipv4.gateway 10.77.1.1`
    await this.nmcli(`con mod lan ${ipv4}`)
    const [at] = await Promise.all([this.addressed(address), this.nmcli('con up lan')])
    return at
  }
  /** The address DHCP gives it in that LAN. */
  address(lan: Lan, name = 'eth0'): string {
    return `10.77.${lan === 'a' ? 1 : 2}.${(name === 'eth0' ? 10 : 20) + this.number}`
  }
  /** Resolves when the kernel has that address (or one that begins so, with a dot), with performance.now(). */
  async addressed(address: string, milliseconds?: number): Promise<number> {
    return (await this.awaits(address, milliseconds)).at
  }
  /** The same; resolves when no such moment can be missed any more. */
  async awaits(address: string, milliseconds = PATIENCE_MS): Promise<{ readonly at: Promise<number> }> {
    const kernel = this.lines(['python3', `${top}test/lab/addresses.py`])
    const listening = Promise.withResolvers<void>()
    const event = (async () => {
      for await (const line of kernel.lines) {
        if (line === 'listening') listening.resolve()
        else if (address.endsWith('.') ? line.startsWith(address) : line === address) return performance.now()
      }
      throw new Error('addresses.py ended')
    })()
    const at = within(milliseconds, `${this.name} gets ${address}`, event, () => this.story())
    at.catch(() => {}).finally(() => kernel.stop())
    await Promise.race([listening.promise, at])
    return { at }
  }

  // --- what runs on it ------------------------------------------------------------------------------------

  async bus(kind: 'session' | 'system'): Promise<void> {
    const socket = `${this.folder}/run/${kind === 'session' ? 'bus' : 'system_bus'}`
    const config = `${this.folder}/state/${kind}.conf`
    writeFileSync(config, busConfig(kind, socket))
    const child = this.program(
      `${kind} bus`,
      ['dbus-daemon', `--config-file=${config}`, '--nofork', '--print-address=3'],
      3
    )
    await within(PATIENCE_MS, `${this.name}: ${kind} bus`, once(child.stdio[3]!, 'data'), () => this.story())
  }
  async networkManager(): Promise<void> {
    this.program('NetworkManager', ['NetworkManager', '--debug'])
    await this.space.run('gdbus wait --system --timeout 60 org.freedesktop.NetworkManager')
  }
  async avahi(): Promise<void> {
    const config = `${this.folder}/state/avahi.conf`
    writeFileSync(config, avahiConfig(this.name))
    this.program('avahi', ['avahi-daemon', '--no-chroot', '--no-drop-root', '--no-rlimits', '-f', config])
    await this.space.run('gdbus wait --system --timeout 60 org.freedesktop.Avahi')
  }
  /** It runs on battery, as a UPower played by us says; to be called before the daemon starts. */
  async battery(): Promise<void> {
    const bus = await this.#systemBus()
    bus.serve(async () => ({ signature: 'v', body: [new Variant('b', true)] }))
    await bus.requestName('org.freedesktop.UPower')
  }
  /** Our own place on its system bus. */
  async #systemBus(): Promise<Bus> {
    if (this.#system) return this.#system
    const address = `unix:path=${this.folder}/run/system_bus`
    const bus = new Bus({ kind: 'system', address, log: () => {} })
    const up = new Promise<void>(resolve => bus.onUp(resolve))
    this.#system = bus
    bus.start()
    await within(PATIENCE_MS, `${this.name}: we are on its system bus`, up, () => this.story())
    return bus
  }
  /** A logind played by python3-dbusmock. */
  async logind(): Promise<void> {
    this.program('logind', ['/usr/bin/python3', '-m', 'dbusmock', '--system', '--template', 'logind'])
    await this.space.run('gdbus wait --system --timeout 60 org.freedesktop.login1')
  }
  /** It says that the computer is about to sleep, or is awake again; resolves performance.now() of the signal. */
  async prepareForSleep(sleeping: boolean): Promise<number> {
    const bus = await this.#systemBus()
    const [path, manager] = ['/org/freedesktop/login1', 'org.freedesktop.login1.Manager']
    const said = Promise.withResolvers<number>()
    const end = bus.match({ path, interface: manager, member: 'PrepareForSleep' }, () =>
      said.resolve(performance.now())
    )
    try {
      await bus.call({
        destination: 'org.freedesktop.login1',
        path,
        interface: 'org.freedesktop.DBus.Mock',
        member: 'EmitSignal',
        timeoutMs: PATIENCE_MS,
        signature: 'sssav',
        body: [manager, 'PrepareForSleep', 'b', [new Variant('b', sleeping)]]
      })
      return await within(PATIENCE_MS, `${this.name}: PrepareForSleep`, said.promise, () => this.story())
    } finally {
      end()
    }
  }
  /** What delays sleep here, by who asked for it. */
  async inhibitors(): Promise<string[]> {
    const manager = 'org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager'
    const text = await this.space.run(
      `busctl --system --json=short call ${manager} ListInhibitors`.split(' ')
    )
    return (JSON.parse(text).data[0] as unknown[][]).map(([, who]) => String(who))
  }
  /** Ends one of the programs above, or one started by `program`. */
  async end(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#programs.get(name)
    const pid = child && inner(child)
    if (!child || !pid) throw new Error(`${name} does not run on ${this.name}\n${this.story()}`)
    const ended = once(child, 'exit')
    process.kill(pid, signal)
    await within(PATIENCE_MS, `${name} on ${this.name} ends`, ended, () => this.story())
    this.#programs.delete(name)
  }
  /** Starts a program that goes on; its output is in `story`. `pipe` is a further descriptor to read. */
  program(name: string, command: readonly string[], pipe?: 3): ChildProcess {
    const fd = openSync(`${this.folder}/state/${name.replaceAll(' ', '-')}.log`, 'a')
    const child = this.space.spawn(command, { stdio: ['ignore', fd, fd, ...(pipe ? ['pipe' as const] : [])] })
    closeSync(fd)
    this.#programs.set(name, child)
    return child
  }

  /** What we play on its buses ends. */
  async close(): Promise<void> {
    await this.#system?.close()
  }
  /** From now on programs here start without these variables. */
  without(...names: string[]): void {
    for (const name of names) delete this.space.environment[name]
  }

  /** Starts the daemon. */
  async start(...args: string[]): Promise<Daemon> {
    this.#daemon = await Daemon.start(this.space, `${this.folder}/state/coteried.log`, args)
    return this.#daemon
  }
  /** Starts the daemon so that it can be asked what it holds. */
  async startCounted(): Promise<Daemon> {
    const { environment } = this.space
    environment['COTERIE_COUNTERS'] = `${this.folder}/state/counters`
    environment['NODE_OPTIONS'] = `--import=${new URL('counters.ts', import.meta.url)}`
    try {
      return await this.start()
    } finally {
      this.without('NODE_OPTIONS', 'COTERIE_COUNTERS')
    }
  }
  /** What a daemon that was started so holds now; descriptors by /proc, resident memory in bytes. */
  async counters(): Promise<Counters & { descriptors: number; resident: number }> {
    const file = `${this.folder}/state/counters`
    const read = () => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Counters) : undefined)
    const before = read()?.serial ?? 0
    const { pid } = this.daemon
    process.kill(pid, 'SIGUSR2')
    const answer = (async () => {
      for (; ; await new Promise(setImmediate)) {
        const counters = read()
        if (counters !== undefined && counters.serial > before) return counters
      }
    })()
    const counters = await within(PATIENCE_MS, `${this.name} tells what it holds`, answer, () => this.story())
    const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    const descriptors = readdirSync(`/proc/${pid}/fd`).length
    return { ...counters, descriptors, resident: Number(kilobytes) * 1024 }
  }
  get daemon(): Daemon {
    if (!this.#daemon) throw new Error(`no daemon was started on ${this.name}`)
    return this.#daemon
  }

  // --- what is typed on it ----------------------------------------------------------------------------------

  /** `coterie …`, words parted by blanks. With --json the parsed record, else the text. Fails with the exit code. */
  // biome-ignore lint/suspicious/noExplicitAny: its shape is the command's
  async coterie(line: string, input?: string): Promise<any> {
    const { code, stdout, stderr } = await this.tryCoterie(line, input)
    if (code !== 0)
      throw new Error(`${this.name}: coterie ${line}: exit ${code}\n${stdout}${stderr}\n${this.story()}`)
    return line.includes('--json') ? JSON.parse(stdout) : stdout.trim()
  }
  tryCoterie(line: string, input?: string): Promise<Ended> {
    const options = { timeoutMs: 90_000, ...(input === undefined ? {} : { input }) }
    return this.space.try([`${top}bin/coterie`, ...line.split(' ')], options)
  }
  /** `coterie invite --yes`: its code, and who joined with it. */
  async invites(): Promise<{
    code: string
    joined: () => Promise<{ readonly [name: string]: unknown }>
  }> {
    const { lines } = this.lines([`${top}bin/coterie`, 'invite', '--yes', '--json'])
    const next = async () => {
      const { value, done } = await lines.next()
      if (done) throw new Error(`coterie invite on ${this.name} ended\n${this.story()}`)
      return JSON.parse(value) as { readonly [name: string]: unknown }
    }
    const code = String((await next())['Code'])
    const joined = async () => {
      let record = await next()
      while (record['Level'] === undefined) record = await next()
      return record
    }
    return { code, joined }
  }
  /** A connection to the daemon's socket. */
  client(): Promise<Client> {
    return Client.open(`${this.folder}/run/coterie/coterie.sock`)
  }
  /** Gives eth0 that address in the place of the one it has, as another lease would. */
  async readdress(address: string): Promise<void> {
    const gateway = address.replace(/\d+$/, '1')
    await this.nmcli(
      `device modify eth0 ipv4.method manual ipv4.addresses ${address}/24 ipv4.gateway ${gateway}`
    )
  }
  /** It has no IPv6 address, and so none that stays when the other one changes. */
  async withoutIpv6(): Promise<void> {
    await this.nmcli('con modify lan ipv6.method disabled')
    await this.nmcli('con up lan')
    await this.addressed(`10.77.`)
  }
  nmcli(line: string): Promise<string> {
    return this.space.run(['nmcli', '--wait', '60', ...line.split(' ')])
  }
  /** `busctl --user …`, its JSON parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: its shape is the command's
  async busctl(line: string): Promise<any> {
    return JSON.parse(await this.space.run(`busctl --user --timeout=60 --json=short ${line}`))
  }
  /** Properties of all objects on D-Bus, whatever their interface. */
  async managed(): Promise<{ readonly [name: string]: unknown }[]> {
    const root = 'org.coterie.Coterie1 /org/coterie/Coterie1 org.freedesktop.DBus.ObjectManager'
    const { data } = await this.busctl(`call ${root} GetManagedObjects`)
    return Object.values(data[0] as { [path: string]: { [interface_: string]: object } }).map(interfaces =>
      Object.fromEntries(
        Object.values(interfaces)
          .flatMap(properties => Object.entries(properties))
          .map(([name, { data }]) => [name, data])
      )
    )
  }
  /** Path of the listener on that address on D-Bus. */
  listenerPath(address: string): string {
    for (const [path, { kind, properties }] of this.daemon.objects)
      if (kind === 'Listener' && properties['Address'] === address) return `/org/coterie/Coterie1${path}`
    throw new Error(`${this.name} does not listen on ${address}`)
  }
  /** Local ends of listening TCP sockets, as `10.77.1.11:24747`. */
  async listening(): Promise<string[]> {
    const text = await this.space.run('ss --tcp --listening --numeric --no-header')
    return text.split('\n').flatMap(line => line.trim().split(/\s+/)[3] ?? [])
  }
  /** Resolves when something here has bound that port. */
  async bound(protocol: 'tcp' | 'udp', port: number): Promise<void> {
    const event = (async () => {
      while (!(await this.space.run(`ss --${protocol} -l -n -H sport = ${port}`)));
    })()
    await within(PATIENCE_MS, `${this.name} binds ${protocol} ${port}`, event)
  }
  /** A program read line by line. */
  lines(command: readonly string[]): {
    lines: AsyncIterableIterator<string>
    child: ChildProcess
    stop(): void
  } {
    const child = this.space.spawn(command, { stdio: ['ignore', 'pipe', 'ignore'] })
    return {
      // made now, so that no line is lost before somebody reads
      lines: createInterface(child.stdout!)[Symbol.asyncIterator](),
      child,
      stop: () => {
        const pid = inner(child)
        if (pid) spawn('kill', ['-9', String(pid)])
        child.stdout!.destroy()
      }
    }
  }

  // --- what it sees -----------------------------------------------------------------------------------------

  /** Waits until the daemon here shows that peer in that state. */
  sees(peer: string, state: string, milliseconds?: number): Promise<Happened | undefined> {
    const holds = () =>
      state === 'gone' ? !this.daemon.peer(peer) : this.daemon.peer(peer)?.['State'] === state
    return this.daemon.until(`sees ${peer} ${state}`, holds, milliseconds)
  }
  /** Waits until the daemon here shows that peer as reachable and at that address, the one in use. */
  uses(peer: string, address: string, milliseconds?: number): Promise<Happened | undefined> {
    const holds = () => {
      const { State, Addresses } = this.daemon.peer(peer) ?? {}
      return State === 'reachable' && String((Addresses as string[])[0]).startsWith(`tcp://${address}:`)
    }
    return this.daemon.until(`uses ${address} of ${peer}`, holds, milliseconds)
  }
  /** Waits until the daemon here listens on that address, or no more. */
  listens(address: string, yes = true, milliseconds?: number): Promise<Happened | undefined> {
    const holds = () => this.daemon.listeners.some(l => l['Address'] === address) === yes
    return this.daemon.until(`${yes ? 'listens' : 'listens no more'} on ${address}`, holds, milliseconds)
  }

  /** The end of the daemon's log. */
  tail(): string {
    return this.#daemon?.tail() ?? ''
  }
  /** Waits until it listens somewhere: a ticket made before would carry no address. */
  dialable(): Promise<Happened | undefined> {
    const holds = () => this.daemon.listeners.some(l => !String(l['Address']).startsWith('fe80:'))
    return this.daemon.until('listens', holds)
  }
  story = (): string => {
    const logs = [...this.#programs.keys()].map(name => {
      const text = readFileSync(`${this.folder}/state/${name.replaceAll(' ', '-')}.log`, 'utf8')
      return `--- ${name} on ${this.name}\n${text.trimEnd().split('\n').slice(-12).join('\n')}`
    })
    return [...logs, this.#daemon?.story() ?? ''].join('\n')
  }
}

const networkManagerConfig = `[main]
plugins=keyfile
auth-polkit=false
dns=none
rc-manager=unmanaged
dhcp=internal
hostname-mode=none
no-auto-default=*
[keyfile]
unmanaged-devices=interface-name:lo
`
/** Any cable gets an address by DHCP. */
export const lanProfile = `[connection]
id=lan
uuid=7d5d0f4e-5a77-4f0e-9d5c-3a1de3bd7a01
type=ethernet
multi-connect=3
[ipv4]
method=auto
[ipv6]
method=link-local
`
const busConfig = (kind: string, socket: string): string => `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>${kind}</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
`
const avahiConfig = (name: string): string => `[server]
host-name=${name}
allow-interfaces=eth0
ratelimit-interval-usec=1000000
ratelimit-burst=1000
[publish]
publish-workstation=no
`
