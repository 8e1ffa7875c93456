/**
 * Frames waiting for the link, by priority: membership and liveness, then gossip and messages, then bulk. Each
 * class keeps its order; what does not fit into a record is sent in fragments, between which others may go
 * first. Pure.
 */
import { FRAME_HEADER, Kind, MORE, writeFrameHeader } from '../../wire/frame.ts'

const classOf: readonly number[] = Object.entries({
  [Kind.Padding]: 2,
  [Kind.Ping]: 0,
  [Kind.Pong]: 0,
  [Kind.Rekey]: 0,
  [Kind.Close]: 0,
  [Kind.Log]: 0,
  [Kind.Gossip]: 1,
  [Kind.Message]: 1,
  [Kind.Stream]: 2,
  [Kind.Data]: 2,
  [Kind.Relay]: 2,
  [Kind.Nominate]: 0,
  [Kind.Join]: 0,
  [Kind.Recovery]: 0,
  [Kind.Clone]: 0,
  [Kind.Witness]: 0,
  [Kind.Wake]: 0
}).map(([, priority]) => priority)

/** A fragment shorter than this is not worth its header, unless it is the rest. */
const FRAGMENT = 256

class Lane {
  kinds: number[] = []
  bodies: Uint8Array[] = []
  head = 0
  /** Bytes of the first body that are sent. */
  sent = 0

  get empty(): boolean {
    return this.head === this.bodies.length
  }

  /** Returns how many bytes it held. */
  clear(): number {
    let bytes = -this.sent
    for (const body of this.bodies.slice(this.head)) bytes += FRAME_HEADER + body.length
    this.kinds = []
    this.bodies = []
    this.head = this.sent = 0
    return bytes
  }

  shift(): void {
    this.sent = 0
    if (++this.head === this.bodies.length) {
      this.kinds = []
      this.bodies = []
      this.head = 0
    } else if (this.head === 4096) {
      this.kinds = this.kinds.slice(this.head)
      this.bodies = this.bodies.slice(this.head)
      this.head = 0
    }
  }
}

export class SendQueue {
  /** Bytes of bodies and frame headers not yet taken. */
  bytes = 0
  readonly #lanes = [new Lane(), new Lane(), new Lane()] as const

  /** The body must not change until it is taken. */
  push(kind: number, body: Uint8Array): void {
    const lane = this.#lanes[classOf[kind] ?? 2]!
    lane.kinds.push(kind)
    lane.bodies.push(body)
    this.bytes += FRAME_HEADER + body.length
  }

  /** Writes frames to `into` from `at` and not past `end`; returns where they end. */
  take(into: Uint8Array, at: number, end: number): number {
    for (const lane of this.#lanes) {
      while (!lane.empty) {
        const body = lane.bodies[lane.head]!
        const kind = lane.kinds[lane.head]!
        const rest = body.length - lane.sent
        const room = end - at - FRAME_HEADER
        if (rest <= room) {
          writeFrameHeader(into, at, kind, 0, rest)
          into.set(lane.sent === 0 ? body : body.subarray(lane.sent), at + FRAME_HEADER)
          at += FRAME_HEADER + rest
          this.bytes -= FRAME_HEADER + rest
          lane.shift()
        } else if (room < FRAGMENT) return at
        else {
          writeFrameHeader(into, at, kind, MORE, room)
          into.set(body.subarray(lane.sent, lane.sent + room), at + FRAME_HEADER)
          lane.sent += room
          this.bytes -= room
          return end
        }
      }
    }
    return at
  }

  /** Forgets all but the urgent. */
  dropRest(): void {
    const [, messages, bulk] = this.#lanes
    for (const lane of [messages, bulk]) this.bytes -= lane.clear()
  }

  clear(): void {
    for (const lane of this.#lanes) this.bytes -= lane.clear()
  }
}
