/**
 * How a message is named where people see it: 10 random bytes in base32, the same on both sides. What tells a message
 * from one sent again is its number (wire/message.ts); by this name a number that was used twice is noticed.
 */
import { toBase32 } from '../wire/base32.ts'

/** 16 characters, [a-z2-7]. */
export type MessageId = string

/** Of 10 random bytes. */
export const messageId = (bytes: Uint8Array): MessageId => toBase32(bytes)
