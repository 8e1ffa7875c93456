import t from 'tap'
import { nextLook } from '../../src/host/network.ts'

t.test('the first look is at once, then one in 100 ms; urgent ones at once while they are few', async t => {
  const burst = (n: number) => Array.from({ length: n }, (_, i) => 1_000 + i)
  for (const [what, starts, now, urgent, expected] of [
    ['the first', [], 1_000, false, 0],
    ['after a quiet time', [0], 1_000, false, 0],
    ['soon after', [990], 1_000, false, 90],
    ['urgent, soon after', [990], 1_000, true, 0],
    ['the eighth urgent one', burst(7), 1_010, true, 0],
    ['the ninth', burst(8), 1_010, true, 97],
    ['a second later', burst(8), 2_100, true, 0]
  ] as const) {
    t.equal(nextLook(starts, now, urgent), expected, what)
  }
})
