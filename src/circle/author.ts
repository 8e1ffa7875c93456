/** Makes the operations of the membership log, signed. */
import {
  type Add,
  type Body,
  encodeUnsigned,
  type Genesis,
  type Name,
  type Rekey,
  type Remove,
  signedOperation
} from '../wire/operation.ts'
import { operationId, toSign } from './signing.ts'

export interface Author {
  readonly publicKey: Uint8Array
  /** Ed25519. */
  sign(message: Uint8Array): Uint8Array
}

/** Where in the log, and when by the wall clock (for people only). */
export interface Place {
  readonly gid: Uint8Array
  /** MembershipLog.parents of the author. */
  readonly prev: readonly Uint8Array[]
  readonly wallMs: number
}

export interface Made {
  readonly id: Uint8Array
  readonly bytes: Uint8Array
}

/** Its id is the gid of the new circle. Throws RangeError for names that may not be. */
export function genesis(author: Author, wallMs: number, body: Omit<Genesis, 'kind'>): Made {
  return make(author, { gid: new Uint8Array(32), prev: [], wallMs }, { kind: 'genesis', ...body })
}
export function add(author: Author, place: Place, body: Omit<Add, 'kind'>): Made {
  return make(author, place, { kind: 'add', ...body })
}
/** Of oneself: leaving. */
export function remove(author: Author, place: Place, body: Omit<Remove, 'kind'>): Made {
  return make(author, place, { kind: 'remove', ...body })
}
export function rekey(author: Author, place: Place, body: Omit<Rekey, 'kind'>): Made {
  return make(author, place, { kind: 'rekey', ...body })
}
export function rename(author: Author, place: Place, body: Omit<Name, 'kind'>): Made {
  return make(author, place, { kind: 'name', ...body })
}

function make(author: Author, place: Place, body: Body): Made {
  const unsigned = encodeUnsigned({ ...place, author: author.publicKey, body })
  const id = operationId(unsigned)
  return { id, bytes: signedOperation(unsigned, author.sign(toSign(id))) }
}

export interface Online {
  /** Peer id or any other text that orders devices alike everywhere. */
  readonly id: string
  readonly level: number
}

/**
 * Whether it falls to this device to finish the leaving of another with a `remove` that cuts it at what was
 * accepted: the one of the smallest level (then least id) of those online, if it may.
 */
export function shouldFinishLeaving(self: Online, online: readonly Online[], leaverLevel: number): boolean {
  if (self.level >= leaverLevel) return false
  return online.every(o => o.level > self.level || (o.level === self.level && o.id >= self.id))
}
