/**
 * Two devices that send each other messages, in simulated time: sessions that end and take what is under way with them,
 * disks that take a while, and processes that are killed at any moment and come back with what was on disk.
 */
import { messageId } from '../../src/messages/id.ts'
import { Inbox, type InboxRecord, type Received } from '../../src/messages/inbox.ts'
import { Outbox, type OutboxRecord, type Sent } from '../../src/messages/outbox.ts'
import { decodeMessageBody } from '../../src/wire/message.ts'
import { Dice } from '../circle/dice.ts'
import { ids } from '../mesh/drive.ts'
import { Clock } from '../sim/clock.ts'

const LATENCY = 2
const COMMIT = 3
const EPOCH = 8

export class Disk {
  readonly sent: Map<string, Sent>
  readonly next: Map<string, number>
  readonly received: Map<string, Received>
  readonly floors: Map<string, { from: string; epoch: Uint8Array; floor: number }>

  /** As another one is now. */
  constructor(of?: Disk) {
    this.sent = new Map(of?.sent)
    this.next = new Map(of?.next)
    this.received = new Map(of?.received)
    this.floors = new Map(of?.floors)
  }

  write(record: OutboxRecord | InboxRecord): void {
    if (record.type === 'put' && 'sent' in record) {
      this.sent.set(`${record.sent.peer} ${record.sent.seq}`, record.sent)
      this.next.set(record.sent.peer, record.next)
    } else if (record.type === 'put') {
      // as INSERT OR REPLACE: it is the last of the table
      this.received.delete(keyOf(record.received))
      this.received.set(keyOf(record.received), record.received)
    } else if (record.type === 'floor') this.floors.set(`${record.from} ${record.epoch}`, record)
    else if ('peer' in record) this.sent.delete(`${record.peer} ${record.seq}`)
    else this.received.delete(keyOf(record))
  }
}
const keyOf = ({ from, epoch, seq }: { from: string; epoch: Uint8Array; seq: number }) =>
  `${from} ${epoch} ${seq}`

export class Side {
  readonly id: string
  disk = new Disk()
  /** Ids of messages, once for each time a handler was started for it. */
  readonly runs: string[] = []
  /** Tags and payloads in the order of their first run. */
  readonly order: string[] = []
  outbox!: Outbox
  inbox!: Inbox
  other!: Side
  /** 0 while the process does not run. */
  process = 0
  choose: ConstructorParameters<typeof Inbox>[0]['choose'] = (_from, tag) => ({ key: tag, retry: false })
  /** Exit codes of handlers by tag. */
  exit: (received: Received) => number = () => 0
  /** How long a handler runs, milliseconds. */
  took = (): number => this.#dice.nat(20)
  #starts = 0
  #journal: { records: (OutboxRecord | InboxRecord)[]; send: () => void }[] = []
  #writing = false
  readonly #clock: Clock
  readonly #dice: Dice
  readonly #wire: Wire

  constructor(number: number, clock: Clock, dice: Dice, wire: Wire) {
    this.id = ids[number]!
    this.#clock = clock
    this.#dice = dice
    this.#wire = wire
  }

  start(): void {
    const { disk } = this
    const [now, wall] = [this.#clock.now, this.#clock.now]
    this.process = ++this.#starts
    const epoch = new Uint8Array(EPOCH).fill(7)
    this.outbox = new Outbox({ epoch, rows: [...disk.sent.values()], next: disk.next, now, wall })
    const { choose } = this
    this.inbox = new Inbox({
      rows: [...disk.received.values()],
      floors: [...disk.floors.values()],
      now,
      wall,
      choose: (...asked) => choose(...asked)
    })
    this.carry()
  }

  kill(): void {
    this.process = 0
    this.#journal = []
    this.#writing = false
    this.#wire.cut()
  }

  /** Resolved on disk, or lost with the process. */
  send(tag: string, text: string, ttlMs = 3_600_000): void {
    const { process } = this
    const payload = new TextEncoder().encode(text)
    const record = this.outbox.draft(this.#clock.now, {
      id: this.#name(),
      peer: this.other.id,
      tag,
      ask: true,
      payload,
      ttlMs
    })
    if (record === 'full') return
    this.#post([record], () => {
      if (process !== this.process) return
      this.accepted.push(record.sent)
      this.outbox.accept(this.#clock.now, this.#clock.now, record.sent)
      this.carry()
    })
  }
  readonly accepted: Sent[] = []

  #name(): string {
    return messageId(Uint8Array.from({ length: 10 }, () => this.#dice.nat(256)))
  }

  opened(): void {
    this.outbox.opened(this.#clock.now, this.other.id)
    this.inbox.opened(this.other.id)
    this.carry()
  }

  hear(body: Uint8Array): void {
    const { now } = this.#clock
    const from = this.other.id
    const heard = decodeMessageBody(body)
    if (heard?.type === 'message') this.inbox.receive(now, now, from, heard.message)
    else if (heard?.type === 'question') this.inbox.question(from, heard.epoch, heard.floor, heard.seqs)
    else if (heard?.type === 'cancel') this.inbox.cancel(from, heard.epoch, heard.seq, heard.id)
    else if (heard?.type === 'receipts') this.outbox.receive(now, now, from, heard.epoch, heard.receipts)
    else throw new Error('malformed')
    this.carry()
  }

  expire(): void {
    this.outbox.expire(this.#clock.now, this.#clock.now)
    this.inbox.expire(this.#clock.now, this.#clock.now)
    this.carry()
  }

  carry(): void {
    for (const core of [this.outbox, this.inbox]) {
      const { records, outputs } = core.take()
      this.#post(records, () => {
        for (const output of outputs) {
          if (output.type === 'send') this.#wire.send(this, output.body)
          else if (output.type === 'run') this.#run(output.received)
          else if (output.type === 'adopt')
            this.inbox.exited(this.#clock.now, this.#clock.now, output.received, {
              type: 'unknown',
              output: new Uint8Array()
            })
        }
        if (outputs.some(({ type }) => type === 'adopt')) this.carry()
      })
    }
  }

  #run(received: Received): void {
    const { process } = this
    this.runs.push(received.id)
    this.order.push(`${received.tag} ${new TextDecoder().decode(received.payload)}`)
    this.#clock.after(this.took(), () => {
      if (process !== this.process) return
      const { now } = this.#clock
      this.inbox.exited(now, now, received, {
        type: 'exit',
        code: this.exit(received),
        output: new Uint8Array([1])
      })
      this.carry()
    })
  }

  #post(records: (OutboxRecord | InboxRecord)[], send: () => void): void {
    if (records.length === 0 && this.#journal.length === 0 && !this.#writing) {
      send()
      return
    }
    this.#journal.push({ records, send })
    this.#write()
  }

  #write(): void {
    const step = this.#writing ? undefined : this.#journal.shift()
    if (step === undefined) return
    const { process } = this
    this.#writing = true
    this.#clock.after(step.records.length === 0 ? 0 : this.#dice.nat(COMMIT) + 1, () => {
      if (process !== this.process) return
      for (const record of step.records) this.disk.write(record)
      this.#writing = false
      step.send()
      this.#write()
    })
  }
}

/** One session at a time between the two. */
export class Wire {
  session = 0
  /** What this one sends is lost: it writes to a session that the other one has closed. */
  lost: Side | undefined
  #count = 0
  readonly #clock: Clock
  constructor(clock: Clock) {
    this.#clock = clock
  }
  cut(): void {
    this.session = 0
  }
  open(a: Side, b: Side): void {
    if (a.process === 0 || b.process === 0) return
    this.session = ++this.#count
    for (const side of [a, b]) side.opened()
  }
  send(from: Side, body: Uint8Array): void {
    const { session } = this
    if (session === 0 || from === this.lost) return
    this.#clock.after(LATENCY, () => {
      if (session === this.session && from.other.process !== 0) from.other.hear(body)
    })
  }
}

/** Two that know each other; no session yet. */
export function pair(seed = 1): { clock: Clock; dice: Dice; wire: Wire; a: Side; b: Side } {
  const clock = new Clock()
  const dice = new Dice(seed)
  const wire = new Wire(clock)
  const [a, b] = [new Side(0, clock, dice, wire), new Side(1, clock, dice, wire)]
  a.other = b
  b.other = a
  for (const side of [a, b]) side.start()
  return { clock, dice, wire, a, b }
}
