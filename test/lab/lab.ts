/**
 * Virtual LANs with real programs: LAN a (10.77.1.0/24) and LAN b (10.77.2.0/24), a router between them
 * (no address translation, no multicast) that gives addresses by DHCP, and computers h1, h2, … each with a
 * NetworkManager and buses of its own. Nothing touches this machine's own network, and two labs do not
 * see each other.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Box } from './box.ts'
import { Capture } from './capture.ts'
import { PATIENCE_MS, within } from './deadline.ts'
import { Host } from './host.ts'
import { Plain } from './plain.ts'
import { Space } from './space.ts'
import type { Suite } from './template.ts'

export type Lan = 'a' | 'b'
const here = new URL('.', import.meta.url).pathname
interface Test {
  teardown(fn: () => unknown): unknown
}

const open = new Set<Lab>()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(signal, async () => {
    await Promise.all([...open].map(lab => lab.down()))
    process.exit(1)
  })

/** All cables end here: one bridge a LAN. */
export class Switch {
  readonly space: Space
  constructor(space: Space) {
    this.space = space
  }
  async plug(
    host: { name: string; number: number; space: Space },
    name: string,
    lan: Lan,
    card = 0
  ): Promise<void> {
    const port = `${host.name}-${name}`
    const hex = (n: number) => n.toString(16).padStart(2, '0')
    const mac = `02:77:00:00:${hex(card)}:${hex(host.number)}`
    const far = ['name', name, 'address', mac, 'netns', String(host.space.pid)]
    await this.space.ip('link', 'add', 'name', port, 'type', 'veth', 'peer', ...far)
    await this.space.run(`ip link set ${port} master lan-${lan} up`)
  }
  /** Cuts a cable without a word, as a bad switch does: no carrier is lost. Or mends it. */
  async cut(host: { name: string }, cut = true, name = 'eth0'): Promise<void> {
    await this.space.run(`bridge link set dev ${host.name}-${name} state ${cut ? 0 : 3}`)
  }
  /**
   * From now on the cable of that computer is a bad one for what it sends: that share of frames is lost, the
   * others are late by so many milliseconds, more or less.
   */
  async noise(host: { name: string }, loss: number, delayMs: number, jitterMs: number): Promise<void> {
    const [port, near, far] = ['eth0', 'near', 'far'].map(end => `${host.name}-${end}`) as [
      string,
      ...string[]
    ]
    const relay = ['python3', `${here}noise.py`, near!, far!, String(loss), String(delayMs), String(jitterMs)]
    const child = this.space.spawn(relay, { stdio: ['pipe', 'pipe', 'inherit'] })
    await within(PATIENCE_MS, `a bad cable for ${host.name}`, once(child.stdout!, 'data'))
    const lan = (await this.space.run(`ip -o link show ${port}`)).match(/ master (\S+)/)![1]!
    await this.space.run(`ip link add name ${host.name}-noise type bridge forward_delay 0 mcast_snooping 0`)
    for (const [end, bridge] of [
      [port, `${host.name}-noise`],
      [near, `${host.name}-noise`],
      [far, lan]
    ] as const)
      await this.space.run(`ip link set ${end} master ${bridge} up`)
    await this.space.run(`ip link set ${host.name}-noise up`)
  }
  /** Passes nothing from one to the other but multicast and broadcast, as access points do; or again everything. */
  async apart(one: { number: number }, other: { number: number }, apart = true): Promise<void> {
    await this.space.run('nft add table bridge apart')
    await this.space.run('nft delete table bridge apart')
    if (!apart) return
    const mac = ({ number }: { number: number }) => `02:77:00:00:00:${number.toString(16).padStart(2, '0')}`
    const drop = (from: string, to: string) => `ether saddr ${from} ether daddr ${to} drop`
    const [a, b] = [mac(one), mac(other)]
    const chain = `type filter hook forward priority 0\n${drop(a, b)}\n${drop(b, a)}`
    await this.space.run(['nft', `table bridge apart {\nchain pass {\n${chain}\n}\n}`])
  }
  /** Takes the far end of a cable down or up: the computer sees its carrier go and come. */
  async cable(host: { name: string }, state: 'down' | 'up', name = 'eth0'): Promise<void> {
    await this.space.run(`ip link set ${host.name}-${name} ${state}`)
  }
}

export class Lab {
  readonly folder: string
  readonly wires: Switch
  readonly hosts = new Map<string, Host>()
  readonly #spaces: Space[] = []
  #router: Space | undefined
  readonly #boxes: Box[] = []
  #down: Promise<void> | undefined

  private constructor(folder: string, wires: Switch) {
    this.folder = folder
    this.wires = wires
  }

  /** Builds it, with NetworkManager connected on each computer; it goes with the test. */
  static async up(t: Test, places: { readonly [host: string]: Lan }): Promise<Lab> {
    const folder = mkdtempSync(join(tmpdir(), 'lab-'))
    const bridges = ['a', 'b'].map(
      l => `ip link add name lan-${l} type bridge forward_delay 0 mcast_snooping 0; ip link set lan-${l} up`
    )
    const lab = new Lab(folder, new Switch(await Space.open('switch', path, bridges.join('\n'))))
    open.add(lab)
    t.teardown(() => lab.down())
    try {
      await Promise.all([lab.#route(), ...Object.keys(places).map(name => lab.#add(name))])
      await Promise.all(
        Object.entries(places).map(async ([name, lan]) => {
          const host = lab.host(name)
          await Promise.all([host.bus('system'), host.bus('session')])
          await host.plug(lan)
          await host.networkManager()
          await host.addressed(host.address(lan))
        })
      )
    } catch (error) {
      await lab.down()
      throw error
    }
    return lab
  }

  host(name: string): Host {
    const host = this.hosts.get(name)
    if (!host) throw new Error(`the lab has no ${name}`)
    return host
  }

  /** Hosts by name, for taking apart. */
  all<const Names extends readonly string[]>(...names: Names): { [I in keyof Names]: Host } {
    return names.map(name => this.host(name)) as { [I in keyof Names]: Host }
  }
  /** Makes a circle of these: the first one begins, the others join by its tickets, as admins; all see each other. */
  async circle(first: Host, ...others: Host[]): Promise<void> {
    const hosts = [first, ...others]
    await Promise.all(hosts.map(host => host.start()))
    await first.coterie('init --name home')
    await first.dialable()
    for (const host of others)
      await host.coterie('join - --yes', await first.coterie('invite --ticket --level 5'))
    await Promise.all(
      hosts.flatMap(one =>
        hosts.filter(h => h !== one).map(other => one.sees(other.name, 'reachable', PATIENCE_MS))
      )
    )
  }

  /** A computer in LAN a without a NetworkManager; its number is from 10 to 99. */
  async plain(number: number): Promise<Plain> {
    const plain = await Plain.open(number, this.folder, this.wires)
    this.#spaces.push(plain.space)
    return plain
  }

  /** From now on LAN b is behind address translation: from LAN a nobody can connect to a computer there. */
  async translate(): Promise<void> {
    await this.#router!.run([
      'nft',
      `table ip lab {
        chain out { type nat hook postrouting priority 100; oifname "lana" masquerade; }
        chain pass {
          type filter hook forward priority 0; policy drop;
          ct state established,related accept
          iifname "lanb" oifname "lana" accept
        }
      }`
    ])
  }

  /** Everything that passes a LAN, or one computer's cable (`h3`), from now on. */
  capture(where: Lan | string): Promise<Capture> {
    const port = where === 'a' || where === 'b' ? `lan-${where}` : `${where}-eth0`
    return Capture.start(this.wires.space, port, join(this.folder, `${where}-${Date.now()}.pcap`))
  }

  /** A booted computer on a LAN; its number must be another than the hosts'. `shown`: the folder in /host. */
  async box(name: string, number: number, suite: Suite, lan: Lan, shown?: string): Promise<Box> {
    const space = await Space.open(name, path)
    this.#spaces.push(space)
    await this.wires.plug({ name, number, space }, 'eth0', lan)
    const box = await Box.boot(name, suite, space, join(this.folder, `${name}.console`), shown)
    this.#boxes.push(box)
    return box
  }

  down(): Promise<void> {
    this.#down ??= (async () => {
      await Promise.all(this.#boxes.map(box => box.close()))
      await Promise.all([...this.hosts.values()].map(host => host.close()))
      const spaces = [...[...this.hosts.values()].map(h => h.space), ...this.#spaces, this.wires.space]
      await Promise.all(spaces.map(space => space.close()))
      rmSync(this.folder, { recursive: true, force: true })
      open.delete(this)
    })()
    return this.#down
  }

  async #add(name: string): Promise<void> {
    const number = Number(name.slice(1))
    this.hosts.set(name, await Host.open(name, number, join(this.folder, name), this.wires))
  }

  async #route(): Promise<void> {
    const space = await Space.open('router', path, 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    this.#spaces.push(space)
    this.#router = space
    const config = join(this.folder, 'dnsmasq.conf')
    const lines = [
      'port=0',
      'bind-interfaces',
      'except-interface=lo',
      'dhcp-authoritative',
      'no-ping',
      'user=root'
    ]
    lines.push(`dhcp-leasefile=${this.folder}/leases`, 'keep-in-foreground', 'log-facility=-')
    for (const [lan, net] of [
      ['a', '10.77.1'],
      ['b', '10.77.2']
    ] as const) {
      await this.wires.plug({ name: 'r', number: lan === 'a' ? 201 : 202, space }, `lan${lan}`, lan)
      await space.run(`ip address add ${net}.1/24 dev lan${lan}`)
      await space.run(`ip link set lan${lan} up`)
      lines.push(`dhcp-range=set:${lan},${net}.100,${net}.150,120`, `dhcp-option=tag:${lan},3,${net}.1`)
      for (let n = 1; n <= 9; n++)
        for (const card of [0, 1])
          lines.push(`dhcp-host=02:77:00:00:0${card}:0${n},set:x,${net}.${(card ? 20 : 10) + n}`)
    }
    writeFileSync(config, `${lines.join('\n')}\n`)
    const dnsmasq = space.spawn(['dnsmasq', `--conf-file=${config}`], { stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((resolve, reject) => {
      let said = ''
      dnsmasq.stderr!.setEncoding('utf8').on('data', text => {
        said += text
        if (said.includes('DHCP, IP range')) resolve()
      })
      dnsmasq.once('exit', () => reject(new Error(`dnsmasq: ${said}`)))
    })
  }
}

const path = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }
