/**
 * A LAN out of network namespaces, for tests that multicast for real: hosts on one switch, nothing of it on
 * this machine's network. Needs root, iproute2, nftables and tcpdump; `unavailable` says what is missing.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PATIENCE_MS } from '../../lab/deadline.ts'

export function unavailable(...programs: string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const program of ['ip', 'nft', 'tcpdump', ...programs]) {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`])
    } catch {
      return `${program} is not installed`
    }
  }
  return undefined
}

/** The most packets of a capture in any span of so many milliseconds, by the kernel's times. */
export function mostWithin(milliseconds: number, packets: readonly string[]): number {
  const times = packets.map(packet => Number.parseFloat(packet) * 1_000).sort((a, b) => a - b)
  return Math.max(0, ...times.map(from => times.filter(at => at >= from && at < from + milliseconds).length))
}

type Teardown = { teardown(fn: () => unknown): void }
let counter = 0
/** A group that nobody else here uses. */
const LAST = '224.0.0.99'

export class Lan {
  readonly #prefix = `dst${process.pid}-${counter++}-`
  readonly #switch = `${this.#prefix}switch`
  readonly #folders: string[] = []
  readonly #processes = new Set<ChildProcess>()

  private constructor(t: Teardown) {
    t.teardown(() => this.#down())
  }

  /** Hosts named by one letter; `a` has 10.91.<net>.1/24 on eth0, `b` .2, and link-local IPv6 at once. */
  static up(t: Teardown, hosts: string): Lan {
    const lan = new Lan(t)
    run('ip', 'netns', 'add', lan.#switch)
    for (const net of [1, 2]) run('ip', '-n', lan.#switch, 'link', 'add', `br${net}`, 'up', 'type', 'bridge')
    for (const host of hosts) {
      run('ip', 'netns', 'add', lan.ns(host))
      lan.in(host, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad')
      run('ip', '-n', lan.ns(host), 'link', 'set', 'lo', 'up')
      lan.plug(host)
    }
    return lan
  }

  ns(host: string): string {
    return this.#prefix + host
  }

  /** Gives a host its interface on a net: eth0 on 1, eth1 on 2. It is in use when this returns. */
  plug(host: string, net = 1): void {
    const [name, port, ns] = [`eth${net - 1}`, `${host}${net}`, this.ns(host)]
    run('ip', '-n', this.#switch, 'link', 'add', port, 'type', 'veth', 'peer', 'name', name, 'netns', ns)
    run('ip', '-n', this.#switch, 'link', 'set', port, 'master', `br${net}`, 'up')
    run('ip', '-n', ns, 'addr', 'add', `${this.address(host, net)}/24`, 'dev', name)
    run('ip', '-n', ns, 'link', 'set', name, 'up')
    // the kernel says that there is a carrier up to a second later, and lists no address before that
    const end = performance.now() + PATIENCE_MS
    const state = () => run('ip', '-n', ns, 'address', 'show', 'dev', name)
    while (!/state UP[\s\S]* fe80::/.test(state())) {
      if (performance.now() > end) throw new Error(`${name} of ${host} does not come up: ${state()}`)
    }
  }

  unplug(host: string, net = 1): void {
    run('ip', '-n', this.ns(host), 'link', 'del', `eth${net - 1}`)
  }

  address(host: string, net = 1): string {
    return `10.91.${net}.${host.charCodeAt(0) - 96}`
  }

  mac(host: string, net = 1): string {
    return this.in(host, 'cat', `/sys/class/net/eth${net - 1}/address`).trim()
  }

  /** A new folder, removed with the Lan. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'lan-'))
    this.#folders.push(folder)
    return folder
  }

  /** Runs to the end inside a host; its output. */
  in(host: string, ...command: string[]): string {
    return run('ip', 'netns', 'exec', this.ns(host), ...command)
  }

  start(host: string, ...command: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.ns(host), ...command])
    this.#processes.add(child)
    child.on('exit', () => this.#processes.delete(child))
    return child
  }

  /** The kernel chooses none of the ports for a socket that a UDP socket of the host has now, ever again. */
  reservePorts(host: string): void {
    const held = this.in(host, 'ss', '-Hlun').matchAll(/:(\d+)\s/g)
    const reserved = '/proc/sys/net/ipv4/ip_local_reserved_ports'
    const before = this.in(host, 'cat', reserved).trim()
    const ports = [...(before && [before]), ...[...held].map(([, port]) => port)]
    this.in(host, 'sh', '-c', `echo ${[...new Set(ports)].join()} > ${reserved}`)
  }

  /** The nft rules of a host from now on, in table inet t with chains i (input) and o (output). */
  firewall(host: string, ...rules: string[]): void {
    const input = 'chain i { type filter hook input priority 0; }'
    const output = 'chain o { type filter hook output priority 0; }'
    this.in(host, 'nft', ['flush ruleset', 'table inet t {', input, output, '}', ...rules].join('\n'))
  }

  /**
   * Everything that the filter lets through on a host's interface from now on, one text for each packet. The
   * end is a packet of our own that has come through too, so that nothing from before it can be missing.
   */
  async capture(host: string, net: number, filter: string): Promise<{ stop(): Promise<string[]> }> {
    const options = ['-nnAtt', '-l', '-s0', '--immediate-mode', '-i', `eth${net - 1}`]
    const child = this.start(host, 'tcpdump', ...options, `(${filter}) or udp dst port 9`)
    let text = ''
    let onText = () => {}
    child.stdout!.on('data', chunk => {
      text += String(chunk)
      onText()
    })
    const ended = new Promise(resolve => child.on('close', resolve))
    for await (const line of createInterface({ input: child.stderr! }))
      if (line.includes('listening on')) break
    child.stderr!.resume()
    const stop = async () => {
      const last = new Promise<void>(resolve => {
        onText = () => text.includes(`> ${LAST}.9:`) && resolve()
      })
      const send = `s=require('dgram').createSocket('udp4').bind(0,'${this.address(host, net)}',()=>{
        s.setMulticastInterface('${this.address(host, net)}');s.send('.',9,'${LAST}',()=>s.close())})`
      this.in(host, process.execPath, '-e', send)
      await last
      child.kill('SIGINT')
      await ended
      return text
        .split(/^(?=\d+\.\d+ )/m)
        .filter(packet => packet.trim() !== '' && !packet.includes(`> ${LAST}.9:`))
    }
    return { stop }
  }

  async #down(): Promise<void> {
    await Promise.all(
      [...this.#processes].map(child => {
        const ended = new Promise(resolve => child.on('exit', resolve))
        child.kill('SIGKILL')
        return ended
      })
    )
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
    const names = run('ip', 'netns', 'list').split('\n')
    for (const name of names.map(line => line.split(' ')[0]!)) {
      if (name.startsWith(this.#prefix)) run('ip', 'netns', 'del', name)
    }
  }
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
