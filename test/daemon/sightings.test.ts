import t from 'tap'
import { leastAhead, Sightings } from '../../src/daemon/circle/sightings.ts'

const SLOT = 900_000
const START = Date.UTC(2026, 10, 21)
const at = (seconds: number) => START + seconds * 1000
const seen = (n: number, now = 0) => ({
  interface: 'eth0',
  source: `10.0.0.${n}`,
  policy: 'announce' as const,
  followed: true,
  at: now
})

t.test('what a slot says of a clock', async t => {
  t.equal(START % SLOT, 0)
  t.equal(leastAhead(0, at(450)), 0)
  t.equal(leastAhead(1, at(450)), 450, 'it has the next slot already')
  t.equal(leastAhead(1, at(890)), 10)
  t.equal(leastAhead(-1, at(450)), -390, 'it is in the last one still; some are late')
  t.equal(leastAhead(-1, at(50)), 0, 'which is nothing so soon')
  t.equal(leastAhead(8, at(0)), 7200)
  t.equal(leastAhead(-8, at(0)), -6240)
})

t.test('the greatest difference that was seen counts, until it is mended', async t => {
  const sightings = new Sightings()
  const slot = (now: number, ahead: number, seconds: number) =>
    sightings.saw('a', seen(1, now), { ahead, wallMs: at(seconds) })
  t.equal(sightings.clock('a', 0), 0)
  slot(0, 1, 600)
  t.equal(sightings.clock('a', 0), 300)
  slot(1, 1, 800)
  t.equal(sightings.clock('a', 1), 300, 'less is known by this one, and the one before still fits')
  slot(2, 0, 300)
  t.equal(sightings.clock('a', 2), 300, 'this fits too: it is 600 s into ours at most')
  slot(3, 0, 800)
  t.equal(sightings.clock('a', 3), 0, 'not any more: it would have been in the next')
  slot(4, -1, 800)
  t.equal(sightings.clock('a', 4), -740)
  t.equal(sightings.clock('a', 4 + 3_600_001), 0, 'long ago')
  sightings.keep(new Map())
  t.equal(sightings.clock('a', 4), 0)
})

t.test('few places of each, the latest first; of strangers too', async t => {
  const sightings = new Sightings()
  for (const n of [1, 2, 3, 4, 5, 2]) sightings.saw('a', seen(n, n))
  t.same(
    sightings.of('a').map(({ source }) => source),
    ['10.0.0.2', '10.0.0.5', '10.0.0.4', '10.0.0.3']
  )
  for (let n = 0; n < 20; n++) sightings.unread({ announcement: Uint8Array.of(n), ...seen(n % 10, n) })
  t.equal(sightings.unknown.length, 8)
  t.same(sightings.unknown[0]!.announcement, Uint8Array.of(19))
})
