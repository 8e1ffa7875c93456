/**
 * One device of a Lan, to be run inside a host: Discovery with real announcements. Arguments: a byte that makes
 * the id, a byte that makes the circle's key. Commands as JSON lines on stdin, reports on stdout.
 */
import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { makeAnnouncement, recognise, slotAt } from '../../../src/crypto/announcement.ts'
import { randomBytes } from '../../../src/crypto/provider.ts'
import { OpenDiscovery } from '../../../src/daemon/network/open-discovery.ts'
import { Discovery, type DiscoveryInterface } from '../../../src/net/discovery.ts'

export interface Command {
  /** A new Discovery instead of the one before. */
  fresh?: true
  apply?: readonly Partial<DiscoveryInterface>[]
  circles?: number
  rotate?: true
  query?: true
  /** Has an invitation open; looks for those of others, and reports them. Both on what was applied last. */
  invite?: boolean
  search?: boolean
  carriers?: true
  /** With apply: in no circle, so only for invitations and searches. */
  bare?: true
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
let applied: DiscoveryInterface[] = []
let open = new OpenDiscovery((_level, text) => say({ log: text }))
let search = new AbortController()

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
    connection: '',
    ...of
  }
}

async function obey(command: Command): Promise<void> {
  if (command.circles !== undefined) circles = command.circles
  if (command.fresh) {
    await Promise.all([discovery.stop(), open.stop()])
    discovery = make()
    open = new OpenDiscovery((_level, text) => say({ log: text }))
    search.abort()
  }
  if (command.apply) {
    applied = command.apply.map(interfaceOf)
    open.apply(applied)
    say({ applied: true })
    if (!command.bare) await discovery.apply(applied)
  }
  if (command.invite !== undefined) {
    open.apply(applied)
    open.invite(command.invite)
    say({ invited: command.invite })
  }
  if (command.search !== undefined) {
    search.abort()
    search = new AbortController()
    if (command.search) open.search((found, inviter) => say({ found, inviter }), search.signal)
    say({ searched: command.search })
  }
  if (command.rotate) discovery.rotate()
  if (command.query) discovery.query()
  if (command.stop) await Promise.all([discovery.stop(), open.stop()])
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
  if (command.carriers) say({ carriers: open.carriers })
}

if (process.argv[1] === import.meta.filename) {
  say({ started: true })
  for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line) as Command)
  await Promise.all([discovery.stop(), open.stop()])
}
