/**
 * Custody in one circle: joins its two cores, for what is kept here and for what others keep of ours, to the sessions and
 * the disk; seals what is deposited, and opens what is handed over.
 */
import { type PeerId, peerId, shortId } from '../../crypto/identity.ts'
import { bytesOf, type ExchangeKey, hash, type SigningKey, x25519 } from '../../crypto/provider.ts'
import { type Opened, openCopy, sealCopy, signVerdict } from '../../messages/copy.ts'
import { Custody } from '../../messages/custody.ts'
import { type Deposit, Deposits } from '../../messages/deposits.ts'
import type { Outbox, Sent } from '../../messages/outbox.ts'
import { compare } from '../../wire/bytes.ts'
import {
  type Copy,
  decodeCustodyBody,
  encodeDeposit,
  encodeReceipt,
  FIRST_OF_CUSTODY,
  type Verdict
} from '../../wire/custody.ts'
import { Journal } from '../circle/journal.ts'
import type { StoredMessages } from '../circle/stored.ts'
import type { Surroundings } from '../surroundings.ts'
import { custodyWrites, depositWrites, storedCopies, storedDeposits } from './message-rows.ts'

/** What custody knows of a member. */
export interface Acquainted {
  /** Neither a guest nor a relay. */
  readonly whole: boolean
  /** Its X25519 key in use, and the serial of it. */
  readonly staticKey: Uint8Array
  readonly serial: number
}

/** Who is who in the circle. */
export interface Acquaintances {
  readonly self: PeerId
  readonly signer: SigningKey
  /** The own static keys that are accepted. */
  readonly statics: () => readonly ExchangeKey[]
  /** Undefined when it is no member, or its time as a guest is over. */
  readonly member: (peer: PeerId) => Acquainted | undefined
  /** By its own last word: it is on mains, and on a network that does not cost by the byte. */
  readonly hasPlenty: (peer: PeerId) => boolean
}

export interface SafekeepingOptions {
  readonly gid: Uint8Array
  readonly stored: StoredMessages
  readonly around: Pick<Surroundings, 'now' | 'wall' | 'random' | 'commit' | 'log' | 'arm'>
  readonly circle: Acquaintances
  /** Of the outbox. */
  readonly epoch: Uint8Array
  readonly outbox: Outbox
  /** A Message frame to the member, on the session that is written to. */
  readonly send: (peer: PeerId, body: Uint8Array) => void
  /** A copy for this device, of a message by a member. `said` follows. */
  readonly onHanded: (holder: PeerId, custody: Uint8Array, opened: Opened) => void
  /** The outbox may have outputs. */
  readonly onChanged: () => void
}

export class Safekeeping {
  readonly #options: SafekeepingOptions
  readonly #custody: Custody
  readonly #deposits: Deposits
  readonly #journals: { readonly kept: Journal; readonly given: Journal }
  readonly #online = new Set<PeerId>()
  /** Those that were on battery, or on a network that costs, since the start: less likely to stay. */
  readonly #saved = new Set<PeerId>()

  constructor(options: SafekeepingOptions) {
    this.#options = options
    const { gid, stored, around, circle, outbox } = options
    const [now, wall] = [around.now(), Math.floor(around.wall())]
    this.#custody = new Custody({
      gid,
      self: circle.self,
      rows: storedCopies(stored),
      now,
      wall,
      isMember: peer => circle.member(peer) !== undefined,
      mayDeposit: peer => circle.member(peer)?.whole === true
    })
    this.#deposits = new Deposits({
      gid,
      rows: storedDeposits(stored),
      outbox,
      now,
      wall,
      holders: peer => this.#holders(peer),
      serial: peer => circle.member(peer)?.serial,
      random: around.random
    })
    const journal = () =>
      new Journal(
        writes => around.commit(writes),
        error => error && around.log('warn', 'custody is not stored; trying again', { error: error.message })
      )
    this.#journals = { kept: journal(), given: journal() }
  }

  /** What this device keeps for others. */
  get load(): { copies: number; bytes: number } {
    return this.#custody.load
  }
  /** Who says that it keeps that message. */
  holders(sent: Sent): readonly PeerId[] {
    return this.#deposits.holders(sent)
  }

  get deadline(): number {
    return Math.min(this.#custody.deadline, this.#deposits.deadline)
  }

  expire(now: number): void {
    this.#custody.expire(now)
    this.#deposits.expire(now, this.#wall)
    this.carry()
  }

  /** There is a message more, or what is known of a peer changed. */
  look(): void {
    this.#deposits.look(this.#options.around.now())
    this.#options.around.arm()
  }

  session(peer: PeerId, open: boolean): void {
    const now = this.#options.around.now()
    if (open) {
      this.#online.add(peer)
      this.#custody.opened(peer)
      this.#deposits.opened(now, peer)
    } else {
      this.#online.delete(peer)
      this.#custody.closed(peer)
      this.#deposits.closed(now, peer)
    }
    this.carry()
  }

  /** Whether a body is of custody. */
  static takes = (body: Uint8Array): boolean => body[0]! >= FIRST_OF_CUSTODY

  receive(from: PeerId, body: Uint8Array): void {
    const now = this.#options.around.now()
    const wall = this.#wall
    const heard = decodeCustodyBody(body)
    if (heard === undefined) this.#count('custody-malformed')
    else if (heard.type === 'deposit') this.#custody.deposit(now, wall, from, heard.copy)
    else if (heard.type === 'inquiry') this.#custody.inquiry(from, heard.custodies)
    else if (heard.type === 'release') this.#custody.release(from, heard.custodies)
    else if (heard.type === 'receipt') this.#custody.receipt(now, from, heard.custody, heard.said)
    else if (heard.type === 'answers') this.#deposits.answers(now, wall, from, heard.answers)
    else this.#handed(from, heard.copy)
    this.carry()
  }

  /** Outputs of the outbox. */
  changed(sent: Sent): void {
    this.#deposits.changed(this.#options.around.now(), this.#wall, sent)
    this.carry()
  }
  withdrawn(sent: Sent): void {
    this.#deposits.withdrawn(this.#options.around.now(), this.#wall, sent)
    this.carry()
  }

  /** What a holder is told of a copy. */
  said(holder: PeerId, custody: Uint8Array, verdict: Verdict): void {
    const { gid, circle, send } = this.#options
    const said = verdict === 'later' ? verdict : signVerdict(gid, circle.signer, custody, verdict)
    send(holder, encodeReceipt(custody, said))
  }

  membersChanged(): void {
    this.#custody.membersChanged()
    this.#deposits.membersChanged(this.#options.around.now(), this.#wall)
    this.carry()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#journals.kept.settled(), this.#journals.given.settled()])
    for (const journal of Object.values(this.#journals)) journal.stop()
  }

  carry(): void {
    const { gid, send, around, onChanged } = this.#options
    const kept = this.#custody.take()
    if (kept.records.length + kept.outputs.length > 0)
      this.#journals.kept.carry(
        kept.records.map(record => custodyWrites(gid, record)),
        () => {
          for (const output of kept.outputs)
            if (output.type === 'send') send(output.peer, output.body)
            else this.#count(output.what)
        }
      )
    const given = this.#deposits.take()
    if (given.records.length + given.outputs.length > 0)
      this.#journals.given.carry(
        given.records.map(record => depositWrites(gid, record)),
        () => {
          for (const output of given.outputs)
            if (output.type === 'send') send(output.peer, output.body)
            else if (output.type === 'deposit') this.#deposit(output.deposit, output.sent)
            else this.#count(output.what)
        }
      )
    onChanged()
    around.arm()
  }

  #deposit(deposit: Deposit, sent: Sent): void {
    const { gid, epoch, circle, around, send } = this.#options
    const member = circle.member(deposit.peer)
    // it was sealed anew meanwhile, or is of no use
    if (member?.serial !== deposit.serial) return
    const { holder, custody, after, afterMs } = deposit
    const copy = sealCopy({
      gid,
      custody,
      epoch,
      sent,
      after,
      afterMs,
      signer: circle.signer,
      recipientStatic: member.staticKey,
      ephemeral: x25519(around.random(32))
    })
    send(holder, encodeDeposit(copy))
  }

  /** A copy for this device. What cannot be opened, or was not signed by a member, is of no use to anybody. */
  #handed(holder: PeerId, copy: Copy): void {
    const { gid, circle, onHanded, around } = this.#options
    if (peerId(copy.recipient) !== circle.self) {
      this.#count('copy-not-for-us')
      return
    }
    const opened = openCopy({ gid, statics: circle.statics() }, copy)
    if (typeof opened === 'string') {
      this.#count(opened)
      this.said(holder, copy.custody, 'useless')
    } else if (circle.member(opened.from) === undefined) {
      around.log('info', 'a message does not run: its sender is no member any more', {
        peer: shortId(opened.from),
        tag: opened.message.tag
      })
      this.said(holder, copy.custody, 'useless')
    } else onHanded(holder, copy.custody, opened)
  }

  /** All senders prefer the same holders for one member: it meets fewer of them. */
  #holders(peer: PeerId): PeerId[] {
    const { circle } = this.#options
    for (const each of this.#online) if (!circle.hasPlenty(each)) this.#saved.add(each)
    const rank = (each: PeerId) => hash(bytesOf('coterie/1 holder\0'), bytesOf(peer), bytesOf(each))
    return [...this.#online]
      .filter(each => each !== peer && circle.hasPlenty(each) && circle.member(each)?.whole === true)
      .map(each => ({ each, saved: this.#saved.has(each) ? 1 : 0, rank: rank(each) }))
      .sort((a, b) => a.saved - b.saved || compare(a.rank, b.rank))
      .map(({ each }) => each)
  }

  #count(what: string): void {
    this.#options.around.log('debug', 'dropped', { what })
  }

  get #wall(): number {
    return Math.floor(this.#options.around.wall())
  }
}
