import t from 'tap'
import type { Aead } from '../../src/crypto/aead.ts'
import { LONG, mixedAead } from '../../src/crypto/mixed-aead.ts'
import { nobleAead } from '../../src/crypto/noble-aead.ts'
import {
  admissible,
  best,
  ed25519,
  equal,
  hash,
  hkdf,
  hmac,
  nodeAead,
  nodeExchangeKey,
  randomBytes,
  sodiumAead,
  verify,
  verifyBatch,
  x25519
} from '../../src/crypto/provider.ts'
import { missing, vectors } from '../vectors.ts'

interface Wycheproof<Group, Case> {
  testGroups: (Group & { tests: (Case & { tcId: number; result: 'valid' | 'invalid' | 'acceptable' })[] })[]
}
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const aeads: Aead[] = [nodeAead, nobleAead]
const sodium = sodiumAead()
if (sodium) aeads.push(sodium, mixedAead(sodium, nodeAead))

t.test('the fastest AEAD that loads is chosen, once', async t => {
  t.equal(best().name, sodium ? 'mixed' : 'node')
  t.equal(best(), best())
})

t.test('every AEAD reads the others, on both sides of what counts as long', async t => {
  const secret = new Uint8Array(32).fill(7)
  const nonce = new Uint8Array(12).fill(3)
  const aad = new Uint8Array([1, 2, 3])
  for (const length of [0, 1, LONG - 17, LONG - 16, LONG - 1, LONG, LONG + 1, 65_519]) {
    const text = new Uint8Array(length).map((_, i) => i * 31)
    const results = aeads.map(aead => {
      const sealed = new Uint8Array(length + 16)
      aead.key(secret).seal(nonce, aad, text, sealed)
      return sealed
    })
    for (const sealed of results) t.ok(equal(sealed, results[0]!), `${length} bytes`)
    for (const aead of aeads) t.ok(equal(aead.key(secret).open(nonce, aad, results[0]!)!, text), aead.name)
  }
})

for (const aead of aeads) {
  t.test(`${aead.name}: Wycheproof ChaCha20-Poly1305`, async t => {
    const file = vectors('wycheproof/chacha20_poly1305_test.json') as
      | Wycheproof<
          { ivSize: number },
          { key: string; iv: string; aad: string; msg: string; ct: string; tag: string }
        >
      | undefined
    if (!file) return t.comment(missing)
    let run = 0
    for (const group of file.testGroups) {
      if (group.ivSize !== 96) continue
      for (const test of group.tests) {
        const key = aead.key(hex(test.key))
        const plain = hex(test.msg)
        const sealed = hex(test.ct + test.tag)
        const opened = key.open(hex(test.iv), hex(test.aad), sealed)
        const out = new Uint8Array(plain.length + 16)
        out.set(plain)
        key.seal(hex(test.iv), hex(test.aad), out.subarray(0, plain.length), out)
        run++
        if (test.result === 'valid') {
          if (!opened || !equal(opened, plain)) t.fail(`tcId ${test.tcId} opens`)
          if (!equal(out, sealed)) t.fail(`tcId ${test.tcId} seals, in place`)
        } else if (opened) t.fail(`tcId ${test.tcId} is refused`)
      }
    }
    t.ok(run >= 300, `${run} cases`)
  })

  t.test(
    `${aead.name}: agrees with the reference at all lengths, keeps the key, opens nothing short`,
    async t => {
      const secret = Buffer.from(randomBytes(32))
      const reference = nobleAead.key(secret)
      const key = aead.key(secret)
      secret.fill(0)
      const nonce = randomBytes(12)
      const aad = randomBytes(7)
      const noAad = new Uint8Array(0)
      for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1024, 16385, 65519]) {
        const plain = randomBytes(length)
        const out = Buffer.alloc(length + 40, 7)
        key.seal(nonce, aad, plain, out.subarray(11, 11 + length + 16))
        t.ok(
          equal(reference.open(nonce, aad, out.subarray(11, 11 + length + 16)) ?? noAad, plain),
          `${length}`
        )
        t.equal(out[10]! + out[length + 27]!, 14, 'nothing is written around it')
        const kept = key.open(nonce, aad, out.subarray(11, 11 + length + 16))
        out.fill(0)
        t.ok(kept && equal(kept, plain), 'the result is memory of its own')
        const sealed = new Uint8Array(length + 16)
        key.seal(nonce, aad, plain, sealed)
        const opened = key.open(nonce, aad, sealed, sealed.subarray(0, length))
        t.ok(opened && equal(opened, plain), 'opened in place')
      }
      for (let length = 0; length < 16; length++)
        t.equal(key.open(nonce, noAad, new Uint8Array(length)), undefined)
    }
  )
}

t.test('Wycheproof X25519: right results, and zero results throw', async t => {
  const file = vectors('wycheproof/x25519_test.json') as
    | Wycheproof<object, { public: string; private: string; shared: string; flags: string[] }>
    | undefined
  if (!file) return t.comment(missing)
  for (const make of [x25519, nodeExchangeKey]) {
    let zeros = 0
    for (const test of file.testGroups.flatMap(group => group.tests)) {
      const key = make(hex(test.private))
      if (/^0+$/.test(test.shared)) {
        zeros++
        t.throws(() => key.dh(hex(test.public)), `tcId ${test.tcId}`)
      } else if (hexOf(key.dh(hex(test.public))) !== test.shared) t.fail(`tcId ${test.tcId}`)
    }
    t.ok(zeros >= 31, `${zeros} zero results`)
  }
  for (let index = 0; index < 50; index++) {
    const secret = randomBytes(32)
    t.same(x25519(secret).publicKey, nodeExchangeKey(secret).publicKey)
  }
  for (const make of [x25519, nodeExchangeKey]) {
    t.throws(() => make(new Uint8Array(31)))
    t.throws(() => make(randomBytes(32)).dh(new Uint8Array(33)))
  }
})

t.test('Wycheproof Ed25519, one by one and as a batch', async t => {
  const file = vectors('wycheproof/ed25519_test.json') as
    | Wycheproof<{ publicKey: { pk: string } }, { msg: string; sig: string }>
    | undefined
  if (!file) return t.comment(missing)
  const expected: boolean[] = []
  const items = file.testGroups.flatMap(group =>
    group.tests.map(test => {
      expected.push(test.result === 'valid')
      return { publicKey: hex(group.publicKey.pk), message: hex(test.msg), signature: hex(test.sig) }
    })
  )
  t.ok(items.length >= 150)
  t.same(
    items.map(item => verify(item.publicKey, item.message, item.signature)),
    expected
  )
  t.same(await verifyBatch(items), expected)
})

t.test('where verifiers disagree ours stands still (speccheck 0 to 9)', async t => {
  const file = vectors('rfc/ed25519-speccheck-cases.json') as
    | { cases: { message: string; pub_key: string; signature: string }[] }
    | undefined
  if (!file) return t.comment(missing)
  const items = file.cases.map(test => ({
    publicKey: hex(test.pub_key),
    message: hex(test.message),
    signature: hex(test.signature)
  }))
  const table = (valid: boolean[]) => valid.map(ok => (ok ? 'V' : 'x')).join('')
  t.equal(table(items.map(item => admissible(item.publicKey))), 'xxVVVVVVVV')
  t.equal(table(items.map(item => verify(item.publicKey, item.message, item.signature))), 'xxxVxxxxxx')
  t.equal(table(await verifyBatch(items)), 'xxxVxxxxxx')
})

t.test('no public key of small order or with y not below p is admitted', async t => {
  const y = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    `ec${'ff'.repeat(30)}7f`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
  ]
  for (let low = 0xed; low <= 0xff; low++) y.push(`${low.toString(16)}${'ff'.repeat(30)}7f`)
  for (const text of y) {
    for (const sign of [0, 0x80]) {
      const key = hex(text)
      key[31]! |= sign
      t.notOk(admissible(key), hexOf(key))
    }
  }
  t.notOk(admissible(new Uint8Array(31)))
  t.ok(admissible(ed25519(randomBytes(32)).publicKey))
})

t.test('signatures: own keys from seeds, any change refused, large batches in order', async t => {
  const key = ed25519(hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
  t.equal(hexOf(key.publicKey), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
  const message = randomBytes(100)
  const signature = key.sign(message)
  t.ok(verify(key.publicKey, message, signature))
  t.notOk(verify(key.publicKey, message.subarray(1), signature))
  t.notOk(verify(key.publicKey, message, signature.subarray(1)))
  const items = Array.from({ length: 300 }, (_, index) => {
    const changed = Buffer.from(signature)
    if (index % 3 === 0) changed[index % 64]! ^= 1
    return { publicKey: key.publicKey, message, signature: changed }
  })
  t.same(
    await verifyBatch(items),
    items.map((_, index) => index % 3 !== 0)
  )
  t.same(await verifyBatch([]), [])
})

t.test('Wycheproof HMAC-SHA-256', async t => {
  const file = vectors('wycheproof/hmac_sha256_test.json') as
    | Wycheproof<{ tagSize: number }, { key: string; msg: string; tag: string }>
    | undefined
  if (!file) return t.comment(missing)
  for (const group of file.testGroups) {
    for (const test of group.tests) {
      const tag = hexOf(hmac(hex(test.key), hex(test.msg)).subarray(0, group.tagSize / 8))
      if ((tag === test.tag) !== (test.result === 'valid')) t.fail(`tcId ${test.tcId}`)
    }
  }
  t.same(
    hmac(Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)),
    hmac(Uint8Array.of(1), Uint8Array.of(2, 3))
  )
})

t.test('Wycheproof HKDF-SHA-256', async t => {
  const file = vectors('wycheproof/hkdf_sha256_test.json') as
    | Wycheproof<object, { ikm: string; salt: string; info: string; size: number; okm: string }>
    | undefined
  if (!file) return t.comment(missing)
  for (const test of file.testGroups.flatMap(group => group.tests)) {
    const derive = () => hkdf(hex(test.ikm), hex(test.salt), hex(test.info), test.size)
    if (test.result === 'invalid') t.throws(derive)
    else if (hexOf(derive()) !== test.okm) t.fail(`tcId ${test.tcId}`)
  }
})

t.test('SHA-256 of one part and of several', async t => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  t.equal(hexOf(hash(Buffer.from('abc'))), abc)
  t.equal(hexOf(hash(Buffer.from('a'), new Uint8Array(0), Buffer.from('bc'))), abc)
})
