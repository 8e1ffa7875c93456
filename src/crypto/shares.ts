/**
 * A recovery code in three shares, of which any two give it back and one alone says nothing (Shamir 1979, over
 * the field of 256 elements with x^8 + x^4 + x^3 + x + 1):
 *
 *   share   u8 number 1-3 | mark 4 | 20 bytes      number n holds, byte by byte, code + n × slope
 *   mark    random, the same in the three shares of one splitting
 *   text    40 Crockford characters of the 25 bytes and 4 that check them, in 11 groups of 4
 *   check   first 20 bits of SHA-256("coterie/1 recovery share check\0" | the 25 bytes)
 *
 * Nothing in a share derives from the code alone. Whether two of them give the right code is seen by the
 * recovery key in the genesis, not here.
 */
import { canonicalCrockford, fromCrockford, toCrockford } from '../wire/crockford.ts'
import { bytesOf, equal, hash } from './provider.ts'
import { RECOVERY_BYTES, RecoveryError } from './recovery.ts'

export const SHARES = 3
export const SHARE_BYTES = 25
const MARK = 4
const CHARACTERS = 40
const CHECK = 4

/** What the two shares of each pair are multiplied with to give the code: the line through both, at zero. */
const weights: { readonly [pair: string]: readonly [number, number] } = {
  '1 2': [0xf7, 0xf6],
  '1 3': [0x8c, 0x8d],
  '2 3': [0x03, 0x02]
}

/** Three shares. `random`: 24 bytes, used for nothing else. */
export function splitCode(code: Uint8Array, random: Uint8Array): Uint8Array[] {
  if (code.length !== RECOVERY_BYTES || random.length !== MARK + RECOVERY_BYTES)
    throw new RangeError(`${RECOVERY_BYTES} bytes and ${MARK + RECOVERY_BYTES} random ones expected`)
  return [1, 2, 3].map(number => {
    const share = new Uint8Array(SHARE_BYTES)
    share[0] = number
    share.set(random.subarray(0, MARK), 1)
    for (let i = 0; i < RECOVERY_BYTES; i++) share[1 + MARK + i] = code[i]! ^ times(random[MARK + i]!, number)
    return share
  })
}

/** The code, if these are two shares of one splitting. Throws RecoveryError when they cannot be. */
export function joinShares(one: Uint8Array, other: Uint8Array): Uint8Array {
  const [first, second] = one[0]! <= other[0]! ? [one, other] : [other, one]
  const pair = weights[`${first[0]} ${second[0]}`]
  if (!equal(markOf(first), markOf(second)))
    throw new RecoveryError(
      'the two shares come from different splittings of the code; all shares of an older one are of no use together with newer ones'
    )
  if (pair === undefined)
    throw new RecoveryError('that is one share twice; a second one is on another of the three devices')
  return Uint8Array.from({ length: RECOVERY_BYTES }, (_, i) => {
    const at = 1 + MARK + i
    return times(first[at]!, pair[0]) ^ times(second[at]!, pair[1])
  })
}

/** Which splitting a share belongs to, 4 bytes. */
export const markOf = (share: Uint8Array): Uint8Array => share.subarray(1, 1 + MARK)

export const isShare = (bytes: Uint8Array): boolean =>
  bytes.length === SHARE_BYTES && bytes[0]! >= 1 && bytes[0]! <= SHARES

export function shareText(share: Uint8Array): string {
  return (toCrockford(share) + check(share)).match(/.{4}/g)!.join('-')
}

/** Whether what a person typed is meant for a share and not for a code: by its length. */
export const looksLikeShare = (text: string): boolean =>
  (canonicalCrockford(text)?.length ?? 0) >= CHARACTERS + CHECK / 2

/** Reads what a person typed, as leniently as a code. Throws RecoveryError. */
export function readShare(text: string): Uint8Array {
  const characters = canonicalCrockford(text)
  if (characters === undefined)
    throw new RecoveryError('the share has characters that none has; only digits and letters but U')
  const missing = CHARACTERS + CHECK - characters.length
  if (missing !== 0)
    throw new RecoveryError(
      `a share has 11 groups of 4 characters; this one is ${Math.abs(missing)} characters too ${missing > 0 ? 'short' : 'long'}`
    )
  const share = fromCrockford(characters.slice(0, CHARACTERS))!
  if (check(share) !== characters.slice(CHARACTERS) || !isShare(share))
    throw new RecoveryError('the share is mistyped somewhere: its last group does not fit the others')
  return share
}

const check = (share: Uint8Array): string =>
  toCrockford(hash(bytesOf('coterie/1 recovery share check\0'), share).subarray(0, 3)).slice(0, CHECK)

/** Product in the field. The same steps whatever the values are: no table that a secret points into. */
function times(a: number, b: number): number {
  let product = 0
  for (let bit = 0; bit < 8; bit++) {
    product ^= a & -((b >> bit) & 1)
    a = ((a << 1) ^ (0x11b & -(a >> 7))) & 0xff
  }
  return product
}
