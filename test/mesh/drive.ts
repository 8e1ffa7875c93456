/** One mesh core driven by hand: the clock, the network and the other devices are the test. */
import { createHash } from 'node:crypto'
import { peerId } from '../../src/crypto/identity.ts'
import type { MeshOptions, Opened, Output } from '../../src/mesh/mesh.ts'
import { Mesh } from '../../src/mesh/mesh.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { Kind } from '../../src/wire/frame.ts'
import type { DigestEntry, PeerRecord } from '../../src/wire/gossip.ts'
import { encodeDigest, encodeRecords, signedRecord, unsignedRecord } from '../../src/wire/gossip.ts'

/** Keys in the order of their ids: 0 has the least. */
export const keys: readonly Uint8Array[] = Array.from({ length: 8 }, (_, i) =>
  createHash('sha256').update(`key ${i}`).digest()
).sort((a, b) => (peerId(a) < peerId(b) ? -1 : 1))

export const ids: readonly string[] = keys.map(peerId)

/** Eight bytes of `n`. */
export const hash8 = (n: number): Uint8Array => new Uint8Array(8).fill(n)

export const address = (n: number): string => `tcp://192.0.2.${n}:24747`

export class Driver {
  readonly mesh: Mesh
  now = 0
  #taken: Output[] = []

  constructor(self: number, members: readonly number[], options: Partial<MeshOptions> = {}) {
    this.mesh = new Mesh({ self: ids[self]!, random: () => 0, incarnation: 100, watch: false, ...options })
    this.mesh.setMembers(
      0,
      [self, ...members].map(n => ids[n]!)
    )
    this.mesh.setOwnAddresses(0, [address(100 + self)])
    this.take()
  }

  /** Lets time pass, with all that is due; gives what came out and when. */
  pass(ms: number): { at: number; output: Output }[] {
    const until = this.now + ms
    const all: { at: number; output: Output }[] = []
    while (this.mesh.deadline <= until) {
      this.now = this.mesh.deadline
      this.mesh.expire(this.now)
      for (const output of this.take()) all.push({ at: this.now, output })
    }
    this.now = until
    return all
  }

  take(): Output[] {
    const { outputs } = this.mesh.take()
    this.#taken.push(...outputs)
    return outputs
  }

  /** Outputs of a type since last asked, of all that was taken or passed meanwhile. */
  since<T extends Output['type']>(type: T): Extract<Output, { type: T }>[] {
    this.take()
    const found = this.#taken.filter(output => output.type === type)
    this.#taken = this.#taken.filter(output => output.type !== type)
    return found as Extract<Output, { type: T }>[]
  }

  /** Frames of a kind since last asked. */
  sent(kind: number): Extract<Output, { type: 'send' }>[] {
    this.take()
    const isIt = (output: Output) => output.type === 'send' && output.kind === kind
    const found = this.#taken.filter(isIt)
    this.#taken = this.#taken.filter(output => !isIt(output))
    return found as Extract<Output, { type: 'send' }>[]
  }

  forget(): void {
    this.take()
    this.#taken = []
  }

  open(session: number, peer: number, facts: Partial<Opened> = {}): void {
    this.mesh.opened(this.now, {
      session,
      peer: ids[peer]!,
      address: address(peer),
      local: '',
      outgoing: true,
      bootId: `boot ${peer}`,
      hash8: hash8(session),
      roundTripUSec: facts.outgoing === false ? 0 : 500,
      ...facts
    })
  }

  receive(session: number, kind: number, body: Uint8Array): void {
    this.mesh.receive(this.now, session, kind, body)
  }

  /** Answers every ping that was sent on these sessions, at once. */
  pong(...sessions: number[]): void {
    for (const { session, body } of this.sent(Kind.Ping)) {
      if (sessions.includes(session)) this.receive(session, Kind.Pong, body)
    }
  }

  nominated(peer: number): number | undefined {
    return this.mesh.session(ids[peer]!)
  }

  view(peer: number) {
    return this.mesh.peers().get(ids[peer]!)!
  }

  offer(peer: number, ...addresses: string[]): void {
    this.mesh.offer(this.now, ids[peer]!, addresses, 'known')
  }
}

export function nominate(hash: Uint8Array, counter: number): Uint8Array {
  return Uint8Array.of(...hash, 0, 0, counter >> 8, counter & 255)
}

export function record(owner: number, incarnation: number, ...addresses: string[]): PeerRecord {
  const unsigned = unsignedRecord(
    keys[owner]!,
    incarnation,
    addresses.map(text => parseAddress(text)!)
  )
  return signedRecord(unsigned, new Uint8Array(64).fill(owner))!
}

export const records = (...all: PeerRecord[]): Uint8Array => encodeRecords(all)
export const digest = (...entries: DigestEntry[]): Uint8Array => encodeDigest(entries)
