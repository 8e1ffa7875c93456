import t from 'tap'
import { circleId, circleKey, peerId, peerKey, shortId } from '../../src/crypto/identity.ts'
import { hash } from '../../src/crypto/provider.ts'
import { fromBase32, toBase32 } from '../../src/wire/base32.ts'
import { canonicalCrockford, fromCrockford, toCrockford } from '../../src/wire/crockford.ts'

const keys = Array.from({ length: 50 }, (_, index) => hash(Uint8Array.of(index)))
const letters = 'abcdefghijklmnopqrstuvwxyz234567'

t.test('base32 gives the texts of RFC 4648 section 10', async t => {
  const examples = {
    f: 'my',
    fo: 'mzxq',
    foo: 'mzxw6',
    foob: 'mzxw6yq',
    fooba: 'mzxw6ytb',
    foobar: 'mzxw6ytboi'
  }
  for (const [bytes, text] of Object.entries(examples)) {
    t.equal(toBase32(Buffer.from(bytes)), text)
    t.same(fromBase32(text), new Uint8Array(Buffer.from(bytes)))
  }
  t.same(fromBase32(''), new Uint8Array(0))
})

t.test('base32 refuses everything but its own texts', async t => {
  for (const text of ['a', 'aaa', 'aaaaaa', 'MY', 'mz', 'm1', 'my=', 'm y', 'mé', '€€']) {
    t.equal(fromBase32(text), undefined, text)
  }
})

t.test('a peer id is 57 characters that name one key', async t => {
  for (const key of keys) {
    const id = peerId(key)
    t.match(id, /^co1[a-z2-7]{54}$/)
    t.same(peerKey(id), key)
    t.equal(shortId(id), id.slice(3, 11))
  }
  t.equal(peerId(new Uint8Array(32)), `co1${'a'.repeat(52)}vt`, 'the format stands still')
})

t.test('every single mistyped character of a peer id is refused or caught by the check', async t => {
  let missed = 0
  let tried = 0
  for (const key of keys) {
    const id = peerId(key)
    for (let at = 3; at < id.length; at++) {
      const other = letters[(letters.indexOf(id[at]!) + 1 + (at % 31)) % 32]!
      if (other === id[at]) continue
      tried++
      if (peerKey(id.slice(0, at) + other + id.slice(at + 1))) missed++
    }
  }
  t.ok(tried > 2000)
  t.ok(missed < tried / 200, `${missed} of ${tried} passed a 10-bit check`)
  const id = peerId(keys[0]!)
  for (const text of [id.slice(3), id.toUpperCase(), `${id} `, `${id}a`, '', 'co1', `co2${id.slice(3)}`]) {
    t.equal(peerKey(text), undefined)
  }
})

t.test('a circle id is its gid in base32', async t => {
  const id = circleId(keys[3]!)
  t.match(id, /^[a-z2-7]{52}$/)
  t.same(circleKey(id), keys[3])
  t.equal(circleKey(`${id}aaaaaaaa`), undefined)
  t.throws(() => circleId(new Uint8Array(31)))
})

t.test('crockford codes are read as people type them', async t => {
  const code = toCrockford(keys[1]!.subarray(0, 5))
  t.match(code, /^[0-9A-HJKMNP-TV-Z]{8}$/)
  t.same(fromCrockford(code), keys[1]!.subarray(0, 5))
  t.same(fromCrockford(`${code.slice(0, 4).toLowerCase()}-${code.slice(4)}`), fromCrockford(code))
  t.equal(canonicalCrockford('oIl-1 k7qf'), '0111K7QF')
  t.equal(canonicalCrockford('U'), undefined)
  t.equal(fromCrockford('K7QF2M9'), undefined, 'an impossible length or stray bits')
})
