/** Joins the probes and witnesses of one circle to its mesh, which says whom to ask and judges what comes back. */
import type { PeerId } from '../../crypto/identity.ts'
import type { Mesh, Output } from '../../mesh/mesh.ts'
import type { Place } from '../../net/interfaces.ts'
import { Probes } from '../sessions/probes.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { Witnesses } from '../sessions/witnesses.ts'
import type { Surroundings } from '../surroundings.ts'

/** What a measurement waits for one answer. */
const MEASURE_MS = 1_000

export interface ProbingOptions {
  readonly around: Pick<Surroundings, 'after' | 'now' | 'sendDatagram'>
  readonly self: PeerId
  readonly mesh: Pick<Mesh, 'probed' | 'probeFailed' | 'alive' | 'witnessed' | 'session'>
  readonly sessions: Pick<Sessions, 'get'>
  /** The mesh was told something outside of what it gave out. */
  readonly carry: () => void
}

export class Probing {
  readonly #options: ProbingOptions
  readonly #probes: Probes
  readonly #witnesses: Witnesses

  constructor(options: ProbingOptions) {
    const { around, carry, mesh, self, sessions } = options
    const { now } = around
    const inUse = (peer: PeerId) => mesh.session(peer)
    this.#options = options
    this.#probes = new Probes({
      now,
      send: (address, datagram, onFailed, from) => around.sendDatagram(address, datagram, onFailed, from),
      inUse,
      onAlive: (peer, address) => {
        mesh.alive(now(), peer, address)
        carry()
      }
    })
    this.#witnesses = new Witnesses({
      self,
      now,
      probes: this.#probes,
      send: (number, kind, body) => sessions.get(number)?.send(kind, body),
      inUse
    })
  }

  // --- whose keys there are

  /** A session of a member. */
  opened(number: number, session: Session): void {
    this.#probes.opened(number, session)
  }
  /** A frame came on it. */
  heard(number: number, { peer }: Session): void {
    this.#probes.heard(peer, number)
  }
  closed(number: number, peer: PeerId): void {
    this.#probes.closed(peer, number)
    this.#witnesses.closed(number)
  }
  /** Others are forgotten at once. */
  setMembers(ids: readonly PeerId[]): void {
    this.#probes.keep(new Set(ids))
  }

  // --- what is asked

  carryOut(output: Output & { type: 'probe' | 'witness' }): void {
    const { around, carry, mesh, sessions } = this.#options
    const { peer, probe } = output
    if (output.type === 'witness') {
      this.#witnesses.ask(peer, output.by, session => {
        const by = sessions.get(session)?.peer
        if (by !== undefined) mesh.witnessed(around.now(), peer, probe, by)
        carry()
      })
      return
    }
    for (const address of output.addresses)
      this.#probes.ask(peer, address, {
        onPong: uSec => {
          mesh.probed(around.now(), peer, probe, address, uSec)
          carry()
        },
        onFailed: reason => {
          mesh.probeFailed(around.now(), peer, probe, address, reason)
          carry()
        }
      })
  }

  /** One round trip by UDP, in microseconds; or a word why there was none, `timeout` when nothing came back. */
  measure(peer: PeerId, address: string): Promise<number | string> {
    return new Promise(resolve => {
      const cancel = this.#options.around.after(MEASURE_MS, () => resolve('timeout'))
      const end = (outcome: number | string) => {
        cancel()
        resolve(outcome)
      }
      this.#probes.ask(peer, address, { onPong: end, onFailed: end })
    })
  }

  // --- what comes

  /** Returns whether a peer of this circle made the datagram. */
  receive(datagram: Uint8Array, from: string, to: Place): boolean {
    return this.#probes.receive(datagram, from, to)
  }
  /** A Witness frame of a member. */
  receiveFrame(number: number, { peer }: Session, body: Uint8Array): void {
    this.#witnesses.receive(number, peer, body)
  }
}
