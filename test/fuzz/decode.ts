/** One input before one decoder: nothing is thrown, and what is read is written as it was. */
import { Dice } from '../circle/dice.ts'
import { type Format, formats } from './formats.ts'
import { mutated, randomBytes } from './mutate.ts'

/** What is wrong, with the input in hexadecimal; undefined: nothing. `read` says that it was read. */
export function decodeOnce(name: string, seed: number): { wrong?: string; read: boolean } {
  const format = formats[name]!
  const dice = new Dice(seed)
  const bytes = input(format, dice)
  try {
    const again = format.again(bytes)
    if (again === undefined) return { read: false }
    const wanted = format.wanted === undefined ? bytes : format.wanted(bytes)
    const other = wanted ?? format.again(again)
    if (other !== undefined && Buffer.compare(again, other) === 0) return { read: true }
    return { wrong: `${name}: written as ${show(again)}, read from ${show(bytes)}`, read: true }
  } catch (error) {
    return { wrong: `${name}: ${(error as Error).stack}\nfrom ${show(bytes)}`, read: false }
  }
}

function input(format: Format, dice: Dice): Uint8Array {
  if (dice.chance(0.1)) return randomBytes(dice, dice.nat(dice.chance(0.1) ? 3000 : 200))
  const sample = format.sample(dice)
  const changed = dice.chance(0.05) ? sample : mutated(dice, sample)
  return format.dress === undefined ? changed : format.dress(changed)
}

const show = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
