/**
 * The shares of a recovery code: giving one to each of three devices, keeping one for whoever has the code. Only who
 * has the code can give a share, to members, over a session that is open: the recovery key signs each offer for its
 * session. All three are on disk before any of them counts.
 */
import { ApiError, type Call } from '../../api/api.ts'
import type { MemberState } from '../../circle/log.ts'
import { type PeerId, peerId, peerKey, shortId } from '../../crypto/identity.ts'
import { equal, verifyBatch } from '../../crypto/provider.ts'
import { isShare, markOf, SHARE_BYTES, SHARES, splitCode } from '../../crypto/shares.ts'
import type { Row } from '../../host/database.ts'
import { compare, hex } from '../../wire/bytes.ts'
import {
  encodeRecoveryFrame,
  type Offer,
  offerMessage,
  type RecoveryFrame
} from '../../wire/recovery-frame.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Recovery } from './recovery.ts'
import type { RecoveryKey } from './recovery-code.ts'

type ShareRow = Row & { table: 'share' }

/** How long each of the devices may take, twice. */
const ANSWER_MS = 10_000
const RELAY_LEVEL = 11
/** An offer of this takes away the share that is held: others hold new ones. */
const NOTHING = new Uint8Array(SHARE_BYTES)

export interface ShareCircle {
  readonly gid: Uint8Array
  readonly name: string
  readonly self: PeerId
  readonly members: ReadonlyMap<PeerId, MemberState>
  readonly recovery: Pick<Recovery, 'genesis' | 'nameOf'>
  /** The session in use with this peer, if the logs agree in it, and its hash. */
  session(peer: PeerId): { readonly number: number; readonly hash: Uint8Array } | undefined
  send(session: number, body: Uint8Array): void
}

export class Shares {
  readonly #circle: ShareCircle
  readonly #around: Pick<Surroundings, 'after' | 'commit' | 'log' | 'note' | 'random' | 'wall'>
  /** What is waited for, as `type mark peer`. */
  readonly #waiting = new Map<string, () => void>()
  #offered: ShareRow | undefined
  #held: ShareRow | undefined

  constructor(
    circle: ShareCircle,
    around: Pick<Surroundings, 'after' | 'commit' | 'log' | 'note' | 'random' | 'wall'>,
    rows: readonly ShareRow[]
  ) {
    this.#circle = circle
    this.#around = around
    this.#offered = rows.find(({ counts }) => counts === 0)
    this.#held = rows.find(({ counts }) => counts === 1)
  }

  /** The share that is kept here; `counts` is 0 where the splitting it came from was not finished. */
  get kept(): ShareRow | undefined {
    return this.#held ?? this.#offered
  }

  /** Who is a member has changed: a share may be with one who is none any more. */
  membersChanged(): void {
    const { members, name, recovery, gid } = this.#circle
    const gone = holdersOf(this.#held).filter(id => !members.has(id))
    const names = gone.map(id => recovery.nameOf(id)).join(', ')
    this.#around.note(
      `shares ${hex(gid)}`,
      gone.length === 0
        ? ''
        : `a share of the recovery code of ${name} is on a device that is no member any more (${names}): \`coterie recovery split\` gives new ones to three others`
    )
  }

  /**
   * Resolves with those members who could not be told to forget an older share. Rejects ApiError: nothing counts, or
   * it says for whom it does not yet.
   */
  async split(key: RecoveryKey, devices: readonly PeerId[], call: Call): Promise<PeerId[]> {
    const { self } = this.#circle
    this.#check(devices)
    const others = devices.filter(id => id !== self)
    const shares = splitCode(key.code, this.#around.random(24))
    const holders = devices.map(id => peerKey(id)!).sort(compare)
    const mark = markOf(shares[0]!)
    call.progress('giving each device its share')
    const given = others.map(id => {
      const share = shares[devices.indexOf(id)]!
      return this.#offer(key, id, { share, holders })
    })
    if (devices.includes(self))
      await this.#keep({ share: shares[devices.indexOf(self)]!, holders, giver: self, counts: 0 })
    await this.#all(others, given, 'did not take its share; nothing counts', call)
    call.progress('all have theirs on disk')
    if (devices.includes(self)) await this.#settle()
    const settled = others.map(id => this.#ask(id, { type: 'settle', mark }, 'settled'))
    await this.#all(others, settled, 'has its share and was not told that it counts; split once more', call)
    return this.#forgetOld(key, devices, holders)
  }

  /** A frame of a member, other than an order. */
  async receive(
    session: { peer: PeerId; number: number; hash: Uint8Array },
    frame: RecoveryFrame
  ): Promise<void> {
    const { peer, number } = session
    // the session it came by may be the one that is being given up
    const answer = (frame: RecoveryFrame) =>
      this.#circle.send(this.#circle.session(peer)?.number ?? number, encodeRecoveryFrame(frame))
    if (frame.type === 'held' || frame.type === 'settled')
      this.#waiting.get(`${frame.type} ${hex(frame.mark)} ${peer}`)?.()
    try {
      if (frame.type === 'offer' && (await this.#verified(session, frame))) {
        const { share, holders } = frame
        if (equal(share, NOTHING)) await this.#forget()
        else await this.#keep({ share, holders, giver: peer, counts: 0 })
        answer({ type: 'held', mark: markOf(share) })
      }
      if (frame.type === 'settle') {
        const { mark } = frame
        if (this.#offered?.giver === peer && equal(markOf(this.#offered.share), mark)) await this.#settle()
        if (this.#held?.giver === peer && equal(markOf(this.#held.share), mark))
          answer({ type: 'settled', mark })
      }
    } catch (error) {
      this.#around.log('warn', 'a share of the recovery code was not stored', {
        error: (error as Error).message
      })
    }
  }

  #check(devices: readonly PeerId[]): void {
    const { members, self } = this.#circle
    if (new Set(devices).size !== SHARES)
      throw new ApiError('InvalidValue', `Devices: name three different ones, not ${devices.length}`)
    const all = devices.map(id => members.get(id)!)
    const poor = all.filter(({ level, flags }) => level === RELAY_LEVEL || (flags & 1) === 1)
    if (poor.length > 0)
      throw new ApiError(
        'NotAllowed',
        `${names(poor)}: guests and relays keep no shares, as they may be gone, or be somebody else’s`
      )
    const away = all.filter(({ id }) => id !== self && this.#circle.session(id) === undefined)
    if (away.length > 0)
      throw new ApiError(
        'Unreachable',
        `${names(away)} cannot be reached now; all three must be, so nothing was given to anybody`
      )
  }

  #offer(key: RecoveryKey, to: PeerId, { share, holders }: Pick<Offer, 'share' | 'holders'>): Promise<void> {
    const session = this.#circle.session(to)?.hash ?? new Uint8Array(32)
    const place = { gid: this.#circle.gid, session, recipient: peerKey(to)! }
    const signature = key.signing.sign(offerMessage({ share, holders }, place))
    return this.#ask(to, { type: 'offer', share, holders, signature }, 'held')
  }

  /** Rejects when there is no answer. */
  #ask(
    peer: PeerId,
    frame: Exclude<RecoveryFrame, { type: 'order' }>,
    answer: 'held' | 'settled'
  ): Promise<void> {
    const { session, send } = this.#circle
    const awaited = `${answer} ${hex(frame.type === 'offer' ? markOf(frame.share) : frame.mark)} ${peer}`
    let cancel = () => {}
    const answered = new Promise<void>((resolve, reject) => {
      const to = session(peer)
      if (to === undefined) return reject(new Error('gone'))
      cancel = this.#around.after(ANSWER_MS, () => reject(new Error('timeout')))
      this.#waiting.set(awaited, resolve)
      send(to.number, encodeRecoveryFrame(frame))
    })
    return answered.finally(() => {
      cancel()
      this.#waiting.delete(awaited)
    })
  }

  async #all(
    peers: readonly PeerId[],
    answers: readonly Promise<void>[],
    what: string,
    call: Call
  ): Promise<void> {
    const ends = await Promise.allSettled(answers)
    call.signal.throwIfAborted()
    const { members } = this.#circle
    const failed = peers
      .filter((_, n) => ends[n]!.status === 'rejected')
      .map(id => members.get(id)?.name ?? id)
    if (failed.length > 0) throw new ApiError('Unreachable', `${failed.join(', ')} ${what}`)
  }

  /** Members who hold no share now may hold one of an older splitting, which still fits its fellows. */
  async #forgetOld(
    key: RecoveryKey,
    devices: readonly PeerId[],
    holders: readonly Uint8Array[]
  ): Promise<PeerId[]> {
    const { members, self } = this.#circle
    const rest = [...members.keys()].filter(id => !devices.includes(id))
    if (rest.includes(self)) await this.#forget()
    const others = rest.filter(id => id !== self)
    const told = await Promise.allSettled(others.map(id => this.#offer(key, id, { share: NOTHING, holders })))
    return others.filter((_, n) => told[n]!.status === 'rejected')
  }

  async #verified(session: { peer: PeerId; hash: Uint8Array }, offer: Offer): Promise<boolean> {
    const { gid, self, members, recovery } = this.#circle
    const own = peerKey(self)!
    const nothing = equal(offer.share, NOTHING)
    if (!members.has(session.peer) || (!nothing && !isShare(offer.share))) return false
    if (nothing === offer.holders.some(holder => equal(holder, own))) return false
    const message = offerMessage(offer, { gid, session: session.hash, recipient: own })
    const publicKey = recovery.genesis.recovery
    const [good] = await verifyBatch([{ publicKey, message, signature: offer.signature }])
    return good === true
  }

  async #keep(
    made: Pick<ShareRow, 'share' | 'giver' | 'counts'> & { holders: readonly Uint8Array[] }
  ): Promise<void> {
    const holders = new Uint8Array(made.holders.length * 32)
    for (const [n, holder] of made.holders.entries()) holders.set(holder, n * 32)
    const atMs = Math.floor(this.#around.wall())
    const row: ShareRow = { table: 'share', gid: this.#circle.gid, ...made, holders, atMs }
    await this.#around.commit([{ put: row }])
    this.#offered = row
  }

  async #settle(): Promise<void> {
    if (this.#offered === undefined) return
    const { gid } = this.#circle
    const row: ShareRow = { ...this.#offered, counts: 1 }
    await this.#around.commit([{ put: row }, { remove: 'share', gid, counts: 0 }])
    this.#held = row
    this.#offered = undefined
    this.membersChanged()
  }

  async #forget(): Promise<void> {
    if (this.kept === undefined) return
    const { gid } = this.#circle
    await this.#around.commit([0, 1].map(counts => ({ remove: 'share', gid, counts })))
    this.#held = this.#offered = undefined
    this.membersChanged()
  }
}

/** Who got shares together with this one. */
export function holdersOf(row: Pick<ShareRow, 'holders'> | undefined): PeerId[] {
  const holders = row?.holders ?? new Uint8Array(0)
  return Array.from({ length: holders.length / 32 }, (_, n) => peerId(holders.slice(n * 32, n * 32 + 32)))
}

const names = (members: readonly MemberState[]): string =>
  members.map(({ name, id }) => `${name} (${shortId(id)})`).join(', ')
