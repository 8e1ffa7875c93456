/** Every format that a stranger, a member or a person can put before a decoder. */

import { peerId, peerKey } from '../../src/crypto/identity.ts'
import { hash } from '../../src/crypto/provider.ts'
import { RecoveryError, readRecoveryCode, recoveryCode } from '../../src/crypto/recovery.ts'
import { decodeTicket, encodeTicket, TicketError } from '../../src/crypto/ticket.ts'
import {
  type Address,
  addressLength,
  formatAddress,
  parseAddress,
  readAddress,
  writeAddress
} from '../../src/wire/address.ts'
import { decodeAnnouncement, encodeAnnouncement } from '../../src/wire/announcement.ts'
import { fromBase32, toBase32 } from '../../src/wire/base32.ts'
import { canonicalCrockford } from '../../src/wire/crockford.ts'
import { decodeGossip, encodeDigest, encodeRecords, encodeViews, REASONS } from '../../src/wire/gossip.ts'
import {
  decodeAnswer,
  decodeHello,
  decodeRequest,
  encodeAnswer,
  encodeHello,
  encodeRequest,
  results
} from '../../src/wire/hello.ts'
import { decodeKeys, encodeKeys } from '../../src/wire/locked-keys.ts'
import { decodeLogFrame, encodeLogFrame, type LogFrame } from '../../src/wire/log-exchange.ts'
import { type Body, decodeOperation, encodeUnsigned, signedOperation } from '../../src/wire/operation.ts'
import {
  decodeProbeText,
  encodeProbeText,
  PROBE_LENGTH,
  readProbeHeader,
  writeProbeHeader
} from '../../src/wire/probe.ts'
import {
  decodeRecoveryFrame,
  encodeRecoveryFrame,
  type RecoveryFrame
} from '../../src/wire/recovery-frame.ts'
import { decodeSsdp, encodeSsdp } from '../../src/wire/ssdp.ts'
import { decodeWitness, encodeWitness } from '../../src/wire/witness.ts'
import { decodeWrap, encodeUnsignedWrap, signedWrap } from '../../src/wire/wrap.ts'
import type { Dice } from '../circle/dice.ts'
import { census } from './census-format.ts'
import { joiningFormats } from './joining-formats.ts'
import { joined, latin, randomBytes, text, unless } from './mutate.ts'

export interface Format {
  /** One that is read, for changing. */
  sample(dice: Dice): Uint8Array
  /** Put on after the changing: a checksum, so that what is inside is reached. */
  dress?(bytes: Uint8Array): Uint8Array
  /** Read, and written again; undefined: refused. */
  again(bytes: Uint8Array): Uint8Array | undefined
  /** What must come out of `again`: its input, unless told. undefined: only that it comes out again. */
  wanted?(bytes: Uint8Array): Uint8Array | undefined
}

const ids = (dice: Dice, n: number, length = 32) =>
  Array.from({ length: n }, () => randomBytes(dice, length)).sort(Buffer.compare)

const names = ['a', 'Küche', 'x'.repeat(64), '日本']

function body(dice: Dice): Body {
  const [a, b, name] = [randomBytes(dice, 32), randomBytes(dice, 32), dice.pick(names)]
  switch (dice.pick(['genesis', 'add', 'remove', 'rekey', 'name'] as const)) {
    case 'genesis':
      return {
        kind: 'genesis',
        recovery: a,
        recoveryStatic: b,
        static: a,
        nonce: randomBytes(dice, 16),
        name,
        circle: name
      }
    case 'add': {
      const guest = dice.chance(0.3)
      return {
        kind: 'add',
        target: a,
        level: guest ? 10 : dice.between(1, 11),
        guest,
        expiresMs: guest ? dice.nat(2 ** 40) : 0,
        static: b,
        staticSignature: randomBytes(dice, 64),
        suites: 1,
        name
      }
    }
    case 'remove':
      return {
        kind: 'remove',
        target: a,
        lost: dice.chance(0.5),
        cut: dice.pick([undefined, [], ids(dice, 3)])
      }
    case 'rekey':
      return { kind: 'rekey', static: a, serial: dice.between(1, 9) }
    case 'name':
      return { kind: 'name', serial: dice.between(1, 9), name }
  }
}

function operation(dice: Dice): Uint8Array {
  const content = body(dice)
  const genesis = content.kind === 'genesis'
  const unsigned = encodeUnsigned({
    gid: genesis ? new Uint8Array(32) : randomBytes(dice, 32),
    author: randomBytes(dice, 32),
    wallMs: dice.nat(2 ** 40),
    prev: genesis ? [] : ids(dice, dice.between(1, 3)),
    body: content
  })
  return signedOperation(unsigned, randomBytes(dice, 64))
}

function logFrame(dice: Dice): LogFrame {
  const round = dice.between(1, 9)
  return dice.pick<() => LogFrame>([
    () => ({ type: 'greet', round, heads: ids(dice, 3), locator: ids(dice, 2) }),
    () => ({ type: 'operations', round, operations: [operation(dice), operation(dice)] }),
    () => ({ type: 'wants', round, ids: ids(dice, 4) }),
    () => ({ type: 'wrap', round, wrap: wrap(dice) }),
    () => ({ type: 'state', round, received: dice.nat(9), digest: randomBytes(dice, 32) })
  ])()
}

function recoveryFrame(dice: Dice): RecoveryFrame {
  return dice.pick<() => RecoveryFrame>([
    () => ({ type: 'order', operations: [operation(dice), operation(dice)].slice(dice.nat(2)) }),
    () => ({
      type: 'offer',
      share: randomBytes(dice, 25),
      holders: ids(dice, 3),
      signature: randomBytes(dice, 64)
    }),
    () => ({ type: dice.pick(['held', 'settle', 'settled'] as const), mark: randomBytes(dice, 4) })
  ])()
}

function wrap(dice: Dice): Uint8Array {
  const unsigned = encodeUnsignedWrap({
    topic: randomBytes(dice, 32),
    counter: dice.nat(2 ** 40),
    previous: randomBytes(dice, 16),
    author: randomBytes(dice, 32),
    heads: ids(dice, dice.nat(3)),
    recipients: ids(dice, dice.between(1, 4)).map(id => ({
      id,
      static: randomBytes(dice, 32),
      sealed: randomBytes(dice, 80)
    }))
  })
  return signedWrap(unsigned, randomBytes(dice, 64))
}

const addresses = (dice: Dice): Address[] =>
  ['tcp://192.0.2.1:24747', 'tcp://[2001:db8::1]:24747', `tcp://10.0.0.${dice.between(1, 99)}:1`].map(
    a => parseAddress(a)!
  )

function packed(address: Address): Uint8Array {
  const bytes = new Uint8Array(addressLength(address))
  writeAddress(bytes, 0, address)
  return bytes
}

const ticketCheck = (bytes: Uint8Array) =>
  latin(`coterie1:${toBase32(joined(bytes, hash(bytes).subarray(0, 4)))}`)

function ticket(dice: Dice): Uint8Array {
  const made = encodeTicket({
    gid: randomBytes(dice, 32),
    inviter: randomBytes(dice, 32),
    inviterStatic: randomBytes(dice, 32),
    secret: randomBytes(dice, 16),
    expiresMs: dice.nat(2 ** 40),
    level: dice.between(1, 11),
    addresses: addresses(dice)
  })
  return fromBase32(made.slice('coterie1:'.length))!.slice(0, -4)
}

function gossipViews(dice: Dice): Uint8Array {
  const states = ['suspect', 'asleep', 'unreachable'] as const
  return encodeViews(
    ids(dice, 3).map(id => ({
      id,
      incarnation: dice.between(0, 9),
      state: dice.pick(states),
      reason: dice.pick(REASONS.slice(1)),
      latencyUSec: dice.between(0, 9),
      age: dice.between(0, 9)
    }))
  )
}

const gossipRecord = (dice: Dice): Uint8Array => {
  const address = addresses(dice).slice(0, 2).map(packed)
  const head = joined(Uint8Array.of(1), randomBytes(dice, 32), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 5, 0, 2))
  return joined(head, ...address, Uint8Array.of(0, 0), randomBytes(dice, 64))
}

export const formats: { readonly [name: string]: Format } = {
  operation: {
    sample: operation,
    again: bytes => {
      const read = decodeOperation(bytes)
      return read && signedOperation(encodeUnsigned(read), read.signature)
    }
  },
  'log frame': {
    sample: dice => encodeLogFrame(logFrame(dice)),
    again: bytes => {
      const read = decodeLogFrame(bytes)
      return read && encodeLogFrame(read)
    }
  },
  'recovery frame': {
    sample: dice => encodeRecoveryFrame(recoveryFrame(dice)),
    again: bytes => {
      const read = decodeRecoveryFrame(bytes)
      return read && encodeRecoveryFrame(read)
    }
  },
  'locked keys': {
    sample: dice =>
      encodeKeys([
        {
          table: 'circle',
          columns: [
            ['seed', randomBytes(dice, 32)],
            ['id', 'x'],
            ['n', 7]
          ]
        }
      ]),
    again: bytes => {
      const read = decodeKeys(bytes)
      return read && encodeKeys(read)
    }
  },
  wrap: {
    sample: wrap,
    again: bytes => {
      const read = decodeWrap(bytes)
      return read && signedWrap(encodeUnsignedWrap(read), read.signature)
    }
  },
  ticket: {
    sample: ticket,
    dress: ticketCheck,
    again: bytes => {
      const read = unless(TicketError, () => decodeTicket(text(bytes)))
      return read && latin(encodeTicket(read))
    },
    wanted: bytes => latin(text(bytes).replace(/\s/g, '').toLowerCase())
  },
  'ticket text': {
    sample: dice => ticketCheck(ticket(dice)),
    again: bytes => {
      const read = unless(TicketError, () => decodeTicket(text(bytes)))
      return read && latin(encodeTicket(read))
    },
    wanted: bytes => latin(text(bytes).replace(/\s/g, '').toLowerCase())
  },
  'recovery code': {
    sample: dice => latin(recoveryCode(randomBytes(dice, 20))),
    again: bytes => {
      const read = unless(RecoveryError, () => readRecoveryCode(text(bytes)))
      return read && latin(recoveryCode(read).replaceAll('-', ''))
    },
    wanted: bytes => latin(canonicalCrockford(text(bytes)) ?? '')
  },
  announcement: {
    sample: dice => joined(Uint8Array.of(0x43, 0x42, 1, 0, 0x60, 0xab, 0, 0), randomBytes(dice, 40)),
    again: bytes => {
      const read = decodeAnnouncement(bytes)
      return read && encodeAnnouncement(read)
    }
  },
  address: {
    sample: dice => packed(dice.pick(addresses(dice))),
    again: bytes => {
      const read = readAddress(bytes, 0)
      return read && joined(packed(read.address), bytes.subarray(read.end))
    }
  },
  'address text': {
    sample: dice => latin(formatAddress(dice.pick(addresses(dice)))),
    again: bytes => {
      const read = parseAddress(text(bytes))
      return read && latin(formatAddress(read))
    },
    wanted: () => undefined
  },
  'peer id': {
    sample: dice => latin(peerId(randomBytes(dice, 32))),
    again: bytes => {
      const read = peerKey(text(bytes))
      return read && latin(peerId(read))
    }
  },
  hello: {
    sample: dice =>
      encodeHello({
        versions: { least: 1, greatest: dice.nat(9) },
        bootId: randomBytes(dice, 16),
        logHead: randomBytes(dice, 32),
        features: dice.nat(9),
        operations: Array.from({ length: dice.nat(5) }, () => operation(dice))
      }),
    again: bytes => {
      const read = bytes.length <= 1920 ? decodeHello(bytes) : undefined
      return read && encodeHello(read)
    }
  },
  request: {
    sample: dice =>
      encodeRequest({
        versions: { least: 1, greatest: 1 },
        bootId: randomBytes(dice, 16),
        features: 0,
        key: randomBytes(dice, 32),
        signature: randomBytes(dice, 64),
        suites: 1,
        name: dice.pick(names)
      }),
    again: bytes => {
      const read = decodeRequest(bytes)
      return read && encodeRequest(read)
    }
  },
  answer: {
    sample: dice =>
      encodeAnswer({
        version: 1,
        bootId: randomBytes(dice, 16),
        logHead: randomBytes(dice, 32),
        features: 0,
        result: dice.pick(results)
      }),
    again: bytes => {
      const read = decodeAnswer(bytes)
      return read && encodeAnswer(read)
    }
  },
  gossip: {
    sample: dice =>
      dice.chance(0.3)
        ? encodeDigest(ids(dice, 3).map(id => ({ id, incarnation: dice.between(1, 9) })))
        : dice.chance(0.5)
          ? gossipViews(dice)
          : joined(Uint8Array.of(2, 1, 0, 143), gossipRecord(dice)),
    again: bytes => {
      const read = decodeGossip(bytes)
      if (read === undefined) return undefined
      if ('views' in read) return encodeViews(read.views)
      return 'digest' in read ? encodeDigest(read.digest) : encodeRecords(read.records)
    }
  },
  ssdp: {
    sample: dice => {
      const announcement = formats['announcement']!.sample(dice)
      return encodeSsdp(dice.pick(['search', 'notify', 'answer'] as const), announcement, '239.255.255.250')
    },
    again: bytes => {
      const read = decodeSsdp(bytes)
      return read && encodeSsdp(read.kind, read.announcement, '239.255.255.250')
    },
    wanted: () => undefined
  },
  'probe header': {
    sample: dice => {
      const datagram = randomBytes(dice, PROBE_LENGTH)
      writeProbeHeader(datagram, { index: dice.nat(2 ** 32), counter: dice.nat(2 ** 40) })
      return datagram
    },
    again: bytes => {
      const read = readProbeHeader(bytes)
      const again = bytes.slice()
      if (read) writeProbeHeader(again, read)
      return read && again
    }
  },
  'probe text': {
    sample: dice => encodeProbeText({ type: dice.pick([1, 2, 3, 4] as const), number: dice.nat(2 ** 40) }),
    again: bytes => {
      const read = decodeProbeText(bytes)
      return read && encodeProbeText(read)
    }
  },
  'witness frame': {
    sample: dice => {
      const [token, datagram] = [dice.nat(2 ** 32), randomBytes(dice, PROBE_LENGTH)]
      return dice.chance(0.5)
        ? encodeWitness({ type: dice.pick(['pass', 'back'] as const), token, datagram })
        : encodeWitness({ type: 'ask', token, target: randomBytes(dice, 32), datagram })
    },
    again: bytes => {
      const read = decodeWitness(bytes)
      return read && encodeWitness(read)
    }
  },
  census,
  ...joiningFormats
}
