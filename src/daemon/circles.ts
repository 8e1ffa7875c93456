/** The circles of this device: which there are, which one is meant, and how one comes and goes. */
import { ApiError, type Call } from '../api/api.ts'
import { equal } from '../crypto/provider.ts'
import type { Row, Write } from '../host/database.ts'
import type { BoundListener } from '../net/listeners.ts'
import { CloseReason } from '../wire/frame.ts'
import { Circle } from './circle.ts'
import { found } from './founding.ts'
import type { Joined, Joining } from './joining.ts'
import { type CodeJoining, joinByCode } from './joining-by-code.ts'
import { joinByTicket } from './joining-by-ticket.ts'
import type { Cores } from './membership.ts'
import { PendingJoin } from './pending-join.ts'
import { chosen, storedCircles } from './stored.ts'
import type { Surroundings } from './surroundings.ts'
import type { Vault } from './vault.ts'

/** DESIGN 4. */
const AT_MOST = 16
/** How long a leave that was interrupted looks for somebody to tell. */
const LEAVING_MS = 10_000

export interface CirclesOptions {
  readonly around: Surroundings
  readonly vault: Pick<Vault, 'create' | 'commit'>
  /** Finds open invitations by code. */
  readonly search: CodeJoining['search']
  /** Why what is stored cannot be read now, and what to do; '' when it can be. */
  readonly locked: () => string
  /** The sockets this device listens on. */
  readonly bound: () => readonly BoundListener[]
  /** A circle came, went, or is going. */
  readonly onChange: () => void
}

/** `at`: addresses of the inviter; none: it is searched for. */
export type JoinWay = { readonly ticket: string } | { readonly code: string; readonly at?: readonly string[] }

export class Circles {
  readonly #options: CirclesOptions
  readonly #pendingJoin: PendingJoin
  #all: readonly Circle[] = []
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
    this.#all = storedCircles(rows).map(stored => new Circle(stored, this.#options.around))
    for (const circle of this.#all) circle.listening(this.#options.bound())
    this.#options.onChange()
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

  /** By id or name; '' is the default one. Throws ApiError. */
  find(name: string): Circle {
    this.#mustBeOpen()
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
      if (this.#all.some(circle => circle.name === name))
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
    if (this.#all.length >= AT_MOST)
      throw new ApiError(
        'NotAllowed',
        `this device is in ${AT_MOST} circles, which is the most; \`coterie leave --circle NAME\` leaves one`
      )
  }

  /** A new circle comes after the others, under a name that none of them has on this device. */
  #placed(write: Write): Write {
    if (!('put' in write) || write.put.table !== 'circle') return write
    const taken = new Set(this.#all.map(({ name }) => name))
    let { name } = write.put
    for (let n = 2; taken.has(name); n++) name = `${write.put.name} ${n}`
    const position = Math.max(-1, ...this.#all.map(circle => circle.position)) + 1
    return { put: { ...write.put, name, position } }
  }

  /** The circle that these rows, now on disk, make. */
  #adopt(writes: readonly Write[], cores?: Cores): Circle {
    const rows = writes.flatMap(write => ('put' in write ? [write.put] : []))
    const circle = new Circle(storedCircles(rows)[0]!, this.#options.around, cores)
    this.#all = [...this.#all, circle]
    circle.listening(this.#options.bound())
    this.#options.onChange()
    return circle
  }
}
