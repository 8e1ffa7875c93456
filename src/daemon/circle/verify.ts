import { type PeerId, peerKey } from '../../crypto/identity.ts'
import { verifyBatch } from '../../crypto/provider.ts'

/** Whether each of these was signed by its peer. */
export const verifyOf = (
  items: readonly { peer: PeerId; body: Uint8Array; signature: Uint8Array }[]
): Promise<boolean[]> =>
  verifyBatch(
    items.map(({ peer, body, signature }) => ({ publicKey: peerKey(peer)!, message: body, signature }))
  )
