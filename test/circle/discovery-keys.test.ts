import t from 'tap'
import { DiscoveryKeys, KEYS_KEPT } from '../../src/circle/discovery-keys.ts'
import type { MemberState } from '../../src/circle/members.ts'
import { peerId } from '../../src/crypto/identity.ts'
import { x25519 } from '../../src/crypto/provider.ts'
import { hex } from '../../src/wire/bytes.ts'
import { decodeWrap } from '../../src/wire/wrap.ts'
import { exchangeKey, gidOf, seed, signing } from './world.ts'

const idOf = (name: string) => peerId(signing(name).publicKey)
const members = (...names: string[]): ReadonlyMap<string, MemberState> =>
  new Map(
    names.map(name => [
      idOf(name),
      {
        id: idOf(name),
        name,
        level: 10,
        addedBy: '',
        statics: [exchangeKey(name).publicKey],
        expiresMs: 0,
        flags: 0,
        serials: { name: 0, static: 0 },
        keyChangedMs: 0
      }
    ])
  )
let ephemerals = 0
const random = (secret: string) => ({
  secret: seed(secret),
  ephemeral: () => x25519(seed(`ephemeral ${ephemerals++}`))
})
function keysOf(name: string, ...circle: string[]): DiscoveryKeys {
  const keys = new DiscoveryKeys({ gid: gidOf, self: idOf(name), statics: [exchangeKey(name)] })
  keys.setMembers(members(...circle))
  return keys
}
const wrapOf = (bytes: Uint8Array | undefined) => decodeWrap(bytes!)!

t.test('whoever adds seals the key in use to the new device; whoever removes makes a new one', async t => {
  const a = keysOf('A', 'A')
  t.equal(a.due, 'key')
  t.equal(a.current, undefined)
  a.renew(signing('A'), [], random('one'))
  t.equal(a.due, 'no')
  t.same(a.current!.key, seed('one'))

  a.setMembers(members('A', 'B', 'C'))
  t.equal(a.due, 'wrap')
  t.same(a.current!.key, seed('one'), 'in use meanwhile')
  a.renew(signing('A'), [], random('unused'))
  const b = keysOf('B', 'A', 'B', 'C')
  const got = b.receive(wrapOf(a.shared[0]))
  t.equal(got?.put.table, 'discovery')
  t.same(b.current, { ...a.current })
  t.same(b.current!.key, seed('one'))
  t.ok(a.holds(idOf('C')))
  t.equal(b.receive(wrapOf(a.shared[0])), undefined, 'known')
  t.equal(b.receive(wrapOf(a.shared[1])), undefined, 'not for it')

  for (const keys of [a, b]) keys.setMembers(members('A', 'B'))
  t.equal(b.due, 'key')
  b.renew(signing('B'), [], random('two'))
  t.ok(a.receive(wrapOf(b.shared[0])))
  t.same(a.current!.key, seed('two'))
  t.same(
    a.keys.map(k => hex(k.key)),
    [hex(seed('two')), hex(seed('one'))],
    'each key once, the old one to recognise'
  )
  const c = keysOf('C', 'A', 'B')
  t.equal(c.receive(wrapOf(b.shared[0])), undefined, 'the removed device gets nothing')
})

t.test('a key that a removed device was given is not good for those who had it before', async t => {
  const a = keysOf('A', 'A', 'B')
  a.renew(signing('A'), [], random('one'))
  a.setMembers(members('A', 'B', 'C'))
  a.renew(signing('A'), [], random('unused'))
  a.setMembers(members('A', 'B'))
  t.equal(a.due, 'key', 'though the first wrap is for them alone')
  t.notOk(a.holds(idOf('B')))
  a.renew(signing('A'), [], random('two'))
  t.same(a.current!.key, seed('two'))
  t.equal(a.due, 'no')
})

t.test('two at once: everybody takes the same one', async t => {
  const [a, b] = [keysOf('A', 'A', 'B'), keysOf('B', 'A', 'B')]
  a.renew(signing('A'), [], random('by A'))
  b.renew(signing('B'), [], random('by B'))
  const [fromA, fromB] = [wrapOf(a.shared[0]), wrapOf(b.shared[0])]
  a.receive(fromB)
  b.receive(fromA)
  t.same(a.current, b.current)
  t.equal(a.keys.length, 2)
})

t.test(
  '9 are kept, also over a restart; a rekeyed device still opens what was sealed to its static before',
  async t => {
    const a = keysOf('A', 'A', 'B')
    const b = keysOf('B', 'A', 'B')
    b.setStatics([exchangeKey('B, later'), exchangeKey('B')])
    const stored = new Map<string, { key: Uint8Array; wrap: Uint8Array }>()
    for (let n = 0; n < 12; n++) {
      a.setMembers(members('A', 'B', ...(n % 2 ? ['C'] : [])))
      b.setMembers(members('A', 'B', ...(n % 2 ? ['C'] : [])))
      if (a.due === 'no') a.setMembers(members('A', 'B', `D${n}`))
      a.renew(signing('A'), [], random(`${n}`))
      b.setMembers(members('A', 'B', 'C', `D${n}`))
      const { put, removed } = b.receive(wrapOf(a.shared[0]))!
      stored.set(hex(put.id), put)
      for (const { id } of removed) stored.delete(hex(id))
    }
    t.equal(stored.size, KEYS_KEPT)
    t.ok(b.keys.length <= KEYS_KEPT && b.shared.length === 3)
    const again = keysOf('B', 'A', 'B', 'C', 'D11')
    again.load([...stored.values()])
    t.same(again.keys, b.keys)
  }
)

t.test('not from a stranger, not for another circle, not with a counter out of reach', async t => {
  const a = keysOf('A', 'A', 'B')
  a.renew(signing('A'), [], random('x'))
  const wrap = wrapOf(a.shared[0])
  t.equal(keysOf('B', 'B').receive(wrap), undefined, 'its author is no member')
  const elsewhere = new DiscoveryKeys({
    gid: seed('elsewhere'),
    self: idOf('B'),
    statics: [exchangeKey('B')]
  })
  elsewhere.setMembers(members('A', 'B'))
  t.equal(elsewhere.receive(wrap), undefined)
  t.equal(keysOf('B', 'A', 'B').receive({ ...wrap, counter: 1e9 }), undefined)
  const wrong = {
    ...wrap,
    recipients: wrap.recipients.map(r => ({ ...r, sealed: r.sealed.map(v => v ^ 1) }))
  }
  t.equal(keysOf('B', 'A', 'B').receive(wrong), undefined, 'does not open')
  t.ok(keysOf('B', 'A', 'B').receive(wrap))
})
