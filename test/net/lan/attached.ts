/**
 * The attachment of a daemon, to be run inside a host: watches the real kernel (there is no system bus here) and
 * uses eth0 only. Argument: a byte that makes the id. Commands as JSON lines on stdin, reports on stdout.
 */
import { createInterface } from 'node:readline'
import { makeAnnouncement, slotAt } from '../../../src/crypto/announcement.ts'
import { randomBytes } from '../../../src/crypto/provider.ts'
import { Attachment } from '../../../src/daemon/network/attachment.ts'
import { Publisher } from '../../../src/daemon/surfaces/publisher.ts'
import { Bus } from '../../../src/host/bus.ts'
import { Tally } from '../../../src/net/tally.ts'

export interface Order {
  /** In a circle from now on. */
  circle?: true
  invite?: boolean
  search?: boolean
  carriers?: true
}

const say = (report: object) => process.stdout.write(`${JSON.stringify({ ...report, at: Date.now() })}\n`)
const id = new Uint8Array(32).fill(Number(process.argv[2]))
const key = new Uint8Array(32).fill(9)
let inCircle = false
let search = new AbortController()

// started, so that it is known that nobody is there
const systemBus = new Bus({ kind: 'system', address: 'unix:path=/nonexistent', log: () => {} })
systemBus.start()
const attachment = new Attachment({
  systemBus,
  publisher: new Publisher({ boot: 'test' }),
  log: (_level, log) => say({ log }),
  tally: new Tally(),
  config: () => ({ only: ['eth0'], port: 24_747, rules: [] }),
  wanted: () => inCircle,
  guessing: () => [],
  announcements: (_name, port) =>
    inCircle
      ? [
          {
            circle: '0',
            bytes: makeAnnouncement({ key, id, port, slot: slotAt(Date.now() / 1000), salt: randomBytes(8) })
          }
        ]
      : [],
  circleOf: () => undefined,
  onLink: link => link.destroy(),
  onDatagram: () => {},
  onHeard: () => {},
  onListening: bound => say({ bound: bound.length }),
  onGained: () => {},
  onSource: () => {},
  onChange: () => {}
})

async function obey(order: Order): Promise<void> {
  if (order.circle) {
    inCircle = true
    await attachment.follow()
  }
  if (order.invite !== undefined) attachment.invite(order.invite)
  if (order.search !== undefined) {
    search.abort()
    search = new AbortController()
    if (order.search) attachment.search((found, inviter) => say({ found, inviter }), search.signal)
  }
  if (order.carriers) say({ carriers: attachment.carriers })
  say({ done: true })
}

attachment.start()
say({ started: true })
for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line) as Order)
await attachment.stop()
process.exit(0)
