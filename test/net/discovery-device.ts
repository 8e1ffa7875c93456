/**
 * One device for discovery.test.ts, to be run inside a network namespace: Discovery with real announcements.
 * Arguments: a byte that makes the id, a byte that makes the circle's key. Commands as JSON lines on stdin
 * (apply, circle, rotate, query, state, stop), reports as JSON lines on stdout.
 */
import { networkInterfaces } from 'node:os'
import { createInterface } from 'node:readline'
import { idPrefix, makeAnnouncement, recognise, slotAt } from '../../src/crypto/announcement.ts'
import { randomBytes } from '../../src/crypto/provider.ts'
import { Discovery, type DiscoveryInterface } from '../../src/net/discovery.ts'

const [id, key] = process.argv.slice(2).map(byte => new Uint8Array(32).fill(Number(byte))) as [
  Uint8Array,
  Uint8Array
]
let circle = true
const say = (report: object) => process.stdout.write(`${JSON.stringify(report)}\n`)
const slot = () => slotAt(Date.now() / 1000)

const discovery = new Discovery({
  log: (_level, text) => say({ log: text }),
  onHeard({ interface: name, source, announcement, via }) {
    const found = recognise(announcement, [key], slot())
    say({
      heard: found?.prefix.slice(0, 2) ?? 'stranger',
      interface: name,
      source,
      via,
      port: found?.port ?? 0
    })
  },
  announcements: (_name, port) =>
    circle
      ? [{ circle: 'c', bytes: makeAnnouncement({ key, id, port, slot: slot(), salt: randomBytes(8) }) }]
      : [],
  circleOf: announcement => (recognise(announcement, [key], slot()) ? 'c' : undefined)
})

type Command = {
  apply?: { name: string; policy?: 'announce' | 'listen' | 'off'; multicast?: boolean; port?: number }[]
  circle?: boolean
  rotate?: true
  query?: true
  state?: true
  stop?: true
}

const indexes = new Map<string, number>()
function interfaceOf(of: NonNullable<Command['apply']>[number]): DiscoveryInterface {
  const infos = networkInterfaces()[of.name] ?? []
  const mac = infos[0]?.mac ?? ''
  indexes.set(mac, indexes.get(mac) ?? indexes.size + 1)
  return {
    name: of.name,
    index: indexes.get(mac)!,
    addresses: infos.map(({ address, cidr }) => ({ address, prefix: Number(cidr!.split('/')[1]) })),
    policy: of.policy ?? 'announce',
    port: of.port ?? 24747,
    multicast: of.multicast ?? true,
    mac
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  if (command.circle !== undefined) circle = command.circle
  if (command.apply) {
    say({ applied: Date.now() + (performance.now() % 1) })
    discovery.apply(command.apply.map(interfaceOf))
  }
  if (command.rotate) discovery.rotate()
  if (command.query) discovery.query()
  if (command.state) say({ state: discovery.state, counters: discovery.counters, prefix: idPrefix(id) })
  if (command.stop) await discovery.stop()
}
await discovery.stop()
