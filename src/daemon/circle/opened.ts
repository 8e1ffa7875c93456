import type { Opened } from '../../mesh/mesh.ts'
import type { Session } from '../sessions/session.ts'

/** A session as the mesh is told of it. */
export function openedOf(session: number, of: Session): Opened {
  const { peer, remote, local, outgoing, bootId, hash, handshakeUSec } = of
  return {
    session,
    peer,
    address: remote,
    local,
    outgoing,
    bootId,
    hash8: hash.subarray(0, 8),
    roundTripUSec: handshakeUSec
  }
}
