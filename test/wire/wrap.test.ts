import t from 'tap'
import { DiscoveryKeys } from '../../src/circle/discovery-keys.ts'
import { peerId } from '../../src/crypto/identity.ts'
import { hash, verify, x25519 } from '../../src/crypto/provider.ts'
import { hex } from '../../src/wire/bytes.ts'
import { decodeWrap, wrapMessage } from '../../src/wire/wrap.ts'
import { exchangeKey, gidOf, seed, signing } from '../circle/world.ts'

const self = peerId(signing('A').publicKey)
const keys = new DiscoveryKeys({ gid: gidOf, self, statics: [exchangeKey('A')] })
keys.setMembers(
  new Map(
    ['A', 'B'].map(name => {
      const id = peerId(signing(name).publicKey)
      const statics = [exchangeKey(name).publicKey]
      return [
        id,
        {
          id,
          name,
          level: 1,
          addedBy: '',
          statics,
          expiresMs: 0,
          flags: 0,
          serials: { name: 0, static: 0 },
          keyChangedMs: 0
        }
      ]
    })
  )
)
let n = 0
const ephemeral = () => x25519(seed(`frozen ephemeral ${n++}`))
keys.renew(signing('A'), [gidOf], { secret: seed('discovery'), ephemeral })
const bytes = keys.shared[0]!

t.test('reads back, signed, frozen', async t => {
  const wrap = decodeWrap(bytes)!
  t.match(wrap, { counter: 1, author: signing('A').publicKey, heads: [gidOf], bytes })
  t.equal(wrap.recipients.length, 2)
  t.ok(verify(wrap.author, wrapMessage(wrap.unsigned), wrap.signature))
  t.equal(hex(hash(bytes)), '17f890541a3f8d265edf63af9749d2a6bcc799c3d690042112aea3c913fcae69')
})

t.test('nothing else is read', async t => {
  for (let length = 0; length < bytes.length; length++)
    if (decodeWrap(bytes.subarray(0, length))) t.fail(`cut to ${length}`)
  t.equal(decodeWrap(Uint8Array.of(...bytes, 0)), undefined)
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.slice()
    changed[i]! ^= 1
    const other = decodeWrap(changed)
    if (other && verify(other.author, wrapMessage(other.unsigned), other.signature)) t.fail(`byte ${i}`)
  }
})
