/**
 * Devices of a circle that send each other messages, and keep sealed copies for each other, in simulated time: sessions
 * between any two that end and take what is under way with them, disks that take a while, processes that are killed at any
 * moment, and holders that do not keep the rules.
 */
import { type PeerId, peerId } from '../../src/crypto/identity.ts'
import { type ExchangeKey, ed25519, hash, type SigningKey, x25519 } from '../../src/crypto/provider.ts'
import { openCopy, sealCopy, signVerdict } from '../../src/messages/copy.ts'
import { Custody, type CustodyRecord, type Kept } from '../../src/messages/custody.ts'
import { type Deposit, type DepositRecord, Deposits } from '../../src/messages/deposits.ts'
import { messageId } from '../../src/messages/id.ts'
import { Inbox, type InboxRecord, type Received } from '../../src/messages/inbox.ts'
import { Outbox, type OutboxRecord, type Sent } from '../../src/messages/outbox.ts'
import { hex } from '../../src/wire/bytes.ts'
import {
  type Copy,
  decodeCustodyBody,
  encodeAnswers,
  encodeDeposit,
  encodeHanded,
  encodeReceipt,
  FIRST_OF_CUSTODY
} from '../../src/wire/custody.ts'
import { decodeMessageBody } from '../../src/wire/message.ts'
import type { Dice } from '../circle/dice.ts'
import type { Clock } from '../sim/clock.ts'

const LATENCY = 2
const COMMIT = 3
const EPOCH = 8
export const gid: Uint8Array = hash(new TextEncoder().encode('circle'))

type Record = OutboxRecord | InboxRecord | CustodyRecord | DepositRecord
/** Wall clocks begin here, so that they are not the monotonic ones. */
export const WALL = 1_800_000_000_000

export class Disk {
  readonly sent: Map<string, Sent>
  readonly next: Map<string, number>
  readonly received: Map<string, Received>
  readonly floors: Map<string, { from: string; epoch: Uint8Array; floor: number }>
  readonly copies: Map<string, Kept>
  readonly deposits: Map<string, Deposit>

  /** As another one is now. */
  constructor(of?: Disk) {
    this.sent = new Map(of?.sent)
    this.next = new Map(of?.next)
    this.received = new Map(of?.received)
    this.floors = new Map(of?.floors)
    this.copies = new Map(of?.copies)
    this.deposits = new Map(of?.deposits)
  }

  write(record: Record): void {
    if (record.type === 'floor') this.floors.set(`${record.from} ${record.epoch}`, record)
    else if (record.type === 'put') {
      if ('sent' in record) {
        this.sent.set(`${record.sent.peer} ${record.sent.seq}`, record.sent)
        this.next.set(record.sent.peer, record.next)
      } else if ('received' in record) this.received.set(keyOf(record.received), record.received)
      else if ('kept' in record) this.copies.set(copyKey(record.kept), record.kept)
      else this.deposits.set(hex(record.deposit.custody), record.deposit)
    } else if ('depositor' in record) this.copies.delete(copyKey(record))
    else if ('custody' in record) this.deposits.delete(hex(record.custody))
    else if ('peer' in record) this.sent.delete(`${record.peer} ${record.seq}`)
    else this.received.delete(keyOf(record))
  }
}
const keyOf = ({ from, epoch, seq }: { from: string; epoch: Uint8Array; seq: number }) =>
  `${from} ${epoch} ${seq}`
const copyKey = ({ depositor, custody }: { depositor: string; custody: Uint8Array }) =>
  `${depositor} ${hex(custody)}`

/** The outputs of one core, in order, each step after the commit of its records. */
class Steps {
  #waiting: { records: readonly Record[]; act: () => void }[] = []
  #writing = false
  readonly #write: (records: readonly Record[], done: () => void) => void

  constructor(write: (records: readonly Record[], done: () => void) => void) {
    this.#write = write
  }
  post(records: readonly Record[], act: () => void): void {
    if (records.length === 0 && this.#waiting.length === 0 && !this.#writing) act()
    else {
      this.#waiting.push({ records, act })
      this.#next()
    }
  }
  #next(): void {
    const step = this.#writing ? undefined : this.#waiting.shift()
    if (step === undefined) return
    this.#writing = true
    this.#write(step.records, () => {
      this.#writing = false
      step.act()
      this.#next()
    })
  }
}

export class Device {
  readonly id: PeerId
  readonly world: World
  readonly signer: SigningKey
  /** The one in use first. */
  statics: ExchangeKey[]
  serial = 0
  disk = new Disk()
  /** Ids of messages, once for each time a handler was started for it. */
  readonly runs: string[] = []
  /** Sender, tag and payload, in the order in which handlers were started. */
  readonly order: string[] = []
  readonly accepted: Sent[] = []
  readonly counts = new Map<string, number>()
  /** Copies that it took, or had. */
  taken = 0
  outbox!: Outbox
  inbox!: Inbox
  custody!: Custody
  deposits!: Deposits
  /** 0 while the process does not run. */
  process = 0
  /** It does not keep the rules: `drops` says that it keeps a copy and does not; `replays` hands over all it ever saw. */
  lies: '' | 'drops' | 'replays' = ''
  readonly #seen: { to: PeerId; copy: Copy }[] = []
  #starts = 0
  #steps!: { out: Steps; in: Steps; kept: Steps; given: Steps }

  constructor(world: World, number: number) {
    const seed = hash(Uint8Array.of(1, number))
    this.world = world
    this.signer = ed25519(seed)
    this.statics = [x25519(hash(Uint8Array.of(2, number)))]
    this.id = peerId(this.signer.publicKey)
  }

  get now(): number {
    return this.world.clock.now
  }
  get wall(): number {
    return WALL + this.world.clock.now
  }

  start(): void {
    const { disk, now, wall, world } = this
    this.process = ++this.#starts
    const { process } = this
    const steps = () =>
      new Steps((records, done) =>
        world.clock.after(records.length === 0 ? 0 : world.dice.nat(COMMIT) + 1, () => {
          if (process !== this.process) return
          for (const record of records) this.disk.write(record)
          done()
        })
      )
    this.#steps = { out: steps(), in: steps(), kept: steps(), given: steps() }
    const epoch = new Uint8Array(EPOCH).fill(7)
    this.outbox = new Outbox({ epoch, rows: [...disk.sent.values()], next: disk.next, now, wall })
    this.inbox = new Inbox({
      rows: [...disk.received.values()],
      floors: [...disk.floors.values()],
      now,
      wall,
      choose: (_from, tag) => ({ key: tag, retry: false })
    })
    const isMember = (peer: PeerId) => world.members.has(peer)
    this.custody = new Custody({
      gid,
      self: this.id,
      rows: [...disk.copies.values()],
      now,
      wall,
      isMember,
      mayDeposit: isMember
    })
    this.deposits = new Deposits({
      gid,
      rows: [...disk.deposits.values()],
      outbox: this.outbox,
      now,
      wall,
      holders: peer => world.holders.filter(holder => holder !== peer && world.linked(this.id, holder)),
      serial: peer => (isMember(peer) ? world.device(peer).serial : undefined),
      random: length => this.#random(length)
    })
    this.carry()
    this.#tick(process)
  }

  kill(): void {
    this.process = 0
    this.world.isolate(this.id)
  }

  #tick(process: number): void {
    this.world.clock.after(this.world.tick, () => {
      if (process !== this.process) return
      const { now, wall } = this
      this.outbox.expire(now, wall)
      this.inbox.expire(now, wall)
      this.custody.expire(now)
      this.deposits.expire(now, wall)
      this.carry()
      this.#tick(process)
    })
  }

  /** Resolved on disk, or lost with the process. */
  send(to: PeerId, tag: string, text: string, ttlMs = 3_600_000): void {
    const { process } = this
    const record = this.outbox.draft(this.wall, {
      id: messageId(this.#random(10)),
      peer: to,
      tag,
      ask: true,
      payload: new TextEncoder().encode(text),
      ttlMs
    })
    if (record === 'full') throw new Error('full')
    this.#steps.out.post([record], () => {
      if (process !== this.process) return
      this.accepted.push(record.sent)
      this.outbox.accept(this.now, this.wall, record.sent)
      this.deposits.look(this.now)
      this.carry()
    })
  }

  /** Payloads of messages that were to be taken back. */
  readonly takenBack = new Set<string>()
  cancel({ id, payload }: Sent): void {
    this.takenBack.add(new TextDecoder().decode(payload))
    this.outbox.cancel(this.now, this.wall, id)
    this.carry()
  }

  state(sent: Pick<Sent, 'id'>): string {
    const found = this.outbox.get(sent.id)
    return found === undefined ? 'forgotten' : found.state === 'dead' ? `dead ${found.reason}` : found.state
  }

  opened(peer: PeerId): void {
    this.outbox.opened(this.now, peer)
    this.custody.opened(peer)
    this.deposits.opened(this.now, peer)
    if (this.lies === 'replays') this.#replay(peer)
    this.carry()
  }
  closed(peer: PeerId): void {
    this.outbox.closed(peer)
    this.custody.closed(peer)
    this.deposits.closed(this.now, peer)
    this.carry()
  }

  membersChanged(removed?: PeerId): void {
    if (removed !== undefined) {
      this.outbox.remove(this.now, this.wall, removed)
      this.inbox.remove(removed)
    }
    this.custody.membersChanged()
    this.deposits.membersChanged(this.now, this.wall)
    this.carry()
  }

  hear(from: PeerId, body: Uint8Array): void {
    const { now, wall } = this
    if (body[0]! >= FIRST_OF_CUSTODY) this.#hearCustody(from, body)
    else {
      const heard = decodeMessageBody(body)
      if (heard?.type === 'message') this.inbox.receive(now, wall, from, heard.message)
      else if (heard?.type === 'question') this.inbox.question(from, heard.epoch, heard.floor, heard.seqs)
      else if (heard?.type === 'cancel') this.inbox.cancel(from, heard.epoch, heard.seq, heard.id)
      else if (heard?.type === 'receipts') this.outbox.receive(now, wall, from, heard.epoch, heard.receipts)
      else throw new Error('malformed')
    }
    this.carry()
  }

  #hearCustody(from: PeerId, body: Uint8Array): void {
    const { now, wall } = this
    const heard = decodeCustodyBody(body)
    if (heard?.type === 'deposit') {
      if (this.lies !== '') this.#seen.push({ to: peerId(heard.copy.recipient), copy: heard.copy })
      if (this.lies === 'drops')
        this.world.send(this.id, from, encodeAnswers([{ custody: heard.copy.custody, state: 'held' }]))
      else this.custody.deposit(now, wall, from, heard.copy)
    } else if (heard?.type === 'inquiry') {
      if (this.lies === 'drops')
        this.world.send(
          this.id,
          from,
          encodeAnswers(heard.custodies.map(custody => ({ custody, state: 'held' })))
        )
      else this.custody.inquiry(from, heard.custodies)
    } else if (heard?.type === 'release') this.custody.release(from, heard.custodies)
    else if (heard?.type === 'receipt') this.custody.receipt(now, from, heard.custody, heard.said)
    else if (heard?.type === 'answers') this.deposits.answers(now, wall, from, heard.answers)
    else if (heard?.type === 'handed') this.#handed(from, heard.copy)
    else throw new Error('malformed')
  }

  #handed(holder: PeerId, copy: Copy): void {
    const opened =
      peerId(copy.recipient) === this.id ? openCopy({ gid, statics: this.statics }, copy) : 'not-for-us'
    if (typeof opened === 'string') this.#count(opened)
    if (typeof opened === 'string' || !this.world.members.has(opened.from))
      this.#say(holder, copy.custody, 'useless')
    else this.inbox.handed(this.now, this.wall, holder, copy.custody, opened)
  }

  #say(holder: PeerId, custody: Uint8Array, verdict: 'later' | 'taken' | 'useless'): void {
    if (verdict === 'taken') this.taken++
    const said = verdict === 'later' ? verdict : signVerdict(gid, this.signer, custody, verdict)
    this.world.send(this.id, holder, encodeReceipt(custody, said))
  }

  /** Everything that was ever deposited here, in any order, and twice. */
  #replay(peer: PeerId): void {
    const own = this.#seen.filter(({ to }) => to === peer)
    for (const { copy } of this.world.dice.shuffled([...own, ...own]))
      this.world.send(this.id, peer, encodeHanded(copy))
  }

  carry(): void {
    const { world } = this
    const send = (peer: PeerId, body: Uint8Array) => world.send(this.id, peer, body)
    const out = this.outbox.take()
    if (out.records.length + out.outputs.length > 0)
      this.#steps.out.post(out.records, () => {
        for (const output of out.outputs) {
          if (output.type === 'send') send(output.peer, output.body)
          else if (output.type === 'changed') this.deposits.changed(this.now, this.wall, output.sent)
          else if (output.type === 'withdrawn') this.deposits.withdrawn(this.now, this.wall, output.sent)
          else this.#count(output.what)
        }
        this.carry()
      })
    const came = this.inbox.take()
    if (came.records.length + came.outputs.length > 0)
      this.#steps.in.post(came.records, () => {
        for (const output of came.outputs) {
          if (output.type === 'send') send(output.peer, output.body)
          else if (output.type === 'run') this.#run(output.received)
          else if (output.type === 'adopt')
            this.inbox.exited(this.now, this.wall, output.received, {
              type: 'unknown',
              output: new Uint8Array()
            })
          else if (output.type === 'handed') this.#say(output.holder, output.custody, output.verdict)
          else if (output.type === 'count') this.#count(output.what)
        }
        this.carry()
      })
    const kept = this.custody.take()
    if (kept.records.length + kept.outputs.length > 0)
      this.#steps.kept.post(kept.records, () => {
        for (const output of kept.outputs)
          if (output.type === 'send') send(output.peer, output.body)
          else this.#count(output.what)
      })
    const given = this.deposits.take()
    if (given.records.length + given.outputs.length > 0) {
      this.#steps.given.post(given.records, () => {
        for (const output of given.outputs)
          if (output.type === 'send') send(output.peer, output.body)
          else if (output.type === 'deposit') this.#deposit(output.deposit, output.sent)
          else this.#count(output.what)
      })
      // it may have told the outbox something
      this.carry()
    }
  }

  #deposit({ peer, holder, custody, serial, after, afterMs }: Deposit, sent: Sent): void {
    const recipient = this.world.device(peer)
    if (recipient.serial !== serial) return
    const copy = sealCopy({
      gid,
      custody,
      epoch: new Uint8Array(EPOCH).fill(7),
      sent,
      after,
      afterMs,
      signer: this.signer,
      recipientStatic: recipient.statics[0]!.publicKey,
      ephemeral: x25519(this.#random(32))
    })
    this.world.send(this.id, holder, encodeDeposit(copy))
  }

  #run(received: Received): void {
    const { process, world } = this
    this.runs.push(received.id)
    this.order.push(
      `${world.nameOf(received.from)} ${received.tag} ${new TextDecoder().decode(received.payload)}`
    )
    world.clock.after(world.dice.nat(20), () => {
      if (process !== this.process) return
      const output = new Uint8Array([1])
      this.inbox.exited(this.now, this.wall, received, { type: 'exit', code: 0, output })
      this.carry()
    })
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  #random(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.world.dice.nat(256))
  }
}

export class World {
  readonly clock: Clock
  readonly dice: Dice
  readonly devices: readonly Device[]
  /** Who is a member, as all devices know at once. */
  readonly members: Set<PeerId>
  /** How often devices look at their deadlines, milliseconds. */
  tick = 100
  /** Who may keep copies, the best first. */
  holders: PeerId[] = []
  readonly #links = new Map<string, number>()
  #count = 0

  constructor(clock: Clock, dice: Dice, size: number) {
    this.clock = clock
    this.dice = dice
    this.devices = Array.from({ length: size }, (_, i) => new Device(this, i))
    this.members = new Set(this.devices.map(({ id }) => id))
    for (const device of this.devices) device.start()
  }

  device(id: PeerId): Device {
    return this.devices.find(device => device.id === id)!
  }
  nameOf(id: PeerId): string {
    return 'abcdefgh'[this.devices.findIndex(device => device.id === id)]!
  }

  /** Both ends go on to another session; there may have been one. */
  open(a: Device, b: Device): void {
    if (a.process === 0 || b.process === 0 || !this.members.has(a.id) || !this.members.has(b.id)) return
    this.#links.set(pair(a.id, b.id), ++this.#count)
    a.opened(b.id)
    b.opened(a.id)
  }
  cut(a: Device, b: Device): void {
    if (!this.#links.delete(pair(a.id, b.id))) return
    for (const [one, other] of [
      [a, b],
      [b, a]
    ] as const)
      if (one.process !== 0) one.closed(other.id)
  }
  isolate(id: PeerId): void {
    for (const other of this.devices) if (other.id !== id) this.cut(this.device(id), other)
  }
  linked(a: PeerId, b: PeerId): boolean {
    return this.#links.has(pair(a, b))
  }
  /** All know of it at once. */
  remove(device: Device): void {
    this.members.delete(device.id)
    this.isolate(device.id)
    for (const other of this.devices)
      if (other !== device && other.process !== 0) other.membersChanged(device.id)
  }

  send(from: PeerId, to: PeerId, body: Uint8Array): void {
    const session = this.#links.get(pair(from, to))
    if (session === undefined) return
    this.clock.after(LATENCY, () => {
      if (this.#links.get(pair(from, to)) === session) this.device(to).hear(from, body)
    })
  }

  pass(ms: number): void {
    this.clock.run(this.clock.now + ms)
  }
}

const pair = (a: PeerId, b: PeerId): string => [a, b].sort().join()
