/** Devices with membership logs that exchange frames in memory, with real signatures. */
import * as author from '../../src/circle/author.ts'
import { type LogOutput, MembershipLog, type OperationRecord } from '../../src/circle/log.ts'
import { staticProof } from '../../src/crypto/handshake.ts'
import { peerId } from '../../src/crypto/identity.ts'
import {
  bytesOf,
  type ExchangeKey,
  ed25519,
  hash,
  type SigningKey,
  verify,
  x25519
} from '../../src/crypto/provider.ts'

/** Keys that are the same in every run. */
export const seed = (name: string): Uint8Array => hash(bytesOf(`test seed ${name}`))
export const signing = (name: string): SigningKey => ed25519(seed(name))
export const exchangeKey = (name: string): ExchangeKey => x25519(seed(`static ${name}`))

export const RECOVERY = 'recovery'

export class Device {
  readonly name: string
  readonly keys: SigningKey
  readonly static: ExchangeKey
  readonly id: string
  readonly log: MembershipLog
  readonly records: OperationRecord[] = []
  readonly events: LogOutput[] = []

  constructor(name: string, gid: Uint8Array, limit?: number) {
    this.name = name
    this.keys = signing(name)
    this.static = exchangeKey(name)
    this.id = peerId(this.keys.publicKey)
    this.log = new MembershipLog(limit === undefined ? { gid } : { gid, limit })
  }

  place(by = this.id) {
    return { gid: gidOf, prev: this.log.parents(by), wallMs: 0 }
  }
  count(type: LogOutput['type']): number {
    return this.events.filter(e => e.type === type).length
  }
}

export const first = signing('A')
export const genesis = author.genesis(first, 1_800_000_000_000, {
  recovery: signing(RECOVERY).publicKey,
  recoveryStatic: exchangeKey(RECOVERY).publicKey,
  static: exchangeKey('A').publicKey,
  nonce: seed('nonce').slice(0, 16),
  name: 'desk',
  circle: 'home'
})
export const gidOf = genesis.id

/** The body of an `add` of the device of that name. */
export function joining(name: string, level = 10) {
  const target = signing(name)
  const key = exchangeKey(name).publicKey
  return {
    target: target.publicKey,
    level,
    guest: false,
    expiresMs: 0,
    static: key,
    staticSignature: target.sign(staticProof(gidOf, target.publicKey, key, 0)),
    suites: 1,
    name
  }
}

export class World {
  readonly devices = new Map<string, Device>()
  /** Sessions that are there, as `A-B`, with the frames on their way. */
  readonly #frames: { from: Device; to: Device; body: Uint8Array }[] = []
  readonly #sessions = new Set<string>()
  /** Sees every frame sent; false drops it. */
  pass: (from: Device, to: Device, body: Uint8Array) => boolean = () => true
  now = 0
  sent = 0
  bytes = 0

  device(name: string, limit?: number): Device {
    const device = new Device(name, gidOf, limit)
    this.devices.set(name, device)
    return device
  }
  /** Devices that all have the genesis. */
  circle(...names: string[]): Device[] {
    return names.map(name => {
      const device = this.device(name)
      device.log.load([genesis.bytes])
      return device
    })
  }

  /** One session: an older one ends. */
  connect(a: Device, b: Device): void {
    if (this.#sessions.has(`${a.id}-${b.id}`)) this.disconnect(a, b)
    this.#sessions.add(`${a.id}-${b.id}`).add(`${b.id}-${a.id}`)
    a.log.greet(this.now, b.id)
    b.log.greet(this.now, a.id)
    this.#collect()
  }
  disconnect(a: Device, b: Device): void {
    this.#sessions.delete(`${a.id}-${b.id}`)
    this.#sessions.delete(`${b.id}-${a.id}`)
    const kept = this.#frames.filter(({ from, to }) => ![from, to].every(d => d === a || d === b))
    this.#frames.splice(0, this.#frames.length, ...kept)
    a.log.closed(b.id)
    b.log.closed(a.id)
  }
  append(device: Device, made: author.Made): author.Made {
    device.log.append(this.now, made.bytes)
    this.#collect()
    return made
  }
  /** Delivers everything, verifying as it comes. `shuffled` mixes the sessions, each staying in order. */
  run(random: () => number = () => 0): void {
    this.#collect()
    for (let steps = 0; this.#frames.length > 0; steps++) {
      if (steps > 100_000) throw new Error('it does not come to an end')
      const at = Math.floor(random() * this.#frames.length)
      const chosen = this.#frames[at]!
      const next = this.#frames.find(f => f.from === chosen.from && f.to === chosen.to)!
      this.#frames.splice(this.#frames.indexOf(next), 1)
      if (!this.#sessions.has(`${next.from.id}-${next.to.id}`)) continue
      next.to.log.receive(this.now, next.from.id, next.body)
      this.#collect()
    }
  }

  #collect(): void {
    for (let more = true; more; ) {
      more = false
      for (const device of this.devices.values()) {
        const { records, outputs } = device.log.take()
        device.records.push(...records)
        for (const output of outputs) {
          more = true
          this.#carry(device, output)
        }
      }
    }
  }
  #carry(device: Device, output: LogOutput): void {
    device.events.push(output)
    if (output.type === 'verify') {
      const ok = output.items.map(i => verify(i.publicKey, i.message, i.signature))
      device.log.verified(this.now, output.batch, ok)
    }
    if (output.type !== 'send') return
    const to = [...this.devices.values()].find(d => d.id === output.peer)
    if (to === undefined || !this.pass(device, to, output.body)) return
    this.sent++
    this.bytes += output.body.length
    this.#frames.push({ from: device, to, body: output.body })
  }
}

/** A small generator; same seed, same numbers. */
export function generator(seedNumber: number): () => number {
  let state = seedNumber >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
