/**
 * The messages of one circle: joins its outbox and inbox to the sessions, the disk and the handlers. Each core has a
 * journal of its own, so that what one waits for does not hold up the other.
 */
import { ApiError } from '../../api/api.ts'
import { circleId, type PeerId } from '../../crypto/identity.ts'
import type { Write } from '../../host/database.ts'
import { type MessageId, messageId } from '../../messages/id.ts'
import { Inbox, type Received } from '../../messages/inbox.ts'
import { Outbox, type OutboxRecord, type Sent } from '../../messages/outbox.ts'
import { decodeMessageBody, EPOCH, ID } from '../../wire/message.ts'
import { Journal } from '../circle/journal.ts'
import type { StoredMessages } from '../circle/stored.ts'
import type { Surroundings } from '../surroundings.ts'
import { type Handlers, type Ran, runName, type Sender } from './handlers.ts'
import { inboxWrites, outboxWrites, storedReceived, storedSent } from './message-rows.ts'
import { type Acquaintances, Safekeeping } from './safekeeping.ts'
import { Waiting } from './waiting.ts'

export interface MessagesOptions {
  readonly gid: Uint8Array
  readonly stored: StoredMessages
  readonly around: Pick<Surroundings, 'now' | 'wall' | 'random' | 'commit' | 'log' | 'note' | 'arm'>
  readonly handlers: Handlers
  /** The member as handlers and rules know it; undefined when it is none. */
  readonly sender: (peer: PeerId) => Sender | undefined
  readonly circle: Acquaintances
  /** A Message frame to the member, on the session that is written to. */
  readonly send: (peer: PeerId, body: Uint8Array) => void
  readonly onSent: (sent: Sent) => void
  readonly onReceived: (received: Received) => void
}

export type Wish = Pick<Sent, 'peer' | 'tag' | 'ask' | 'payload'> & { readonly ttlMs: number }

interface Draft {
  readonly record: OutboxRecord & { type: 'put' }
  resolve(): void
  reject(error: Error): void
}

export class Messages {
  readonly #options: MessagesOptions
  readonly #epoch: Uint8Array
  /** Written with the first message. */
  #named: boolean
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #safekeeping: Safekeeping
  readonly #journals: { readonly out: Journal; readonly in: Journal }
  readonly #waiting = new Waiting()
  #stopped = false
  /** Of runs whose end is on its way to the disk. */
  readonly #releases: Ran['release'][] = []
  /** Of this tick, not written yet. */
  readonly #drafts: Draft[] = []
  /** The end of this tick is planned; and what one journal does not carry before it has carried what is on its way. */
  #planned = false
  readonly #carrying = { out: false, in: false }

  constructor(options: MessagesOptions) {
    this.#options = options
    const { around, stored, handlers, sender } = options
    const [now, wall] = [around.now(), Math.floor(around.wall())]
    this.#named = stored.epoch !== undefined
    this.#epoch = stored.epoch ?? around.random(EPOCH)
    const next = new Map(stored.counters.map(row => [row.peer, row.next]))
    const rows = storedSent(stored)
    this.#outbox = new Outbox({ epoch: this.#epoch, rows, next, now, wall })
    this.#inbox = new Inbox({
      rows: storedReceived(stored),
      floors: stored.floors.map(({ peer, epoch, floor }) => ({ from: peer, epoch, floor })),
      now,
      wall,
      choose: (from, tag, isBusy) => {
        const who = sender(from)
        return who === undefined ? 'removed' : handlers.choose(who, tag, isBusy)
      }
    })
    const journal = () =>
      new Journal(
        writes => around.commit(writes),
        error => this.#trouble(error)
      )
    this.#journals = { out: journal(), in: journal() }
    this.#safekeeping = new Safekeeping({
      ...options,
      epoch: this.#epoch,
      outbox: this.#outbox,
      onHanded: (holder, custody, opened) => {
        this.#inbox.handed(around.now(), Math.floor(around.wall()), holder, custody, opened)
        this.carry()
      },
      onChanged: () => this.carry()
    })
    const started = this.#inbox.list.filter(({ state }) => state === 'started')
    handlers.runs.expect(started.map(runName))
    this.carry()
  }

  // --- what is asked of it

  /** On disk when it resolves. Rejects ApiError. */
  async accept(wish: Wish): Promise<Sent> {
    const { around } = this.#options
    const id = messageId(around.random(ID))
    const record = this.#outbox.draft(Math.floor(around.wall()), { ...wish, id })
    if (record === 'full')
      throw new ApiError(
        'OutboxFull',
        'too much waits to be sent; `coterie outbox` lists it, `coterie outbox cancel` and `clear` make room'
      )
    return new Promise((resolve, reject) => {
      this.#drafts.push({ record, resolve: () => resolve(record.sent), reject })
      // all of one tick are one commit
      if (this.#drafts.length === 1) queueMicrotask(() => this.#accept(this.#drafts.splice(0)))
    })
  }

  async #accept(drafts: readonly Draft[]): Promise<void> {
    const { around, gid } = this.#options
    const name = { put: { table: 'outbox', gid, epoch: this.#epoch } } as const
    const records = drafts.map(({ record }) => record)
    try {
      await around.commit([...(this.#named ? [] : [name]), ...outboxWrites(gid, records)])
    } catch (error) {
      for (const { sent } of records) this.#outbox.withdraw(sent)
      for (const { reject } of drafts)
        reject(new ApiError('NoSpace', `it was not accepted: ${(error as Error).message}`))
      return
    }
    this.#named = true
    const [now, wall] = [around.now(), Math.floor(around.wall())]
    for (const { record } of drafts) this.#outbox.accept(now, wall, record.sent)
    this.#safekeeping.look()
    this.#carry()
    for (const { resolve } of drafts) resolve()
  }

  /** Not done yet, dead, and the latest that are done. */
  get sent(): readonly Sent[] {
    return this.#outbox.list
  }
  get received(): readonly Received[] {
    return this.#inbox.list
  }
  /** What this device keeps for others. */
  get load(): { copies: number; bytes: number } {
    return this.#safekeeping.load
  }
  /** Who keeps that message, by their own word. */
  holders(sent: Sent): readonly PeerId[] {
    return this.#safekeeping.holders(sent)
  }
  /** Whether something waits for it, and it cannot be written to. */
  absent(peer: PeerId): boolean {
    return this.#outbox.isAbsent(peer)
  }
  find(id: MessageId): Sent | undefined {
    return this.#outbox.get(id)
  }

  /** Resolves when it is settled, or `enough` says so; at once when it is. */
  until(sent: Sent, enough: (sent: Sent) => boolean, signal: AbortSignal): Promise<Sent> {
    return this.#waiting.until(this.#outbox.get(sent.id) ?? sent, enough, signal)
  }

  /** On disk when it resolves. False when it is settled, or running. Rejects ApiError. */
  async cancel(id: MessageId): Promise<boolean> {
    const { around } = this.#options
    const cancelled = this.#outbox.cancel(around.now(), Math.floor(around.wall()), id)
    await this.#stored()
    return cancelled
  }

  /** A dead letter is sent anew. Undefined when there is none of that id. Rejects ApiError. */
  async retry(id: MessageId, ttlMs: number): Promise<Sent | undefined> {
    const dead = this.#outbox.get(id)
    if (dead?.state !== 'dead') return undefined
    const { peer, tag, ask, payload } = dead
    const sent = await this.accept({ peer, tag, ask, payload, ttlMs })
    this.#outbox.drop(id)
    this.carry()
    return sent
  }

  /** Drops a dead letter. On disk when it resolves. False when there is none of that id. Rejects ApiError. */
  async drop(id: MessageId): Promise<boolean> {
    const dropped = this.#outbox.drop(id) !== undefined
    await this.#stored()
    return dropped
  }

  /** Drops all dead letters. On disk when it resolves. Gives how many there were. Rejects ApiError. */
  async clear(): Promise<number> {
    const dead = this.#outbox.list.filter(({ state }) => state === 'dead')
    for (const { id } of dead) this.#outbox.drop(id)
    await this.#stored()
    return dead.length
  }

  // --- what happens

  get deadline(): number {
    return Math.min(this.#outbox.deadline, this.#inbox.deadline, this.#safekeeping.deadline)
  }

  expire(now: number): void {
    const wall = Math.floor(this.#options.around.wall())
    this.#outbox.expire(now, wall)
    this.#inbox.expire(now, wall)
    this.#safekeeping.expire(now)
    this.carry()
  }

  /** It can be written to, on another session than before; undefined ends it. */
  session(peer: PeerId, open: boolean): void {
    if (open) {
      this.#outbox.opened(this.#options.around.now(), peer)
      this.#inbox.opened(peer)
    } else this.#outbox.closed(peer)
    this.#safekeeping.session(peer, open)
    this.carry()
  }

  /** A Message frame of a member. */
  receive(from: PeerId, body: Uint8Array): void {
    const { around } = this.#options
    if (Safekeeping.takes(body)) {
      this.#safekeeping.receive(from, body)
      return
    }
    const [now, wall] = [around.now(), Math.floor(around.wall())]
    const heard = decodeMessageBody(body)
    if (heard === undefined) around.log('debug', 'dropped', { what: 'message-malformed' })
    else if (heard.type === 'message') this.#inbox.receive(now, wall, from, heard.message)
    else if (heard.type === 'question') this.#inbox.question(from, heard.epoch, heard.floor, heard.seqs)
    else if (heard.type === 'cancel') this.#inbox.cancel(from, heard.epoch, heard.seq, heard.id)
    else this.#outbox.receive(now, wall, from, heard.epoch, heard.receipts)
    this.carry()
  }

  /** Handlers or rules are others now. */
  handlersChanged(): void {
    this.#inbox.handlersChanged()
    this.carry()
  }

  /** It is no member any more. */
  remove(peer: PeerId): void {
    const { around } = this.#options
    this.#outbox.remove(around.now(), Math.floor(around.wall()), peer)
    this.#inbox.remove(peer)
    this.carry()
  }

  /** Members or their keys are others. */
  membersChanged(): void {
    this.#safekeeping.membersChanged()
  }

  /** What is known of a peer changed. */
  viewed(): void {
    this.#safekeeping.look()
  }

  /** What runs goes on, and with the next start what is on disk. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#safekeeping.stop()
    const journals = Object.values(this.#journals)
    // the second time for what came while the first was on its way
    for (let time = 0; time < 2; time++) {
      this.#carry()
      await Promise.all(journals.map(journal => journal.settled()))
    }
    for (const journal of journals) journal.stop()
  }

  /** Resolves when what the outbox has to write is on disk; rejects ApiError when that fails at first. */
  async #stored(): Promise<void> {
    const { out } = this.#journals
    // what is on its way, then what was gathered meanwhile
    for (let time = 0; time < 2; time++) {
      this.#carry()
      const carried = new Promise<void>(resolve => out.carry([], resolve))
      await Promise.race([carried, out.committed()]).catch(({ message }: Error) => {
        throw new ApiError('NoSpace', `it is not stored yet, and is tried again: ${message}`)
      })
    }
  }

  /** At the end of this tick, so that what many frames bring is one commit. */
  carry(): void {
    if (this.#planned) return
    this.#planned = true
    queueMicrotask(() => {
      this.#planned = false
      this.#carry()
    })
  }

  /** While a journal is busy its core gathers what is the next commit. */
  #carry(): void {
    const { gid, handlers, send, onSent, onReceived, around } = this.#options
    if (!this.#carrying.out) {
      const { records, outputs } = this.#outbox.take()
      this.#record('out', outboxWrites(gid, records), outputs, output => {
        if (output.type === 'send') send(output.peer, output.body)
        else if (output.type === 'changed') this.#changed(output.sent, onSent)
        else if (output.type === 'withdrawn') this.#safekeeping.withdrawn(output.sent)
        else around.log('debug', 'dropped', { what: output.what })
      })
    }
    if (!this.#carrying.in) {
      const { records, outputs } = this.#inbox.take()
      for (const output of outputs)
        if (output.type === 'run') handlers.expect(output.received, output.choice.key)
      const releases = this.#releases.splice(0).map(release => ({ type: 'release', release }) as const)
      this.#record('in', inboxWrites(gid, records), [...outputs, ...releases], output => {
        if (output.type === 'send') send(output.peer, output.body)
        else if (output.type === 'changed') onReceived(output.received)
        else if (output.type === 'run') void this.#run(output.received, output.choice.key)
        else if (output.type === 'adopt') void this.#adopt(output.received)
        else if (output.type === 'release') void output.release()
        else if (output.type === 'handed')
          this.#safekeeping.said(output.holder, output.custody, output.verdict)
        else around.log('debug', 'dropped', { what: output.what })
      })
    }
    around.arm()
  }

  /** What somebody waits for goes first. */
  #record<Output extends { readonly type: string }>(
    journal: 'out' | 'in',
    writes: readonly Write[],
    outputs: readonly Output[],
    carryOut: (output: Output) => void
  ): void {
    if (writes.length + outputs.length === 0) return
    this.#carrying[journal] = true
    this.#journals[journal].carry(writes, () => {
      this.#carrying[journal] = false
      for (const output of outputs.toSorted(byUrgency)) carryOut(output)
      this.carry()
    })
  }

  async #run(received: Received, key: string): Promise<void> {
    const { handlers, sender } = this.#options
    this.#ended(received, await handlers.run(received, key, sender(received.from)))
  }

  async #adopt(received: Received): Promise<void> {
    this.#ended(received, await this.#options.handlers.adopt(received))
  }

  /** Its unit is let go when its end is on disk: until then a next process must find it. */
  #ended(received: Received, { ending, release }: Ran): void {
    const { around } = this.#options
    if (this.#stopped) return
    this.#inbox.exited(around.now(), Math.floor(around.wall()), received, ending)
    this.#releases.push(release)
    this.carry()
  }

  #changed(sent: Sent, onSent: (sent: Sent) => void): void {
    this.#safekeeping.changed(sent)
    onSent(sent)
    this.#waiting.changed(sent)
  }

  #trouble(error: Error | undefined): void {
    const { around, gid } = this.#options
    const waits = error === undefined ? '' : `messages wait to be stored: ${error.message}`
    around.note(`messages of ${circleId(gid)}`, waits)
    if (error !== undefined)
      around.log('warn', 'messages are not stored; trying again', { error: error.message })
  }
}

const urgency: { readonly [type: string]: number } = { run: 0, send: 1 }
const byUrgency = (a: { readonly type: string }, b: { readonly type: string }): number =>
  (urgency[a.type] ?? 2) - (urgency[b.type] ?? 2)
