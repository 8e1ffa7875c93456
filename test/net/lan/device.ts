/**
 * One device of a Lan, to be run inside a host: Discovery with real announcements. Arguments: a byte that makes
 * the id, a byte that makes the circle's key. Commands as JSON lines on stdin, reports on stdout.
 */
import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { makeAnnouncement, recognise, slotAt } from '../../../src/crypto/announcement.ts'
import { randomBytes } from '../../../src/crypto/provider.ts'
import { Discovery, type DiscoveryInterface } from '../../../src/net/discovery.ts'

export interface Command {
  /** A new Discovery instead of the one before. */
  fresh?: true
  apply?: Partial<DiscoveryInterface>[]
  circles?: number
  rotate?: true
  query?: true
  state?: true
  stop?: true
  /** Like another program on this host: joins both groups on this address. */
  join?: string
  /** Holds this port for itself; 0 = no longer. */
  hold?: number
}

const [id, key] = process.argv.slice(2).map(byte => new Uint8Array(32).fill(Number(byte))) as [
  Uint8Array,
  Uint8Array
]
let circles = 1
let held: Socket | undefined
const say = (report: object) =>
  process.stdout.write(`${JSON.stringify({ ...report, at: performance.timeOrigin + performance.now() })}\n`)
const slot = () => slotAt(Date.now() / 1000)

const make = () =>
  new Discovery({
    log: (_level, text) => say({ log: text }),
    onHeard({ interface: name, source, announcement, via }) {
      const found = recognise(announcement, [key], slot())
      const who = found === undefined ? 'stranger' : Number.parseInt(found.prefix.slice(0, 2), 16)
      say({ heard: who, interface: name, source, via, port: found?.port ?? 0 })
    },
    announcements: (_name, port) =>
      Array.from({ length: circles }, (_, i) => ({
        circle: String(i),
        bytes: makeAnnouncement({ key, id, port, slot: slot(), salt: randomBytes(8) })
      })),
    circleOf: announcement => (recognise(announcement, [key], slot()) ? '0' : undefined)
  })
let discovery = make()

/** The interface as the kernel has it, with what the command says about it. */
function interfaceOf(of: Partial<DiscoveryInterface>): DiscoveryInterface {
  const infos = networkInterfaces()[of.name!] ?? []
  const mac = infos[0]?.mac ?? ''
  return {
    name: '',
    index: infos.find(({ scopeid }) => scopeid)?.scopeid ?? 1,
    addresses: infos.map(({ address, cidr }) => ({ address, prefix: Number(cidr!.split('/')[1]) })),
    policy: 'announce',
    port: 24747,
    multicast: true,
    mac,
    ...of
  }
}

async function obey(command: Command): Promise<void> {
  if (command.circles !== undefined) circles = command.circles
  if (command.fresh) {
    await discovery.stop()
    discovery = make()
  }
  if (command.apply) {
    const interfaces = command.apply.map(interfaceOf)
    say({ applied: true })
    await discovery.apply(interfaces)
  }
  if (command.rotate) discovery.rotate()
  if (command.query) discovery.query()
  if (command.stop) await discovery.stop()
  if (command.join) {
    for (const [group, port] of [['224.0.0.251', 5353] as const, ['239.255.255.250', 1900] as const]) {
      const socket = createSocket({ type: 'udp4', reuseAddr: true })
      await new Promise<void>(resolve => socket.bind(port, group, resolve))
      socket.addMembership(group, command.join)
    }
  }
  if (command.hold !== undefined) {
    held?.close()
    held = command.hold === 0 ? undefined : createSocket('udp4')
    await new Promise<void>(resolve => (held ? held.bind(command.hold, '0.0.0.0', resolve) : resolve()))
  }
  if (command.state) {
    say({ state: discovery.state, counters: discovery.counters, rss: process.memoryUsage.rss() })
  } else say({ done: true })
}

if (process.argv[1] === import.meta.filename) {
  say({ started: true })
  for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line) as Command)
  await discovery.stop()
}
