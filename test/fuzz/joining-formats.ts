/** What joining by a code puts before a decoder, and what people type for it and for recovery. */
import { JoinCodeError, joinCode, readJoinCode } from '../../src/crypto/join-code.ts'
import { RecoveryError } from '../../src/crypto/recovery.ts'
import { readShare, shareText, splitCode } from '../../src/crypto/shares.ts'
import { canonicalCrockford } from '../../src/wire/crockford.ts'
import {
  decodeCodeRequest,
  decodeGreeting,
  decodeOffer,
  decodeVerdict,
  encodeCodeRequest,
  encodeGreeting,
  encodeJoinMessage,
  encodeOffer,
  encodeVerdict,
  JoinMessage,
  joinMessageBody,
  verdicts
} from '../../src/wire/joining.ts'
import type { Dice } from '../circle/dice.ts'
import type { Format } from './formats.ts'
import { latin, randomBytes, text, unless } from './mutate.ts'

const names = ['a', 'Küche', 'x'.repeat(64), '日本']
const typed = (bytes: Uint8Array) => latin(canonicalCrockford(text(bytes)) ?? '')

const lengths: readonly [JoinMessage, number][] = [
  [JoinMessage.SidA, 16],
  [JoinMessage.SidB, 16],
  [JoinMessage.ShareA, 32],
  [JoinMessage.ShareB, 32],
  [JoinMessage.TagA, 64],
  [JoinMessage.TagB, 64],
  [JoinMessage.NoiseA, 112],
  [JoinMessage.NoiseB, 304],
  [JoinMessage.Wrong, 1]
]

export const joiningFormats: { readonly [name: string]: Format } = {
  'join message': {
    sample: dice => {
      const [type, length] = dice.pick(lengths)
      return encodeJoinMessage(type, randomBytes(dice, length))
    },
    again: bytes => {
      const type = bytes[4] as JoinMessage
      const body = joinMessageBody(type, bytes)
      return body && encodeJoinMessage(type, body)
    }
  },
  greeting: {
    sample: dice => encodeGreeting({ versions: { least: 1, greatest: dice.nat(9) }, features: dice.nat(9) }),
    again: bytes => {
      const read = decodeGreeting(bytes)
      return read && encodeGreeting(read)
    }
  },
  offer: {
    sample: dice =>
      encodeOffer({
        version: 1,
        bootId: randomBytes(dice, 16),
        features: dice.nat(9),
        gid: randomBytes(dice, 32),
        key: randomBytes(dice, 32),
        staticKey: randomBytes(dice, 32),
        level: dice.between(1, 11),
        circle: dice.pick(names),
        device: dice.pick(names)
      }),
    again: bytes => {
      const read = decodeOffer(bytes)
      return read && encodeOffer(read)
    }
  },
  'code request': {
    sample: (dice: Dice) =>
      encodeCodeRequest({
        bootId: randomBytes(dice, 16),
        key: randomBytes(dice, 32),
        staticKey: randomBytes(dice, 32),
        signature: randomBytes(dice, 64),
        suites: dice.nat(9),
        name: dice.pick(names)
      }),
    again: bytes => {
      const read = decodeCodeRequest(bytes)
      return read && encodeCodeRequest(read)
    }
  },
  verdict: {
    sample: dice => encodeVerdict(dice.pick(verdicts)),
    again: bytes => {
      const read = decodeVerdict(bytes)
      return read && encodeVerdict(read)
    }
  },
  'join code': {
    sample: dice => latin(joinCode(randomBytes(dice, 5))),
    again: bytes => unless(JoinCodeError, () => readJoinCode(text(bytes))),
    wanted: typed
  },
  share: {
    sample: dice => latin(shareText(dice.pick(splitCode(randomBytes(dice, 20), randomBytes(dice, 24))))),
    again: bytes => {
      const read = unless(RecoveryError, () => readShare(text(bytes)))
      return read && latin(shareText(read).replaceAll('-', ''))
    },
    wanted: typed
  }
}
