/** What is hashed and signed of an operation (wire/operation.ts). */

import { staticProof } from '../crypto/handshake.ts'
import { bytesOf, hash, type Signed } from '../crypto/provider.ts'
import { hex } from '../wire/bytes.ts'
import { decodeOperation, type Operation } from '../wire/operation.ts'

const idDomain = bytesOf('coterie/1 opid\0')
const signatureDomain = bytesOf('coterie/1 op\0')

/** An operation with its id as bytes and as text. */
export interface Identified {
  readonly operation: Operation
  readonly bytes: Uint8Array
  readonly id: Uint8Array
  readonly key: string
  /** Author and parents as the resolver names them. */
  readonly author: string
  readonly parents: readonly string[]
}

export const operationId = (unsigned: Uint8Array): Uint8Array => hash(idDomain, unsigned)

export function toSign(id: Uint8Array): Uint8Array {
  const message = new Uint8Array(signatureDomain.length + id.length)
  message.set(signatureDomain)
  message.set(id, signatureDomain.length)
  return message
}

/** undefined unless the bytes are an operation of this circle (a genesis: the genesis of it). */
export function identify(gid: Uint8Array, bytes: Uint8Array): Identified | undefined {
  const operation = decodeOperation(bytes)
  if (operation === undefined) return undefined
  const id = operationId(operation.unsigned)
  const ours = operation.body.kind === 'genesis' ? id : operation.gid
  if (ours.some((byte, i) => byte !== gid[i])) return undefined
  const author = hex(operation.author)
  return { operation, bytes: bytes.slice(), id, key: hex(id), author, parents: operation.prev.map(hex) }
}

/** All signatures an operation stands on. */
export function signatures({ operation, id }: Identified): Signed[] {
  const items: Signed[] = [
    { publicKey: operation.author, message: toSign(id), signature: operation.signature }
  ]
  const { body } = operation
  if (body.kind === 'add')
    items.push({
      publicKey: body.target,
      message: staticProof(operation.gid, body.target, body.static, 0),
      signature: body.staticSignature
    })
  return items
}
