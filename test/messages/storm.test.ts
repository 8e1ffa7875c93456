/** Whatever is cut or killed and whenever: each accepted message runs once at most, and its sender learns how it ended. */
import t from 'tap'
import { pair } from './pair.ts'

const SEEDS = 200

for (const [name, kills] of [
  ['sessions that end', 0],
  ['sessions that end, and processes that are killed', 40]
] as const)
  t.test(`200 histories with ${name}`, async t => {
    let total = 0
    let lost = 0
    for (let seed = 0; seed < SEEDS; seed++) {
      const { clock, dice, wire, a, b } = pair(1_000 * kills + seed)
      for (let i = 0; i < 60; i++)
        for (const side of [a, b])
          clock.after(dice.nat(2_000), () => side.process > 0 && side.send(`t${dice.nat(3)}`, `${i}`))
      for (let i = 0; i < 60; i++) clock.after(dice.nat(2_500), () => (i % 2 ? wire.cut() : wire.open(a, b)))
      for (let i = 0; i < kills; i++)
        clock.after(dice.nat(2_500), () => {
          const side = dice.pick([a, b])
          if (side.process > 0) side.kill()
          else side.start()
        })
      clock.run(3_000)
      for (const side of [a, b]) if (side.process === 0) side.start()
      wire.open(a, b)
      clock.run(10_000)
      for (const side of [a, b]) {
        total += side.accepted.length
        const runs = side.other.runs
        if (new Set(runs).size !== runs.length) t.fail(`seed ${seed}: a handler ran twice for one message`)
        for (const { id } of side.accepted) {
          const sent = side.outbox.get(id)
          const ran = runs.includes(id)
          // what is done may have been told to a process that was killed since
          const state = sent?.state ?? (kills > 0 ? 'done' : 'forgotten')
          if (state === 'done' && !ran) t.fail(`seed ${seed}: done, but it never ran`)
          if (state === 'dead') lost++
          if (state === 'dead' && sent?.reason !== 'unknown') t.fail(`seed ${seed}: dead: ${sent?.reason}`)
          if (state !== 'done' && state !== 'dead') t.fail(`seed ${seed}: ${state} in the end`)
        }
        if (kills === 0) t.same(side.other.disk.received.size, 0, `seed ${seed}: nothing is kept for ever`)
      }
    }
    t.ok(total > SEEDS * 50, `${total} messages, ${lost} of them lost with the process that ran them`)
    if (kills === 0) t.equal(lost, 0)
    else t.ok(lost > 0, 'some were')
  })
