/** A copy of a message with another member, as the sender knows it. */
import type { PeerId } from '../crypto/identity.ts'
import type { Sent } from './sent.ts'

/**
 * `asked`: given to the holder, which has not said that it keeps it; `held`: it says so; `taken`, `useless`: what the
 * receiver signed; `gone`: the holder has it no more; `release`: it is to be deleted there.
 */
export type DepositState = 'asked' | 'held' | 'taken' | 'useless' | 'gone' | 'release'

export interface Deposit {
  /** 16 bytes, random. */
  readonly custody: Uint8Array
  readonly holder: PeerId
  /** The message: its receiver, and its number. */
  readonly peer: PeerId
  readonly seq: number
  readonly expiresMs: number
  /** Of the receiver's static key that it is sealed to. */
  readonly serial: number
  /** As sealed (wire/custody.ts). */
  readonly after: number
  readonly afterMs: number
  readonly state: DepositState
}

export type DepositRecord = { type: 'put'; deposit: Deposit } | { type: 'drop'; custody: Uint8Array }

export type DepositOutput =
  /** To be sealed to the receiver's static and sent to the holder. */
  | { type: 'deposit'; deposit: Deposit; sent: Sent }
  | { type: 'send'; peer: PeerId; body: Uint8Array }
  | { type: 'count'; what: string }
