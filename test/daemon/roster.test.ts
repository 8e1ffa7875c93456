import t from 'tap'
import type { MemberState } from '../../src/circle/log.ts'
import { shortId } from '../../src/crypto/identity.ts'
import { Roster } from '../../src/daemon/circle/roster.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'

const id = (start: string) => `co1${start.padEnd(54, 'a')}`
const member = (of: string, name: string, level = 10): [string, MemberState] => [
  of,
  {
    id: of,
    name,
    level,
    addedBy: '',
    statics: [],
    expiresMs: 0,
    flags: 0,
    serials: { name: 0, static: 0 },
    keyChangedMs: 0
  }
]
const view = (of: string, state: PeerView['state']): [string, PeerView] => [
  of,
  {
    id: of,
    state,
    reason: state === 'reachable' ? '' : 'timeout',
    addresses: ['tcp://192.0.2.1:1'],
    latencyUSec: state === 'reachable' ? 7 : 0,
    path: state === 'reachable' ? 'direct' : '',
    asleepSince: 0,
    unreachableSince: 0,
    evidence: { how: '', by: '', at: -Infinity }
  }
]
const [self, b, c] = [id('selfself'), id('bbbbbbbb'), id('cccccccc')]

const seen = { lastMs: () => 0, missedMs: () => 0, expired: () => false, cloned: () => false }

function roster(wall = () => 5_000) {
  const publisher = new Publisher({ boot: 'boot' })
  const lastSeen = [
    [b, 10],
    [b, 40],
    [b, 20]
  ] as const
  return {
    publisher,
    made: new Roster({ circle: 'x', name: 'home', self, publisher, wall, now: () => 0, lastSeen })
  }
}

t.test('a member is found by id, short id, or a name that is its own', async t => {
  const { made } = roster()
  const twin = `co1bbbbbbbb${'z'.repeat(46)}`
  const members = [member(self, 'desk', 1), member(b, 'laptop'), member(c, 'laptop')]
  made.publish(new Map(members), new Map())
  t.equal(made.find(b), b)
  t.equal(made.find('cccccccc'), c)
  t.equal(made.find('desk'), self)
  t.throws(() => made.find('phone'), { code: 'NoSuchPeer', message: /"phone"/ })
  t.throws(() => made.find(''), { code: 'NoSuchPeer' })
  t.throws(() => made.find('laptop'), { code: 'AmbiguousPeer', message: /bbbbbbbb, cccccccc/ })
  made.publish(new Map([...members, member(id('dddddddd'), shortId(b))]), new Map())
  t.equal(made.find('bbbbbbbb'), b, 'a name hides nobody')
  made.publish(new Map([...members, member(twin, 'phone')]), new Map())
  t.throws(() => made.find('bbbbbbbb'), { code: 'AmbiguousPeer', message: new RegExp(twin) })
  t.equal(made.find(twin), twin)
})

t.test('what is published follows members and views', async t => {
  const { publisher, made } = roster()
  const members = new Map([member(self, 'desk', 1), member(b, 'laptop', 10), member(c, 'board', 2)])
  made.publish(members, new Map([view(b, 'unreachable'), view(c, 'reachable')]))
  t.match(publisher.get('/circle/x')?.properties, { Id: 'x', Name: 'home', Level: 1, Members: 3 })
  t.same(
    made.devices(seen).map(({ Name, Self }) => [Name, Self]),
    [
      ['desk', true],
      ['board', false],
      ['laptop', false]
    ]
  )
  t.match(publisher.get(`/circle/x/peer/${b}`)?.properties, {
    Reachable: false,
    LastSeenUSec: 40_000,
    Reason: 'timeout'
  })
  t.match(publisher.get(`/circle/x/peer/${c}`)?.properties, {
    Reachable: true,
    LastSeenUSec: 0,
    Name: 'board'
  })
  t.ok(made.publishPeer(view(c, 'unreachable')[1]), 'it ceased to be reachable')
  t.notOk(made.publishPeer(view(c, 'unreachable')[1]))
  t.match(publisher.get(`/circle/x/peer/${c}`)?.properties, { LastSeenUSec: 5_000_000 })
  t.notOk(made.publishPeer(view(id('eeeeeeee'), 'reachable')[1]), 'no member')
  publisher.set('Circle', '/circle/other', { Id: 'other', Name: 'o', Level: 1, Members: 1 })
  made.publish(new Map([member(self, 'desk', 1)]), new Map())
  t.same(publisher.list('Peer'), [])
  made.unpublish()
  t.same(
    publisher.list().map(({ path }) => path),
    ['/circle/other']
  )
})
