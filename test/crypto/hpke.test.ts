import t from 'tap'
import { OVERHEAD, open, seal } from '../../src/crypto/hpke.ts'
import { x25519 } from '../../src/crypto/provider.ts'
import { unhex } from '../../src/wire/bytes.ts'
import { missing, vectors } from '../vectors.ts'

interface Vector {
  mode_name: string
  info: string
  skEm: string
  skRm: string
  pkRm: string
  enc: string
  encryptions: { sequence_number: string; pt: string; aad: string; ct: string }[]
}
const official = vectors('hpke/rfc9180-x25519-hkdfsha256-chacha20poly1305.json') as
  | { vectors: Vector[] }
  | undefined

t.test('RFC 9180 A.2, base mode, first message', { skip: official === undefined && missing }, async t => {
  const base = official!.vectors.find(v => v.mode_name === 'Base')!
  const first = base.encryptions.find(e => e.sequence_number === '0')!
  const [info, aad, text] = [base.info, first.aad, first.pt].map(unhex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array
  ]
  const sealed = seal(x25519(unhex(base.skEm)), unhex(base.pkRm), info, aad, text)
  t.same(sealed, unhex(base.enc + first.ct))
  t.same(Uint8Array.from(open(x25519(unhex(base.skRm)), info, aad, sealed)!), text)
})

t.test('what was changed anywhere, or is for another, does not open', async t => {
  const recipient = x25519(new Uint8Array(32).fill(1))
  const [info, aad] = [Uint8Array.of(1), Uint8Array.of(2)]
  const sealed = seal(x25519(new Uint8Array(32).fill(2)), recipient.publicKey, info, aad, new Uint8Array(32))
  t.equal(sealed.length, 32 + OVERHEAD)
  t.ok(open(recipient, info, aad, sealed))
  for (let i = 0; i < sealed.length; i++) {
    const changed = sealed.slice()
    changed[i]! ^= 1
    t.equal(open(recipient, info, aad, changed), undefined, `byte ${i}`)
  }
  t.equal(open(x25519(new Uint8Array(32).fill(3)), info, aad, sealed), undefined)
  t.equal(open(recipient, aad, aad, sealed), undefined)
  t.equal(open(recipient, info, info, sealed), undefined)
  t.equal(open(recipient, info, aad, sealed.subarray(0, OVERHEAD - 1)), undefined)
  const small = sealed.slice()
  small.fill(0, 0, 32)
  t.equal(open(recipient, info, aad, small), undefined, 'a key of small order')
  t.throws(() => seal(recipient, new Uint8Array(32), info, aad, new Uint8Array(1)))
})
