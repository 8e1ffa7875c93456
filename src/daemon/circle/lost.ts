/**
 * What a circle does about lost devices: it tells them so when they come, and sees to it that this one is locked
 * when it is the lost one, whether its own log says so or somebody brings the order.
 */
import { LostDevices, lockOrder, readOrder } from '../../circle/lost.ts'
import type { PeerId } from '../../crypto/identity.ts'
import { peerId } from '../../crypto/identity.ts'
import { type ExchangeKey, verifyBatch } from '../../crypto/provider.ts'
import { hex, unhex } from '../../wire/bytes.ts'
import { CloseReason, Kind } from '../../wire/frame.ts'
import { decodeOperation } from '../../wire/operation.ts'
import { decodeRecoveryFrame, encodeRecoveryFrame } from '../../wire/recovery-frame.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Ledger } from './ledger.ts'
import type { LockRow } from './locking.ts'
import { genesisOf } from './recovery-code.ts'

type Around = Pick<Surroundings, 'connect' | 'gate' | 'lock' | 'log'>
/** For reaching a lost device that is near. */
const REACH_MS = 5_000

export class Lost {
  readonly #ledger: Ledger
  readonly #around: Around
  readonly #devices: LostDevices
  /** This device was locked, and opened again with the recovery code: orders count no more. */
  readonly #opened: LockRow | undefined
  #told = false

  constructor(ledger: Ledger, around: Around, opened: LockRow | undefined) {
    this.#ledger = ledger
    this.#around = around
    this.#devices = new LostDevices(ledger.log)
    this.#opened = opened
    this.look()
  }

  /** To a lost device behind this static, and the frame that it is told; undefined: it is none. */
  order(staticKey: Uint8Array): { peer: PeerId; frame: Uint8Array } | undefined {
    const found = this.#belongs ? this.#devices.find(staticKey) : undefined
    return found && { peer: found.id, frame: frameOf(found.order) }
  }

  /** Lost devices, with the static each had last. */
  get devices(): ReadonlyMap<PeerId, Uint8Array> {
    return this.#belongs ? this.#devices.all : new Map()
  }
  get #belongs(): boolean {
    return this.#ledger.own !== undefined && !this.removed
  }

  /** A lost device is near: it is told so, and nothing else. `own`: the static that it knows this device by. */
  async tell(peer: PeerId, address: string, own: ExchangeKey): Promise<void> {
    const { connect, gate, log } = this.#around
    const staticKey = this.devices.get(peer)
    const order = staticKey && this.order(staticKey)
    if (staticKey === undefined || order === undefined) return
    const mute = {
      gid: this.#ledger.gid,
      staticTowards: () => own,
      bootId: new Uint8Array(16),
      logHead: new Uint8Array(32),
      introduction: () => []
    }
    try {
      const link = await connect(address, AbortSignal.timeout(REACH_MS))
      const session = await gate.dial(link, mute, { id: peer, staticKey })
      session.send(Kind.Recovery, order.frame)
      session.close(CloseReason.Removed)
    } catch (error) {
      log('debug', 'a lost device could not be told', { peer, reason: (error as Error).message })
    }
  }

  /** This device was removed as lost, though its own log may not know. Opening its keys does not make it a member. */
  get removed(): boolean {
    if (this.#opened === undefined) return false
    return this.forGood || this.#ledger.own?.level !== 1
  }
  /** The recovery code itself removed it. */
  get forGood(): boolean {
    const frame = this.#opened && decodeRecoveryFrame(this.#opened.proof)
    const removal = frame?.type === 'order' ? decodeOperation(frame.operations[0]!) : undefined
    return (
      removal !== undefined && hex(removal.author) === hex(genesisOf(this.#ledger.log.operations).recovery)
    )
  }

  /** The log has changed. */
  look(): void {
    const order = this.#ledger.own === undefined ? lockOrder(this.#ledger.log, this.#ledger.self) : undefined
    if (order !== undefined) this.#lock(order)
  }

  /** An order that a member brings, or one that was. */
  async receive(operations: readonly Uint8Array[]): Promise<void> {
    const { gid, log, self } = this.#ledger
    const read = readOrder(gid, log, self, operations)
    const verified = read && (await verifyBatch(read.signatures))
    if (verified?.every(ok => ok)) this.#lock(operations)
    else this.#around.log('debug', 'dropped', { what: 'an order to lock that does not hold' })
  }

  /** By whom the keys can be opened again: the recovery code and the first devices that there are. */
  #lock(order: readonly Uint8Array[]): void {
    if (this.#told || this.#opened !== undefined) return
    this.#told = true
    const { gid, log, members, self, signingKey } = this.#ledger
    const first = [...members.values()].filter(({ id, level }) => level === 1 && id !== self)
    const given = order.slice(1).map(bytes => decodeOperation(bytes)!.body)
    const statics = [
      genesisOf(log.operations).recoveryStatic,
      ...first.map(({ statics }) => statics[0]!),
      ...given.flatMap(body => (body.kind === 'add' ? [body.static] : []))
    ]
    this.#around.log('warn', 'this device was removed as lost: its keys are being locked', {
      by: peerId(decodeOperation(order[0]!)!.author)
    })
    this.#around.lock({
      gid,
      key: signingKey.publicKey,
      proof: frameOf(order),
      recipients: [...new Set(statics.map(hex))].map(unhex)
    })
  }
}

const frameOf = (operations: readonly Uint8Array[]): Uint8Array =>
  encodeRecoveryFrame({ type: 'order', operations })
