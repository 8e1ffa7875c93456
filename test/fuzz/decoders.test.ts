/** Some hundreds of inputs for each decoder; `npm run fuzz` has a million. */
import t from 'tap'
import { decodeOnce } from './decode.ts'
import { formats } from './formats.ts'

const INPUTS = 2000

for (const name of Object.keys(formats))
  t.test(`${name}: nothing is thrown, and what is read is written as it was`, async t => {
    let read = 0
    for (let seed = 1; seed <= INPUTS; seed++) {
      const outcome = decodeOnce(name, seed)
      if (outcome.read) read++
      if (outcome.wrong === undefined) continue
      t.fail(`seed ${seed}: ${outcome.wrong}`)
      return
    }
    t.ok(read >= INPUTS / 50 && read < INPUTS, `${read} of ${INPUTS} were read`)
  })
