import t from 'tap'
import { pauseAfter } from '../../src/net/segment.ts'

t.test('announced at once, after one second and two, then less and less often', async t => {
  const pauses = Array.from({ length: 8 }, (_, step) => pauseAfter(step, false) / 1000)
  t.same(pauses, [1, 1, 60, 120, 240, 300, 300, 300])
  const slot = pauses.map((_, n) => pauses.slice(0, n).reduce((sum, pause) => sum + pause, 0))
  t.equal(slot.filter(at => at < 900).length, 7, 'words in a slot of 15 minutes')
})

t.test('what does not work is tried again each minute', async t => {
  for (const step of [2, 3, 10]) t.equal(pauseAfter(step, true), 60_000)
})
