/** Frames of a device that does not keep the rules, in a session of its own. */
import { add, type Made, remove, rename } from '../../src/circle/author.ts'
import { identify } from '../../src/circle/signing.ts'
import { encodeLogFrame } from '../../src/wire/log-exchange.ts'
import type { Dice } from './dice.ts'
import { first, gid, joiner, keyOf, type Party } from './party.ts'

/** `attackers`: all whose keys it has; `seen`: frames to play back. */
export function hostileFrame(
  dice: Dice,
  by: Party,
  attackers: readonly Party[],
  parties: readonly Party[],
  seen: readonly Uint8Array[]
): Uint8Array {
  const ids = by.log.operations.map(bytes => identify(first.id, bytes)!.id)
  const make = () => operation(dice, dice.pick(attackers).keys, ids.length > 0 ? ids : [gid], parties)
  const operations = (made: readonly Uint8Array[]) =>
    encodeLogFrame({ type: 'operations', round: dice.between(1, 2), operations: made })
  switch (
    dice.among({
      own: 8,
      forged: 2,
      foreign: 1,
      bytes: 1,
      replay: 2,
      greet: 1,
      wants: 1,
      state: 1,
      burst: 0.1
    })
  ) {
    case 'own':
      return operations(Array.from({ length: dice.between(1, 4) }, () => make().bytes))
    case 'forged': {
      const { bytes } = make()
      bytes[dice.chance(0.5) ? bytes.length - 1 - dice.nat(64) : dice.nat(bytes.length)]! ^= 1 << dice.nat(8)
      return operations([bytes])
    }
    case 'foreign': {
      const { bytes } = make()
      bytes[2 + dice.nat(32)]! ^= 255
      return operations([bytes])
    }
    case 'bytes':
      return Uint8Array.from({ length: dice.nat(60) }, () => dice.nat(256))
    case 'replay':
      return seen.length > 0 ? dice.pick(seen) : new Uint8Array(0)
    case 'greet':
      return encodeLogFrame({
        type: 'greet',
        round: dice.between(1, 5),
        heads: [],
        locator: [dice.pick(ids) ?? gid]
      })
    case 'wants':
      return encodeLogFrame({
        type: 'wants',
        round: 1,
        ids: [dice.pick(ids) ?? gid, new Uint8Array(32).fill(dice.nat(256))]
      })
    case 'state':
      return encodeLogFrame({
        type: 'state',
        round: 1,
        received: dice.nat(2 ** 31),
        digest: new Uint8Array(32)
      })
    case 'burst':
      return operations(
        Array.from({ length: 70 }, (_, n) => {
          const place = { gid, prev: [gid], wallMs: n }
          return rename(dice.pick(attackers).keys, place, { serial: n + 1, name: 'burst' }).bytes
        })
      )
  }
}

function operation(
  dice: Dice,
  by: { publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array },
  ids: readonly Uint8Array[],
  parties: readonly Party[]
): Made {
  const old = Array.from({ length: dice.between(1, 3) }, () => dice.pick(ids))
  const missing = dice.chance(0.1) ? [new Uint8Array(32).fill(dice.nat(256))] : []
  const prev = [...new Map([...old, ...missing].map(id => [id.join(), id])).values()]
  const place = { gid, prev, wallMs: 0 }
  const target = dice.pick(parties)
  switch (dice.among({ add: 3, promote: 2, remove: 4, leave: 0.5, say: 2 })) {
    case 'add':
      return add(by, place, joiner(`sybil ${dice.nat(3)}`, dice.between(1, 11)))
    case 'promote':
      return add(by, place, joiner(target.name, dice.between(1, 10)))
    case 'remove': {
      const cut = dice.pick([undefined, [], prev, [dice.pick(ids)]])
      return remove(by, place, { target: target.keys.publicKey, lost: dice.chance(0.5), cut })
    }
    case 'leave':
      return remove(by, place, { target: by.publicKey, lost: false, cut: undefined })
    case 'say':
      return dice.chance(0.5)
        ? rename(by, place, { serial: dice.between(1, 9), name: 'evil' })
        : rename(keyOf('a stranger'), place, { serial: 1, name: 'stranger' })
  }
}
