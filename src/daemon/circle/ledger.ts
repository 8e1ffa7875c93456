/**
 * The signed log of one circle with its discovery keys, run: signatures are checked off the main loop, what
 * was taken in is on disk before anything follows from it, and this device's own operations are made one
 * after another, each with the one before in its past.
 */
import { ApiError } from '../../api/api.ts'
import type { Made, Place } from '../../circle/author.ts'
import { DiscoveryKeys } from '../../circle/discovery-keys.ts'
import { type LogOutput, type MemberState, MembershipLog } from '../../circle/log.ts'
import { type PeerId, peerId } from '../../crypto/identity.ts'
import { ed25519, type SigningKey, verifyBatch, x25519 } from '../../crypto/provider.ts'
import type { Write } from '../../host/database.ts'
import { decodeOperation } from '../../wire/operation.ts'
import type { Surroundings } from '../surroundings.ts'
import { Journal } from './journal.ts'
import { OwnStatics } from './own-statics.ts'
import type { StoredCircle } from './stored.ts'

/** The two cores. */
export interface Cores {
  readonly log: MembershipLog
  readonly keys: DiscoveryKeys
}

export interface LedgerOutlet {
  /** A Log frame for this session. */
  send(session: number, body: Uint8Array): void
  /** Members, their names or their keys changed. */
  changed(): void
  /** The logs of both ends agree, and what made them so is on disk. */
  synced(session: number): void
  /** It sends what is of no use, or is no member after all. */
  expel(session: number): void
  /** There is another discovery key. */
  keysChanged(): void
  /** All outputs that there were have been carried out. */
  carried(): void
}

export class Ledger {
  readonly self: PeerId
  readonly gid: Uint8Array
  readonly signingKey: SigningKey
  readonly statics: OwnStatics
  readonly log: MembershipLog
  readonly keys: DiscoveryKeys
  readonly #around: Surroundings
  readonly #outlet: LedgerOutlet
  readonly #journal: Journal
  readonly #admissions = new Map<number, () => void>()
  #turn: Promise<unknown> = Promise.resolve()
  #carrying = false

  /** `cores`: those that took in what is stored, where they live already. */
  constructor(stored: StoredCircle, around: Surroundings, outlet: LedgerOutlet, cores?: Cores) {
    const { row } = stored
    this.gid = row.gid
    this.#around = around
    this.#outlet = outlet
    this.signingKey = ed25519(row.seed)
    this.statics = new OwnStatics(stored, around.wall)
    this.self = peerId(this.signingKey.publicKey)
    this.log = cores?.log ?? new MembershipLog({ gid: row.gid })
    this.keys = cores?.keys ?? new DiscoveryKeys({ gid: row.gid, self: this.self, statics: this.statics.all })
    if (cores === undefined) {
      this.log.load(stored.operations)
      this.keys.load(stored.discovery)
    }
    this.keys.setMembers(this.log.members)
    this.log.share(this.keys.shared)
    this.#journal = new Journal(
      writes => around.commit(writes),
      error =>
        around.note(
          `storing ${row.name}`,
          error === undefined ? '' : `changes wait to be stored: ${error.message}`
        )
    )
  }

  get members(): ReadonlyMap<PeerId, MemberState> {
    return this.log.members
  }
  /** This device; undefined once it was removed or has left. */
  get own(): MemberState | undefined {
    return this.log.members.get(this.self)
  }
  /** Throws ApiError when this device is no member any more. */
  get ownLevel(): number {
    if (this.own === undefined)
      throw new ApiError('NotAllowed', 'this device is no member any more; `coterie leave` clears it away')
    return this.own.level
  }

  expire(): void {
    const now = this.#around.now()
    if (this.log.deadline <= now) this.log.expire(now)
    this.carry()
  }

  /** Checks and stores what a stranger presents. */
  admit(operations: readonly Uint8Array[]): Promise<void> {
    return new Promise(resolve => {
      this.#admissions.set(this.log.admit(this.#around.now(), operations), resolve)
      this.carry()
    })
  }

  /** Whoever decides something about the circle does so alone. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }

  /**
   * In turn: stores an own operation, and only then lets it count: a full disk changes nothing. `also` is written
   * with it; `counted` is called before anything else follows from it.
   */
  async append(make: (place: Place) => Made, also: readonly Write[] = [], counted = () => {}): Promise<void> {
    const made = make(await this.place())
    if (this.log.room(this.self) === 0 && decodeOperation(made.bytes)?.body.kind !== 'remove')
      throw new ApiError(
        'NotAllowed',
        'this device has made as many changes as its level lets it; to make more it has to leave and join anew'
      )
    await this.store([made], also, counted)
  }

  /** In turn: where the author's next operation stands. All that it stands on is on disk. */
  async place(author: PeerId = this.self): Promise<Place> {
    while (this.#journal.busy) await this.#journal.committed()
    return { gid: this.gid, prev: this.log.parents(author), wallMs: Math.floor(this.#around.wall()) }
  }

  /** In turn: operations made here, all or none. */
  async store(
    made: readonly Made[],
    also: readonly Write[] = [],
    counted: () => void = () => {}
  ): Promise<void> {
    const { now, commit } = this.#around
    const rows = made.map(
      ({ id, bytes }): Write => ({ put: { table: 'operation', gid: this.gid, id, bytes } })
    )
    await commit([...also, ...rows])
    for (const { bytes } of made) this.log.append(now(), bytes)
    counted()
    this.carry()
    await this.#journal.settled()
    // who changes the members also sees to the discovery key
    if (this.keys.due !== 'no' && this.own !== undefined) this.renewKey()
  }

  /** A discovery key for the members there are: on disk as soon as it can be; until then nobody gets it. */
  renewKey(): void {
    const { random } = this.#around
    const kept = this.keys.renew(this.signingKey, this.log.heads, {
      secret: random(32),
      ephemeral: () => x25519(random(32))
    })
    this.#keep(kept)
  }

  /** All that was decided is on disk, and on its way. */
  async stop(): Promise<void> {
    await this.#turn
    await this.#journal.settled()
    this.#journal.stop()
  }

  /** Carries the log's outputs until it is quiet; they may call back in. */
  carry(): void {
    if (this.#carrying) return
    this.#carrying = true
    for (;;) {
      const { records, outputs } = this.log.take()
      if (records.length + outputs.length === 0) break
      this.#journal.carry(
        records.map(put => ({ put })),
        () => {
          for (const output of outputs) this.#carryOut(output)
          this.carry()
        }
      )
    }
    this.#carrying = false
    this.#outlet.carried()
    this.#around.arm()
  }

  #carryOut(output: LogOutput): void {
    const { now, log } = this.#around
    switch (output.type) {
      case 'verify':
        verifyBatch(output.items).then(ok => {
          this.log.verified(now(), output.batch, ok)
          this.carry()
        })
        break
      case 'send':
        this.#outlet.send(Number(output.peer), output.body)
        break
      case 'changed':
        this.keys.setMembers(output.members)
        this.#outlet.changed()
        break
      case 'synced':
        this.#outlet.synced(Number(output.peer))
        break
      case 'wrap': {
        const kept = this.keys.receive(output.wrap)
        if (kept !== undefined) this.#keep(kept)
        break
      }
      case 'admitted':
        this.#admissions.get(output.ticket)?.()
        this.#admissions.delete(output.ticket)
        break
      case 'misbehaves':
        this.#outlet.expel(Number(output.peer))
        break
      case 'note':
        log('warn', output.text, { peer: output.peer })
        // a fork: what is shown of its author changes
        this.#outlet.changed()
        break
      case 'count':
        log('debug', 'dropped', { what: output.what, session: output.peer })
    }
  }

  #keep({ put, removed }: ReturnType<DiscoveryKeys['renew']>): void {
    const old = removed.map(({ id }): Write => ({ remove: 'discovery', gid: this.gid, id }))
    this.#journal.carry([{ put }, ...old], () => {
      this.log.share(this.keys.shared)
      this.#outlet.keysChanged()
      this.carry()
    })
  }
}
