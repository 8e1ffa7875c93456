/**
 * `npm run fuzz -- [N] [--seed S] [--part NAME]`: N (1,000,000) random membership histories with attacks, and as
 * many inputs for each decoder, on all processors. Ends with 1 at the first that goes wrong, and says how to
 * see it again.
 */
import { parseArgs } from 'node:util'
import { Crew } from './crew.ts'
import { parts } from './parts.ts'

const TOLD_EVERY_MS = 10_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, part: { type: 'string', multiple: true } }
})
const count = Number((positionals[0] ?? '1000000').replaceAll('_', ''))
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const chosen = values.part ?? Object.keys(parts)
const unknown = chosen.filter(name => parts[name] === undefined)
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed) || unknown.length > 0) {
  console.error(`usage: npm run fuzz -- [N] [--seed S] [--part NAME]…
parts: ${Object.keys(parts).join(', ')}`)
  process.exit(2)
}

console.log(`seed ${seed}`)
const crew = new Crew()
for (const part of chosen) {
  let told = performance.now()
  const began = told
  const outcome = await crew.run(part, seed, count, runs => {
    if (performance.now() - told < TOLD_EVERY_MS) return
    told = performance.now()
    const rate = (runs / (told - began)) * 1000
    const left = (count * parts[part]!.share - runs) / rate / 60
    console.log(`  ${part}: ${runs}, ${rate.toFixed(0)} a second, ${left.toFixed(1)} minutes left`)
  })
  const { runs, seconds, sums, wrong } = outcome
  if (wrong !== undefined) {
    console.error(`\n${part}, seed ${wrong.seed}: ${wrong.text}`)
    console.error(`\nonce more: npm run fuzz -- 1 --part '${part}' --seed ${wrong.seed}`)
    process.exitCode = 1
    break
  }
  const more = Object.entries(sums).map(([what, n]) => `${n} ${what}`)
  console.log([`${part}: ${runs} in ${seconds.toFixed(0)} s, none wrong`, ...more].join(', '))
}
await crew.end()
