/** Random membership histories with attacks. `npm run fuzz` runs a million of them. */
import t from 'tap'
import { Intake } from '../../src/circle/intake.ts'
import { Resolver } from '../../src/circle/resolver.ts'
import { randomHistory } from './attack.ts'
import { check, Violation } from './invariants.ts'
import { mistakes, mutant } from './mutants.ts'
import type { Subject } from './replica.ts'
import { least, story } from './shrink.ts'

const HISTORIES = 500
/** Each mistake is found in some hundreds. */
const SEARCHED = 5_000

/** The rule that a history breaks. */
function broken(subject: Subject, seed: number, alone = false): Violation | undefined {
  try {
    check(subject, randomHistory(seed), seed, alone)
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error
    throw error
  }
}

t.test('whoever attacks, what is promised holds', async t => {
  const subject = { Resolver, Intake }
  let effective = 0
  let removed = 0
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const violation = broken(subject, seed)
    if (violation !== undefined) {
      t.fail(`seed ${seed}: ${violation.message}\n${story(least(subject, seed, violation.rule))}`)
      return
    }
    const counted = check(subject, randomHistory(seed), seed)
    effective += counted.effective
    removed += counted.removed
  }
  t.ok(effective > HISTORIES / 4 && effective < HISTORIES, `${effective} attacks changed something`)
  t.ok(removed > HISTORIES / 4, `${removed} devices were removed`)
})

t.test('a history is shrunk to what breaks the rule', async t => {
  const subject = await mutant('equals may remove each other')
  let seed = 1
  while (broken(subject, seed)?.rule !== 'oracle') seed++
  const { steps, attack } = least(subject, seed, 'oracle')
  t.ok(steps.length + attack.length <= 4, 'genesis, an adding, a removal')
})

for (const [name, { rules }] of Object.entries(mistakes))
  t.test(`found: ${name}`, async t => {
    const subject = await mutant(name)
    const search = (alone: boolean) => {
      for (let seed = 1; seed <= SEARCHED; seed++) {
        const violation = broken(subject, seed, alone)
        if (violation && (!alone || rules.includes(violation.rule))) return `${violation.rule}, ${seed}`
      }
      return undefined
    }
    t.match(search(false), /./, 'by the oracle or a rule')
    t.match(search(true), /./, `by a rule alone: ${rules}`)
  })
