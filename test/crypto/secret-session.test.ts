import { createDecipheriv, getDiffieHellman, hkdfSync } from 'node:crypto'
import t from 'tap'
import { randomBytes } from '../../src/crypto/provider.ts'
import { secretSession } from '../../src/crypto/secret-session.ts'

t.test('two sides agree', async t => {
  for (let i = 0; i < 50; i++) {
    const [a, b] = [secretSession(randomBytes(32)), secretSession(randomBytes(32))]
    const [forA, forB] = [a.agree(b.publicKey)!, b.agree(a.publicKey)!]
    const [iv, secret] = [randomBytes(16), randomBytes(32)]
    const sealed = forA.seal(iv, secret)
    t.equal(sealed.length, 48)
    t.same(forB.open(iv, sealed), secret)
    t.equal(forB.open(iv, sealed.subarray(1)), undefined)
  }
})

t.test('OpenSSL agrees, with the secret at its full length', async t => {
  const theirs = getDiffieHellman('modp2')
  theirs.generateKeys()
  let short = 0
  for (let i = 0; i < 600; i++) {
    const ours = secretSession(randomBytes(32))
    const shared = theirs.computeSecret(ours.publicKey)
    if (shared[0] !== 0 && i > 20) continue
    short += shared[0] === 0 ? 1 : 0
    const cipher = createDecipheriv(
      'aes-128-cbc',
      new Uint8Array(hkdfSync('sha256', shared, '', '', 16)),
      new Uint8Array(16)
    )
    const sealed = ours.agree(theirs.getPublicKey())!.seal(new Uint8Array(16), new Uint8Array(32).fill(i))
    t.same(Buffer.concat([cipher.update(sealed), cipher.final()]), Buffer.alloc(32, i))
  }
  t.comment(`${short} secrets began with a zero`)
})

t.test('what is no public key', async t => {
  const session = secretSession(randomBytes(32))
  const p = getDiffieHellman('modp2').getPrime()
  const one = Buffer.alloc(128)
  one[127] = 1
  const less = Buffer.from(p)
  less[127]! -= 1
  for (const wrong of [new Uint8Array(0), new Uint8Array(128), one, less, p, new Uint8Array(129).fill(1)])
    t.equal(session.agree(wrong), undefined)
  t.throws(() => secretSession(new Uint8Array(31)), RangeError)
})
