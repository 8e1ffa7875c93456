import t from 'tap'
import { crosses, Thresholds, type Wish } from '../../src/daemon/surfaces/thresholds.ts'
import { CIRCLE, peer } from './example.ts'

const all: Wish = { circle: '', peer: '', states: [], LatencyUSec: 0, LatencyPercent: 0 }
const state = (State: string) => ({ State, Reachable: State === 'reachable' })

t.test('what crosses', async t => {
  type Changes = Parameters<typeof peer>[1]
  const table: [string, Partial<Wish>, Changes, Changes, boolean][] = [
    ['nothing changed', {}, {}, {}, false],
    ['a state', {}, {}, state('asleep'), true],
    ['a name', { states: ['asleep'] }, {}, { Name: 'other' }, true],
    ['addresses', { LatencyUSec: 1 }, {}, { Addresses: [] }, false],
    ['a reason', {}, state('unreachable'), { ...state('unreachable'), Reason: 'no-network' }, false],
    ['a state that matters comes', { states: ['asleep'] }, {}, state('asleep'), true],
    ['a state that matters goes', { states: ['reachable'] }, {}, state('suspect'), true],
    ['from one that matters to another', { states: ['reachable', 'asleep'] }, {}, state('asleep'), true],
    ['between two that do not', { states: ['reachable'] }, state('suspect'), state('unreachable'), false],
    ['latency is never told', {}, { LatencyUSec: 1 }, { LatencyUSec: 1e9 }, false],
    ['nor the first one', {}, { LatencyUSec: 0 }, { LatencyUSec: 1e9 }, false],
    ['by no more than it', { LatencyUSec: 100 }, { LatencyUSec: 1000 }, { LatencyUSec: 1100 }, false],
    ['by more', { LatencyUSec: 100 }, { LatencyUSec: 1000 }, { LatencyUSec: 1101 }, true],
    ['by more, downwards', { LatencyUSec: 100 }, { LatencyUSec: 1000 }, { LatencyUSec: 899 }, true],
    ['no more than the share', { LatencyPercent: 50 }, { LatencyUSec: 1000 }, { LatencyUSec: 1500 }, false],
    ['more than the share', { LatencyPercent: 50 }, { LatencyUSec: 1000 }, { LatencyUSec: 1501 }, true],
    ['less than the share', { LatencyPercent: 50 }, { LatencyUSec: 1000 }, { LatencyUSec: 499 }, true],
    [
      'one of both is enough: the share',
      { LatencyUSec: 9000, LatencyPercent: 50 },
      { LatencyUSec: 1000 },
      { LatencyUSec: 1600 },
      true
    ],
    [
      'one of both is enough: the time',
      { LatencyUSec: 100, LatencyPercent: 4_294_967_295 },
      { LatencyUSec: 1000 },
      { LatencyUSec: 1101 },
      true
    ],
    ['the first one known', { LatencyUSec: 9000 }, { LatencyUSec: 0 }, { LatencyUSec: 1 }, true],
    ['one that is known no more', { LatencyUSec: 1 }, { LatencyUSec: 1000 }, { LatencyUSec: 0 }, false]
  ]
  for (const [what, wish, told, now, wanted] of table)
    t.equal(crosses({ ...all, ...wish }, peer('a', told), peer('a', now)), wanted, what)
})

t.test('held against what was told, not against what was', async t => {
  const thresholds = new Thresholds({ ...all, LatencyUSec: 100 })
  thresholds.see('/a', peer('a', { LatencyUSec: 1000 }))
  t.same(thresholds.take(), { Peers: [peer('a', { LatencyUSec: 1000 })], Gone: [] })
  for (let latency = 1010; latency <= 1100; latency += 10) {
    thresholds.see('/a', peer('a', { LatencyUSec: latency }))
    t.notOk(thresholds.crossed, `${latency}`)
  }
  thresholds.see('/a', peer('a', { LatencyUSec: 1110 }))
  t.ok(thresholds.crossed, 'many small steps add up')
  thresholds.see('/a', peer('a', { LatencyUSec: 1000 }))
  t.notOk(thresholds.crossed, 'what came back is not told')
  thresholds.see('/a', peer('a', state('asleep')))
  thresholds.see('/a', peer('a', { ...state('suspect'), LatencyUSec: 7 }))
  t.same(thresholds.take().Peers, [peer('a', { ...state('suspect'), LatencyUSec: 7 })], 'the last values')
  t.same(thresholds.take(), { Peers: [], Gone: [] })
})

t.test('a state that came back is told: somebody may have looked', async t => {
  const thresholds = new Thresholds(all)
  thresholds.see('/a', peer('a'))
  thresholds.take()
  thresholds.see('/a', peer('a', state('suspect')))
  thresholds.see('/a', peer('a'))
  thresholds.see('/a', peer('a', { LatencyUSec: 1 }))
  t.same(thresholds.take(), { Peers: [peer('a', { LatencyUSec: 1 })], Gone: [] })
  t.notOk(thresholds.crossed)
})

t.test('who comes and goes', async t => {
  const thresholds = new Thresholds({ ...all, states: ['asleep'] })
  thresholds.see('/a', peer('a'))
  thresholds.see('/b', peer('b'))
  t.same(thresholds.take().Peers.length, 2, 'first all, whatever their state')
  thresholds.see('/a', undefined)
  thresholds.see('/c', peer('c'))
  t.same(thresholds.take(), { Peers: [peer('c')], Gone: ['a'] })
  thresholds.see('/d', peer('d'))
  thresholds.see('/d', undefined)
  thresholds.see('/a', undefined)
  t.notOk(thresholds.crossed, 'who was never told of cannot be gone')
  thresholds.see('/b', undefined)
  thresholds.see('/b', peer('b'))
  t.notOk(thresholds.crossed, 'gone and back')
  thresholds.see('/b', peer('e'))
  t.same(thresholds.take(), { Peers: [peer('e')], Gone: ['b'] }, 'another one in its place')
})

t.test('only those that were asked for', async t => {
  const others = [peer('a', { Circle: 'other' }), peer('b')]
  const seen = (wish: Partial<Wish>) => {
    const thresholds = new Thresholds({ ...all, ...wish })
    for (const p of [peer('a'), ...others]) thresholds.see(`/${p.Circle}/${p.Id}`, p)
    return thresholds.take().Peers.map(p => `${p.Circle === CIRCLE ? '' : 'other '}${p.Id}`)
  }
  t.same(seen({}), ['a', 'other a', 'b'])
  t.same(seen({ circle: CIRCLE }), ['a', 'b'])
  t.same(seen({ circle: CIRCLE, peer: 'b' }), ['b'])
  t.same(seen({ circle: 'left' }), [])
})
