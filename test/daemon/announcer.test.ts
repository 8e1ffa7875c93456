import t from 'tap'
import { makeAnnouncement, slotAt, UNSYNCHRONISED } from '../../src/crypto/announcement.ts'
import { peerId, peerKey } from '../../src/crypto/identity.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { Announcer } from '../../src/daemon/circle/announcer.ts'
import type { Membership } from '../../src/daemon/circle/membership.ts'
import { fill, seeded } from './gates.ts'

const WALL = Date.UTC(2026, 10, 21)
const [current, old, foreign] = [fill(1), fill(2), fill(3)]
const [self, other, stranger] = [11, 12, 13].map(byte => peerId(ed25519(fill(byte)).publicKey)) as [
  string,
  string,
  string
]

function announcer() {
  const time = { now: 0, wall: WALL }
  const membership = {
    self,
    own: {} as object | undefined,
    discoveryKeys: [current, old],
    lost: { devices: new Map() },
    members: new Map([
      [self, {}],
      [other, {}]
    ])
  }
  const made = new Announcer(membership as unknown as Membership, {
    now: () => time.now,
    wall: () => time.wall,
    random: seeded('announcer')
  })
  made.membersChanged()
  const by = (id: string, key: Uint8Array, slot = slotAt(time.wall / 1000)) =>
    makeAnnouncement({ key, id: peerKey(id)!, port: 7, slot, salt: fill(9, 8) })
  return { time, membership, made, by }
}

t.test('under the current key a member is followed each time', async t => {
  const { made, by } = announcer()
  for (let i = 0; i < 3; i++) t.same(made.read(by(other, current)), { peer: other, port: 7 })
})

t.test('not itself, not one who is no member, not one without a key', async t => {
  const { made, by, membership } = announcer()
  t.equal(made.read(by(self, current)), undefined)
  t.equal(made.read(by(stranger, current)), undefined)
  t.notOk(made.recognises(by(stranger, current)), 'though it has our key')
  t.equal(made.read(by(other, foreign)), undefined)
  t.notOk(made.recognises(by(other, foreign)))
  t.equal(made.read(fill(0, 48)), undefined)
  membership.members.delete(other)
  made.membersChanged()
  t.equal(made.read(by(other, current)), undefined)
})

t.test('under an old key once in ten minutes', async t => {
  const { made, by, time } = announcer()
  t.ok(made.read(by(other, old)))
  time.now += 599_999
  t.equal(made.read(by(other, old)), undefined)
  time.now += 1
  t.ok(made.read(by(other, old)))
  t.ok(made.read(by(other, current)), 'the current one is not held up')
})

t.test('an old key is none for members known to have a newer one', async t => {
  const { made, by, membership, time } = announcer()
  const oldest = fill(4)
  membership.discoveryKeys = [current, old, oldest]
  t.ok(made.read(by(other, oldest)))
  time.now += 600_000
  t.ok(made.read(by(other, old)), 'it has a newer one, not the newest')
  time.now += 600_000
  t.equal(made.read(by(other, oldest)), undefined, 'the oldest is none any more')
  t.ok(made.read(by(other, old)))
  time.now += 600_000
  made.acknowledged(other)
  t.equal(made.read(by(other, old)), undefined, 'it said over a session that it has the newest')
  t.ok(made.read(by(other, current)))

  t.comment('a newer key comes, which it has not yet')
  membership.discoveryKeys = [fill(5), current, old]
  t.ok(made.read(by(other, current)))
  t.equal(made.read(by(other, old)), undefined)
  time.now += 599_999
  t.equal(made.read(by(other, current)), undefined, 'but once in ten minutes')
  time.now += 1
  t.ok(made.read(by(other, fill(5))))
  t.equal(made.read(by(other, current)), undefined, 'it announced under the newest')

  t.comment('an announcement of any age shows no newer key')
  membership.discoveryKeys = [fill(6), fill(5)]
  time.now += 3_600_000
  t.ok(made.read(by(other, fill(6), UNSYNCHRONISED)))
  time.now += 600_000
  t.ok(made.read(by(other, fill(5))))
})

t.test('answered is who can read the answer: under the key in use, with a clock', async t => {
  const { made, by } = announcer()
  t.ok(made.recognises(by(other, current)))
  t.notOk(made.recognises(by(other, old)))
  t.notOk(made.recognises(by(other, current, UNSYNCHRONISED)))
  t.notOk(made.recognises(by(self, current)))
})

t.test('from one without a clock once in an hour', async t => {
  const { made, by, time } = announcer()
  t.ok(made.read(by(other, current, UNSYNCHRONISED)))
  time.now += 3_599_999
  t.equal(made.read(by(other, current, UNSYNCHRONISED)), undefined)
  time.now += 1
  t.ok(made.read(by(other, current, UNSYNCHRONISED)))
})

t.test('slots: the neighbours count, older ones do not', async t => {
  const { made, by } = announcer()
  const slot = slotAt(WALL / 1000)
  for (const near of [slot - 1, slot, slot + 1]) t.ok(made.read(by(other, current, near)))
  for (const far of [slot - 2, slot + 2]) t.equal(made.read(by(other, current, far)), undefined)
})

t.test('what it says of itself', async t => {
  const { made, membership, time } = announcer()
  const theirs = announcer()
  theirs.membership.self = other
  const read = (bytes: Uint8Array | undefined) => theirs.made.read(bytes!)
  t.same(read(made.make(24_747)), { peer: self, port: 24_747 })
  t.notSame(made.make(1), made.make(1), 'a fresh salt each time')
  time.wall = 0
  t.same(read(made.make(1)), { peer: self, port: 1 }, 'without a clock too')
  t.equal(read(made.make(1)), undefined, 'which is then not followed again')
  membership.own = undefined
  t.equal(made.make(1), undefined, 'no member')
  membership.own = {}
  membership.discoveryKeys = []
  t.equal(made.make(1), undefined, 'no key')
})
