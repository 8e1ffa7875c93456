/**
 * Random membership histories and decoder inputs by the ten thousand, into docs/performance.md:
 * `node test/campaign/histories.ts [N]` (20,000), part of `npm run campaign`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { Crew } from '../fuzz/crew.ts'
import { parts } from '../fuzz/parts.ts'
import { place } from './figures.ts'

const path = new URL('../../docs/performance.md', import.meta.url)
const count = Number(process.argv[2] ?? 20_000)
const seed = Math.floor(Math.random() * 2 ** 31)
const crew = new Crew()
const rows: string[] = []
let failed = false
for (const part of Object.keys(parts)) {
  const { runs, seconds, sums, wrong } = await crew.run(part, seed, count)
  if (wrong !== undefined) {
    failed = true
    console.error(`${part}, seed ${wrong.seed}: ${wrong.text}`)
  }
  const said = Object.entries(sums).map(([what, n]) => `${n.toLocaleString('en')} ${what}`)
  const rate = Math.round(runs / seconds).toLocaleString('en')
  rows.push(
    `| ${part} | ${runs.toLocaleString('en')} | ${said.join(', ')} | ${rate} /s | ${wrong === undefined ? 0 : 1} |`
  )
  console.log(rows.at(-1))
}
await crew.end()
const text = `Measured by \`npm run campaign\` on ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores, seed ${seed}. What a history is checked
for: [protocol/membership.md](protocol/membership.md#what-holds).

| what | runs | of them | rate | wrong |
|---|---|---|---|---|
${rows.join('\n')}`
if (failed) process.exitCode = 1
else writeFileSync(path, place(readFileSync(path, 'utf8'), 'Histories', text))
