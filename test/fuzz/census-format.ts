/** What many devices tell each other of others. */
import {
  decodeCensus,
  type Entries,
  type Entry,
  encodeBuckets,
  encodeEntries,
  encodeSummary,
  encodeWants,
  encodeWords
} from '../../src/wire/census.ts'
import type { Dice } from '../circle/dice.ts'
import type { Format } from './formats.ts'
import { randomBytes } from './mutate.ts'

const keys = (dice: Dice) =>
  Array.from({ length: dice.between(1, 5) }, () => randomBytes(dice, 32)).sort(Buffer.compare)

function entries(dice: Dice, least: number): Entry[] {
  return keys(dice).map(key => {
    const version = dice.between(least, 5)
    return {
      key,
      incarnation: dice.between(1, 2 ** 40),
      version,
      reason: version % 2 === 0 ? 0 : dice.between(1, 9)
    }
  })
}

const listed = (list: Entries): Entry[] =>
  Array.from({ length: list.length }, (_, i) => ({
    key: list.bytes.subarray(list.offset(i)),
    incarnation: list.incarnation(i),
    version: list.version(i),
    reason: list.reason(i)
  }))

export const census: Format = {
  sample: dice =>
    dice.pick<() => Uint8Array>([
      () => encodeSummary(dice.nat(2 ** 32), dice.nat(2 ** 32)),
      () => {
        const bits = dice.between(4, 8)
        return encodeBuckets(
          bits,
          Uint32Array.from({ length: 2 ** bits }, () => dice.nat(2 ** 32))
        )
      },
      () => {
        const all = entries(dice, 0)
        return encodeEntries(dice.chance(0.5), 8, [...new Set(all.map(({ key }) => key[0]!))], all)
      },
      () => encodeWords(entries(dice, 1)),
      () => encodeWants(keys(dice))
    ])(),
  again: bytes => {
    const read = decodeCensus(bytes)
    switch (read?.type) {
      case undefined:
        return undefined
      case 'summary':
        return encodeSummary(read.left, read.right)
      case 'buckets':
        return encodeBuckets(read.bits, read.sums)
      case 'entries':
        return encodeEntries(read.more, read.bits, [...read.buckets], listed(read.entries))
      case 'words':
        return encodeWords(listed(read.entries))
      case 'wants':
        return encodeWants(
          Array.from({ length: read.prefixes.length / 8 }, (_, i) => read.prefixes.subarray(i * 8))
        )
    }
  }
}
