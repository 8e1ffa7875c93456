/**
 * What all ways of joining have in common, from the side of the device that joins: with a session to the
 * inviter, which has added it, it takes in the whole log and the discovery key, and hands the rows over to be
 * stored. Until then it is nobody; after that the session goes on as an ordinary one.
 */
import { ApiError, type Call } from '../../api/api.ts'
import { DiscoveryKeys } from '../../circle/discovery-keys.ts'
import { MembershipLog } from '../../circle/log.ts'
import { peerId } from '../../crypto/identity.ts'
import { ed25519, verifyBatch, x25519 } from '../../crypto/provider.ts'
import type { Row, Write } from '../../host/database.ts'
import { Kind } from '../../wire/frame.ts'
import { decodeOperation } from '../../wire/operation.ts'
import type { Cores } from '../circle/membership.ts'
import type { JoinKeys } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import type { Surroundings } from '../surroundings.ts'
import type { OwnSecrets } from './pending-join.ts'

/** For the log and the keys, once the inviter has answered. */
const TRANSFER_MS = 20_000

export interface EarlyFrame {
  readonly kind: number
  readonly body: Uint8Array
}

export interface Joined {
  readonly gid: Uint8Array
  /** What the keys were made for: a ticket's secret, or the gid. */
  readonly of: Uint8Array
  readonly writes: readonly Write[]
  readonly cores: Cores
  readonly session: Session
  /** What came while the rows were being stored. */
  readonly early: readonly EarlyFrame[]
  /** Why the session ended meanwhile, if it did. */
  readonly ended: () => string | undefined
}

export interface Joining {
  readonly around: Surroundings
  /** Throws ApiError when this device may not join that circle. */
  readonly check: (gid: Uint8Array) => void
  /** Own keys for this ticket's secret or gid: those made before, or new ones; `anew`: others than before. */
  readonly secrets: (of: Uint8Array, anew?: boolean) => Promise<OwnSecrets>
  readonly timeoutMs: number
  readonly call: Call
}

/** The device that joins, as it will be known in the circle. */
export interface Own {
  readonly gid: Uint8Array
  readonly of: Uint8Array
  readonly secrets: OwnSecrets
  readonly keys: JoinKeys
  /** Where the inviter was reached. */
  readonly address: string
}

export function keysOf(
  { seed, secret }: OwnSecrets,
  gid: Uint8Array,
  name: string,
  around: Pick<Surroundings, 'bootId'>
): JoinKeys {
  return { identity: ed25519(seed), static: x25519(secret), bootId: around.bootId(gid), name }
}

/** As its genesis says. */
function circleName(log: MembershipLog): string {
  const body = decodeOperation(log.operations[0]!)?.body
  return body?.kind === 'genesis' ? body.circle : ''
}

/**
 * Runs the two cores over the session until this device is a member and holds the discovery key; `early` is
 * what came before. Rejects ApiError, Unreachable when the session ends.
 */
export function receive(
  own: Own,
  session: Session,
  { around, call }: Pick<Joining, 'around' | 'call'>,
  before: readonly EarlyFrame[] = []
): Promise<Joined> {
  const { gid } = own
  const self = peerId(own.keys.identity.publicKey)
  const log = new MembershipLog({ gid })
  const keys = new DiscoveryKeys({ gid, self, statics: [own.keys.static] })
  const rows: Row[] = []
  const early: EarlyFrame[] = []
  let done = false
  let verifying = 0
  let ended: string | undefined

  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      done = true
      clearTimeout(timer)
      call.signal.removeEventListener('abort', aborted)
      act()
    }
    const timer = setTimeout(
      () =>
        end(() =>
          reject(new ApiError('Timeout', 'the inviting device did not send the circle in time; try again'))
        ),
      TRANSFER_MS
    )
    const aborted = () => end(() => reject(call.signal.reason as Error))
    call.signal.addEventListener('abort', aborted)

    const pump = (): void => {
      const { records, outputs } = log.take()
      rows.push(...records)
      for (const output of outputs) {
        if (output.type === 'send') session.send(Kind.Log, output.body)
        if (output.type === 'changed') keys.setMembers(output.members)
        if (output.type === 'wrap') {
          const kept = keys.receive(output.wrap)
          if (kept !== undefined) rows.push(kept.put)
        }
        if (output.type === 'verify') {
          verifying++
          verifyBatch(output.items).then(ok => {
            verifying--
            if (done) return
            log.verified(around.now(), output.batch, ok)
            pump()
          })
        }
      }
      if (outputs.length > 0) {
        pump()
        return
      }
      // the log lives on: a frame of which the signatures are still out would hold up all that follow
      if (done || verifying > 0) return
      if (log.members.has(self) && log.synced(session.peer) && keys.current !== undefined)
        end(() =>
          resolve({
            gid,
            of: own.of,
            writes: [...circleRows(), ...rows].map(put => ({ put })),
            cores: { log, keys },
            session,
            early,
            ended: () => ended
          })
        )
    }
    const circleRows = (): Row[] => [
      {
        table: 'circle',
        gid,
        name: circleName(log),
        device: own.keys.name,
        position: 0,
        seed: own.secrets.seed,
        secret: own.secrets.secret,
        serial: 0,
        joinedMs: around.wall()
      },
      { table: 'address', gid, peer: session.peer, address: own.address, lastMs: around.wall() }
    ]
    const take = (kind: number, body: Uint8Array) => {
      if (kind === Kind.Ping) session.send(Kind.Pong, body)
      else if (done || kind !== Kind.Log) early.push({ kind, body })
      else {
        log.receive(around.now(), session.peer, body)
        pump()
      }
    }
    session.onFrame = take
    session.onClose = reason => {
      ended = reason
      if (done) return
      end(() => reject(new ApiError('Unreachable', `the inviting device went away (${reason}); try again`)))
    }
    log.greet(around.now(), session.peer)
    pump()
    for (const { kind, body } of before) take(kind, body)
  })
}
