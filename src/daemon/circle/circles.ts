/** The circles of this device: which there are, which one is meant, and how one comes and goes. */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Call } from '../../api/api.ts'
import { equal } from '../../crypto/provider.ts'
import type { Row, Write } from '../../host/database.ts'
import type { Reach } from '../../net/reach.ts'
import { CloseReason } from '../../wire/frame.ts'
import { found } from '../joining/founding.ts'
import type { Joined, Joining } from '../joining/joining.ts'
import { type CodeJoining, joinByCode } from '../joining/joining-by-code.ts'
import { joinByTicket } from '../joining/joining-by-ticket.ts'
import { PendingJoin } from '../joining/pending-join.ts'
import type { Vault } from '../keys/vault.ts'
import type { Surroundings } from '../surroundings.ts'
import { Circle } from './circle.ts'
import { type LockedCircle, lockedCircle } from './locked-circle.ts'
import { type Lock, lockWrites, unlockWrites } from './locking.ts'
import type { Cores } from './membership.ts'
import { genesisOf, recoveryKey, type Typed } from './recovery-code.ts'
import { chosen, storedCircles } from './stored.ts'

/** DESIGN 4. */
const AT_MOST = 16
/** How long a leave that was interrupted looks for somebody to tell. */
const LEAVING_MS = 10_000
/** What saying goodbye may take before a lost device's keys are sealed. */
const PARTING_MS = 500
/** Before sealing is tried again, when the disk does not take it. */
const AGAIN_MS = 5_000

export interface CirclesOptions {
  readonly around: Surroundings
  readonly vault: Pick<Vault, 'create' | 'commit' | 'load' | 'scrub' | 'erase'>
  /** Finds open invitations by code. */
  readonly search: CodeJoining['search']
  /** Why what is stored cannot be read now, and what to do; '' when it can be. */
  readonly locked: () => string
  /** The sockets this device listens on. */
  readonly reach: () => readonly Reach[]
  /** A circle came, went, or is going. */
  readonly onChange: () => void
}

/** `at`: addresses of the inviter; none: it is searched for. */
export type JoinWay = { readonly ticket: string } | { readonly code: string; readonly at?: readonly string[] }

export class Circles {
  readonly #options: CirclesOptions
  readonly #pendingJoin: PendingJoin
  #all: readonly Circle[] = []
  #sealed: readonly LockedCircle[] = []
  /** The default one, locked or not. */
  #first: Uint8Array | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** The network is followed: what was stored may go on. */
  #begun = false

  constructor(options: CirclesOptions) {
    this.#options = options
    const { around, vault } = options
    this.#pendingJoin = new PendingJoin(write => vault.commit([write]), around.random)
  }

  /** What was stored: at the start, or later when it could not be read then. */
  load(rows: readonly Row[]): void {
    this.#pendingJoin.load(rows)
    const { around, onChange, reach, vault } = this.#options
    const all = storedCircles(rows)
    this.#first = all[0]?.row.gid
    this.#sealed = all.flatMap(stored => lockedCircle(stored) ?? [])
    for (const { id, sentence } of this.#sealed) around.note(id, sentence)
    // where the one before was ended just then
    if (this.#sealed.length > 0) void vault.scrub()
    this.#all = all
      .filter(stored => lockedCircle(stored) === undefined)
      .map(stored => new Circle(stored, around))
    for (const circle of this.#all) circle.listening(reach())
    onChange()
    if (this.#begun) this.begin()
  }

  /** Leaves that were interrupted, by a crash or a power cut, go on. */
  begin(): void {
    this.#begun = true
    for (const circle of this.#all) if (circle.leaving) void this.#leaveOn(circle)
  }

  /** The default one first. */
  get all(): readonly Circle[] {
    return this.#all
  }

  /** The programs that run for messages are others than before. */
  handlersChanged(): void {
    for (const { correspondence } of this.#all) correspondence.messages.handlersChanged()
  }

  /** Those whose keys are locked. */
  get sealed(): readonly LockedCircle[] {
    return this.#sealed
  }
  /** The locked one of this id or name; '' is the default one. */
  findSealed(name: string): LockedCircle | undefined {
    if (name === '') return this.#sealed.find(({ gid }) => this.#first && equal(gid, this.#first))
    return this.#sealed.find(({ id }) => id === name) ?? this.#sealed.find(sealed => sealed.name === name)
  }

  /** By id or name; '' is the default one. Throws ApiError. */
  find(name: string): Circle {
    this.#mustBeOpen()
    const sealed = this.findSealed(name)
    if (sealed !== undefined) throw new ApiError('Locked', sealed.sentence)
    const first = this.#all[0]
    if (first === undefined)
      throw new ApiError(
        'NoCircle',
        'this device is in no circle yet: `coterie init` makes one, `coterie join` joins one'
      )
    if (name === '') return first
    const meant =
      this.#all.find(circle => circle.id === name) ?? this.#all.find(circle => circle.name === name)
    if (meant !== undefined) return meant
    throw new ApiError(
      'NoSuchCircle',
      `this device is in no circle ${JSON.stringify(name)}; \`coterie circle list\` names them`
    )
  }

  /** Makes a circle with this device as its first; `another`: beside those it is in already. */
  async init(
    name: string,
    device: string,
    { another, keyStore }: { another: boolean; keyStore: string }
  ): Promise<{ circle: Circle; recoveryCode: string }> {
    const { around, vault } = this.#options
    return this.#inTurn(async () => {
      this.#mustBeOpen()
      const [first] = this.#all
      if (first !== undefined && !another)
        throw new ApiError(
          'CircleExists',
          `this device is in the circle ${JSON.stringify(first.name)} already; \`coterie circle create NAME\` makes another`
        )
      this.#mustHaveRoom()
      if ([...this.#all, ...this.#sealed].some(circle => circle.name === name))
        throw new ApiError(
          'CircleExists',
          `this device is in a circle called ${JSON.stringify(name)} already; give this one another name`
        )
      const { random, wall } = around
      const { writes, recoveryCode } = found({ name, device, random, wallMs: Math.floor(wall()) })
      await vault.create(keyStore)
      const placed = writes.map(write => this.#placed(write))
      await vault.commit(placed)
      return { circle: this.#adopt(placed), recoveryCode }
    })
  }

  /** From now on it is the default one. */
  async use(circle: Circle): Promise<void> {
    return this.#inTurn(async () => {
      await this.#options.vault.commit([chosen(circle.gid)])
      this.#all = [circle, ...this.#all.filter(other => other !== circle)]
      this.#first = circle.gid
      this.#options.onChange()
    })
  }

  /** Joins a circle by ticket or code; goes on trying until the inviter answers or the time is up. */
  async join(
    way: JoinWay,
    device: string,
    { timeoutMs, keyStore, call }: { timeoutMs: number; keyStore: string; call: Call }
  ): Promise<Circle> {
    const { around, search, vault } = this.#options
    this.#mustBeOpen()
    this.#mustHaveRoom()
    const joining: Joining = {
      around,
      check: gid => this.#mustBeNew(gid),
      secrets: (of, anew) =>
        this.#inTurn(async () => {
          await vault.create(keyStore)
          return this.#pendingJoin.secrets(of, anew)
        }),
      timeoutMs,
      call
    }
    return this.#enter(
      'ticket' in way
        ? await joinByTicket(way.ticket, device, joining)
        : await joinByCode(way.code, device, { ...joining, at: way.at ?? [], search })
    )
  }

  /** The circle was taken in: it is stored, and its session goes on. */
  async #enter(joined: Joined): Promise<Circle> {
    const circle = await this.#inTurn(async () => {
      this.#mustHaveRoom()
      this.#mustBeNew(joined.gid)
      const writes = joined.writes.map(write => this.#placed(write))
      await this.#options.vault.commit([...writes, this.#pendingJoin.forget(joined.of)])
      this.#pendingJoin.forgotten(joined.of)
      return this.#adopt(writes, joined.cores)
    }).catch(error => {
      joined.session.close(CloseReason.Done)
      throw error
    })
    circle.opened(joined.session)
    for (const { kind, body } of joined.early) joined.session.onFrame(kind, body)
    const ended = joined.ended()
    if (ended !== undefined) joined.session.onClose(ended)
    return circle
  }

  /** Leaves a circle for good. Resolves how many peers have it on disk. */
  async leave(circle: Circle, call: Call): Promise<number> {
    const { around, vault, onChange } = this.#options
    try {
      const telling = circle.leave(call)
      onChange()
      const told = await telling
      await circle.stop()
      this.#all = this.#all.filter(other => other !== circle)
      this.#gone(circle.gid)
      await vault.commit([{ remove: 'circle', gid: circle.gid }]).catch(error => {
        // it has left for good; the next start finds that and goes on here
        around.log('warn', 'the keys of a circle that was left are still stored', { error: error.message })
      })
      circle.unpublish()
      return told
    } finally {
      onChange()
    }
  }

  /** Leaves all of them, and forgets keys and data. Resolves how often a peer has it on disk. */
  async erase(call: Call): Promise<number> {
    this.#mustBeOpen()
    let told = 0
    for (const circle of [...this.#all]) told += await this.leave(circle, call)
    for (const sealed of [...this.#sealed]) await this.forget(sealed)
    await this.#inTurn(async () => {
      await this.#options.vault.erase()
      this.load([])
    })
    return told
  }

  /** Of a locked one, which nobody can be told of. */
  async forget(sealed: LockedCircle): Promise<void> {
    await this.#inTurn(async () => {
      await this.#options.vault.commit([{ remove: 'circle', gid: sealed.gid }])
      this.#unseal(sealed)
      this.#gone(sealed.gid)
      this.#options.onChange()
    })
  }

  /** If it was the default one, the next is. */
  #gone(gid: Uint8Array): void {
    if (this.#first !== undefined && equal(this.#first, gid))
      this.#first = (this.#all[0] ?? this.#sealed[0])?.gid
  }

  /** This device is the lost one: the circle has no network any more, and its keys are sealed and gone from the disk. */
  lock(lock: Lock): void {
    void this.#inTurn(async () => {
      const circle = this.#all.find(({ gid }) => equal(gid, lock.gid))
      if (circle === undefined) return
      this.#all = this.#all.filter(other => other !== circle)
      await Promise.race([circle.stop(), delay(PARTING_MS, undefined, { ref: false })])
      circle.unpublish()
      while (!(await this.#seal(lock))) await delay(AGAIN_MS, undefined, { ref: false })
    })
  }

  /** Opens a locked circle again. The device stays removed. Rejects ApiError. */
  async unlock(name: string, typed: Typed): Promise<Circle> {
    const { around, onChange, reach, vault } = this.#options
    return this.#inTurn(async () => {
      this.#mustBeOpen()
      const sealed = this.findSealed(name)
      if (sealed === undefined)
        throw new ApiError('InvalidValue', `the circle ${this.find(name).name} is not locked on this device`)
      const key = recoveryKey(typed, genesisOf(sealed.operations))
      const writes = unlockWrites(sealed.lock, await vault.load(), key.static)
      if (writes === undefined) throw new Error('the sealed keys cannot be opened')
      await vault.commit(writes)
      const stored = storedCircles(await vault.load()).find(({ row }) => equal(row.gid, sealed.gid))!
      this.#unseal(sealed)
      const circle = new Circle(stored, around)
      const all = [...this.#all, circle].sort((a, b) => a.position - b.position)
      const first = all.find(({ gid }) => this.#first !== undefined && equal(gid, this.#first))
      this.#all = first === undefined ? all : [first, ...all.filter(other => other !== first)]
      circle.listening(reach())
      onChange()
      return circle
    })
  }

  async #seal(lock: Lock): Promise<boolean> {
    const { around, onChange, vault } = this.#options
    try {
      const atMs = Math.floor(around.wall())
      await vault.commit(lockWrites(lock, await vault.load(), { random: around.random, atMs }))
      await vault.scrub()
      const stored = storedCircles(await vault.load()).find(({ row }) => equal(row.gid, lock.gid))!
      const sealed = lockedCircle(stored)!
      this.#sealed = [...this.#sealed, sealed]
      around.note(sealed.id, sealed.sentence)
      onChange()
      return true
    } catch (error) {
      around.log('error', 'the keys of a lost device could not be sealed yet', { error: String(error) })
      return false
    }
  }

  #unseal(sealed: LockedCircle): void {
    this.#sealed = this.#sealed.filter(other => other !== sealed)
    this.#options.around.note(sealed.id, '')
  }

  /** Says goodbye in all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map(circle => circle.stop()))
  }

  async #leaveOn(circle: Circle): Promise<void> {
    this.#options.around.log('info', 'going on with leaving a circle', { circle: circle.name })
    const call = { signal: AbortSignal.timeout(LEAVING_MS), progress: () => {} }
    await circle.met(call.signal)
    if (this.#all.includes(circle)) await this.leave(circle, call)
  }

  /** Who has a circle is changed by one at a time. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }

  #mustBeOpen(): void {
    const why = this.#options.locked()
    if (why !== '') throw new ApiError('Locked', why)
  }

  #mustBeNew(gid: Uint8Array): void {
    const sealed = this.#sealed.find(circle => equal(circle.gid, gid))
    if (sealed !== undefined) throw new ApiError('CircleExists', sealed.sentence)
    const known = this.#all.find(circle => equal(circle.gid, gid))
    if (known === undefined) return
    const name = JSON.stringify(known.name)
    throw new ApiError(
      'CircleExists',
      known.record.Level === 0
        ? `this device was removed from the circle ${name}; \`coterie leave\` clears it away, then it can join anew`
        : `this device is in the circle ${name} already`
    )
  }

  #mustHaveRoom(): void {
    if (this.#all.length + this.#sealed.length >= AT_MOST)
      throw new ApiError(
        'NotAllowed',
        `this device is in ${AT_MOST} circles, which is the most; \`coterie leave --circle NAME\` leaves one`
      )
  }

  /** A new circle comes after the others, under a name that none of them has on this device. */
  #placed(write: Write): Write {
    if (!('put' in write) || write.put.table !== 'circle') return write
    const taken = new Set([...this.#all, ...this.#sealed].map(({ name }) => name))
    let { name } = write.put
    for (let n = 2; taken.has(name); n++) name = `${write.put.name} ${n}`
    const position = Math.max(-1, ...[...this.#all, ...this.#sealed].map(circle => circle.position)) + 1
    return { put: { ...write.put, name, position } }
  }

  /** The circle that these rows, now on disk, make. */
  #adopt(writes: readonly Write[], cores?: Cores): Circle {
    const rows = writes.flatMap(write => ('put' in write ? [write.put] : []))
    const circle = new Circle(storedCircles(rows)[0]!, this.#options.around, cores)
    this.#all = [...this.#all, circle]
    this.#first ??= circle.gid
    circle.listening(this.#options.reach())
    this.#options.onChange()
    return circle
  }
}
