/** Devices with gates, joined by links in memory, in simulated time. */
import { createHash } from 'node:crypto'
import { ticketPsk } from '../../src/crypto/handshake.ts'
import { type PeerId, peerId } from '../../src/crypto/identity.ts'
import { ed25519, hash, x25519 } from '../../src/crypto/provider.ts'
import type { OpenInvitation } from '../../src/daemon/joining/open-invitation.ts'
import type { HandshakeCircle, JoinAnswer, JoinRequest } from '../../src/daemon/sessions/gate.ts'
import { Gate } from '../../src/daemon/sessions/gate.ts'
import type { Session } from '../../src/daemon/sessions/session.ts'
import type { Link } from '../../src/net/link.ts'
import { Clock } from '../sim/clock.ts'
import { linkPair, type PairOptions, type SimLink } from '../sim/link.ts'

export const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

/** Bytes that are the same in each run. */
export function seeded(seed: string): (length: number) => Uint8Array {
  let count = 0
  return length => {
    const parts: Buffer[] = []
    for (let got = 0; got < length; got += 32) {
      parts.push(createHash('sha256').update(`${seed} ${count++}`).digest())
    }
    return new Uint8Array(Buffer.concat(parts).subarray(0, length))
  }
}

export class TestCircle implements HandshakeCircle {
  readonly gid: Uint8Array
  readonly identity
  readonly id: string
  readonly staticSecret: Uint8Array
  statics
  bootId
  logHead = fill(0x77)
  readonly members = new Map<string, string>()
  operations: Uint8Array[] = []
  admitted: Uint8Array[] = []
  readonly open: { id: string; psk: Uint8Array }[] = []
  requests: JoinRequest[] = []
  redeemed: (request: JoinRequest) => JoinAnswer | undefined = () => ({ result: 'ok' })
  /** What admitting teaches. */
  learn: (operations: readonly Uint8Array[]) => Promise<void> = async () => {}

  constructor(name: string, gid = fill(0xc1)) {
    this.gid = gid
    this.identity = ed25519(hash(Buffer.from(`${name} identity`)))
    this.id = peerId(this.identity.publicKey)
    this.staticSecret = hash(Buffer.from(`${name} static`))
    this.statics = [x25519(this.staticSecret)]
    this.bootId = hash(Buffer.from(`${name} boot`)).slice(0, 16)
  }

  knows(other: TestCircle): void {
    for (const { publicKey } of other.statics)
      this.members.set(Buffer.from(publicKey).toString('hex'), other.id)
  }

  staticTowards() {
    return this.statics[0]!
  }
  introduction(): readonly Uint8Array[] {
    return this.operations
  }

  owner(staticKey: Uint8Array): string | undefined {
    return this.members.get(Buffer.from(staticKey).toString('hex'))
  }

  async admit(operations: readonly Uint8Array[]): Promise<void> {
    this.admitted.push(...operations)
    await this.learn(operations)
  }

  /** What lost devices are told, by their statics. */
  readonly lost = new Map<string, { peer: PeerId; frame: Uint8Array }>()
  order(staticKey: Uint8Array) {
    return this.lost.get(Buffer.from(staticKey).toString('hex'))
  }

  tickets() {
    return this.open
  }

  addTicket(id: string, secret: Uint8Array): void {
    this.open.push({ id, psk: ticketPsk(secret) })
  }

  async redeem(_ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    this.requests.push(request)
    return this.redeemed(request)
  }
}

export class Device {
  readonly circles: HandshakeCircle[]
  readonly gate: Gate
  readonly sessions: {
    circle: HandshakeCircle
    session: Session
    frames: [number, Uint8Array][]
    closed: string[]
  }[] = []
  readonly logged: string[] = []
  invitation: OpenInvitation | undefined

  constructor(clock: Clock, name: string, ...circles: HandshakeCircle[]) {
    this.circles = circles
    this.gate = new Gate({
      circles: () => this.circles,
      now: () => clock.now,
      random: seeded(name),
      log: (_, text, facts) => this.logged.push(`${text} ${JSON.stringify(facts)}`),
      invitation: () => this.invitation,
      onSession: ({ gid }, session) => this.opened(this.circles.find(circle => circle.gid === gid)!, session),
      after: (ms, act) => clock.after(ms, act),
      schedule: act => clock.after(0, act)
    })
  }

  opened(circle: HandshakeCircle, session: Session): void {
    const frames: [number, Uint8Array][] = []
    const closed: string[] = []
    session.onFrame = (kind, body) => frames.push([kind, body])
    session.onClose = reason => closed.push(reason)
    this.sessions.push({ circle, session, frames, closed })
  }
}

/** Two devices of one circle that know each other. */
export function twoDevices() {
  const clock = new Clock()
  const [mine, theirs] = [new TestCircle('one'), new TestCircle('two')]
  mine.knows(theirs)
  theirs.knows(mine)
  const one = new Device(clock, 'one', mine)
  const two = new Device(clock, 'two', theirs)
  return { clock, mine, theirs, one, two }
}

/** A link to a device's gate; the near end is returned. */
export function dial(to: Device, options: PairOptions): SimLink {
  const { dialled, accepted } = linkPair(options)
  to.gate.accept(accepted)
  return dialled
}

/** What comes back over a link, and how it ended. */
export function watch(link: Link): { bytes: number; closed: string[] } {
  const seen = { bytes: 0, closed: [] as string[] }
  link.onData = chunk => {
    seen.bytes += chunk.length
  }
  link.onClose = reason => seen.closed.push(reason)
  return seen
}
