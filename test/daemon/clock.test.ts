/** Wall clocks that are set, to whatever year and back: who is there, and who sleeps, has nothing to do with them. */
import t from 'tap'
import { type Computer, START_MS, World } from './circle-world.ts'

const YEARS = [1970, 2038, 2106, 2026, 2106, 1970].map(year => Date.UTC(year, 0, 19, 3, 14, 8) - START_MS)

t.test('clocks jump to 1970, 2038 and 2106 and back, every 10 s', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [Computer, Computer, Computer]
  await world.pass(30_000)
  const all = [a, b, c]
  const sessions = () =>
    all.map(one => all.filter(other => other !== one).map(other => one.open(other).length))
  const before = sessions()
  const changes: string[] = []
  for (let i = 0; i < 60; i++) {
    b.wrongMs = YEARS[i % YEARS.length]!
    if (i % 2 === 0) c.wrongMs = YEARS[(i + 2) % YEARS.length]!
    await world.pass(10_000)
    for (const one of all)
      for (const other of all)
        if (one !== other && one.peer(other.self)?.State !== 'reachable')
          changes.push(`${i}: ${one.name} shows ${other.name} ${one.peer(other.self)?.State}`)
  }
  t.same(changes, [], 'ten minutes of it change nothing that is shown')
  t.same(sessions(), before, 'nor any session')

  t.comment('and one of them sleeps meanwhile')
  b.circle.rest('sleep')
  for (let i = 0; i < 12; i++) {
    a.wrongMs = YEARS[i % YEARS.length]!
    await world.pass(10_000)
    t.match(a.peer(b.self), { State: 'asleep', Reason: 'asleep' })
    t.ok(Number(a.peer(b.self)!.AsleepSinceUSec) > 0)
  }
  b.wrongMs = YEARS[0]!
  b.circle.rest('wake')
  await world.meet(a, b)
  await world.meet(b, c)
  t.equal(a.peer(b.self)!.AsleepSinceUSec, 0)
})
