import t from 'tap'
import { add, genesis, rekey, remove, rename } from '../../src/circle/author.ts'
import { identify, signatures } from '../../src/circle/signing.ts'
import { verify } from '../../src/crypto/provider.ts'
import { hex } from '../../src/wire/bytes.ts'
import { type Body, decodeOperation, isName, MAX_OPERATION } from '../../src/wire/operation.ts'
import { exchangeKey, genesis as frozenGenesis, gidOf, joining, seed, signing } from '../circle/world.ts'
import { fc } from '../draws.ts'

const first = signing('A')
const place = { gid: gidOf, prev: [gidOf], wallMs: 1_800_000_000_001 }
const guest = { ...joining('G'), guest: true, expiresMs: 1_900_000_000_000 }
const target = signing('B').publicKey
const samples = {
  genesis: frozenGenesis,
  add: add(first, place, joining('B', 2)),
  guest: add(first, place, guest),
  remove: remove(first, place, { target, lost: false, cut: undefined }),
  lost: remove(first, place, { target, lost: true, cut: [seed('x'), seed('y')] }),
  mistrusted: remove(first, place, { target, lost: false, cut: [] }),
  rekey: rekey(first, place, { static: exchangeKey('A, later').publicKey, serial: 7 }),
  name: rename(first, { ...place, prev: [seed('z'), gidOf, seed('x')] }, { serial: 1, name: 'Küche 🍳' })
}
const frozen: { readonly [kind: string]: string } = {
  genesis: 'aeb8a4d942d75994b47ca3fb16ff41ae6f29300a2341983496854b746fb23e08',
  add: '10d1f4324d56163643200582e550e7aa44a935b3b07ce90c08593797464b4a42',
  guest: '5a620c5b1bbb938be881e935b7d38ada097e07cbbb8ef958b8bff3f9d9ee54f1',
  remove: '27097c667f7e564e8349184ecc3701eb9d1d81dcea2145e1a431b0981367acac',
  lost: '0f244ed3264ee83b7b28cb094022f58f1b5286a90e4a9ab535a3f0ef689bd8bf',
  mistrusted: '08398a6c65abb7b2d88dc5d03074039ed4a6d0e90ed6e397de4af77d05d5218c',
  rekey: '09655dca448c0e5d0e3e4909a4857325fa273360a0dc60b4ec46fdd319d5dab9',
  name: '2e40b4aa8f99a889b553193ce3ff26600da77428a266add8da23245e87bd934f'
}

for (const [kind, made] of Object.entries(samples)) {
  t.test(`${kind}: reads back, signed, frozen`, async t => {
    const item = identify(gidOf, made.bytes)!
    t.same(item.id, made.id)
    t.ok(signatures(item).every(s => verify(s.publicKey, s.message, s.signature)))
    t.equal(hex(made.id), frozen[kind])
  })

  t.test(`${kind}: nothing else is read`, async t => {
    const { bytes } = made
    for (let length = 0; length < bytes.length; length++)
      if (decodeOperation(bytes.subarray(0, length))) t.fail(`cut to ${length}`)
    t.equal(decodeOperation(Uint8Array.of(...bytes, 0)), undefined, 'one byte more')
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i]! ^= 0x80
      const item = identify(gidOf, changed)
      if (item && signatures(item).every(s => verify(s.publicKey, s.message, s.signature)))
        t.fail(`byte ${i}`)
    }
    t.equal(identify(seed('another circle'), bytes), undefined)
  })
}

t.test('fields come back', async t => {
  const body = (made: { bytes: Uint8Array }): Body => decodeOperation(made.bytes)!.body
  t.match(body(samples.guest), {
    kind: 'add',
    guest: true,
    expiresMs: 1_900_000_000_000,
    level: 10,
    name: 'G'
  })
  t.match(body(samples.lost), { lost: true, cut: [seed('x'), seed('y')].map(id => id).sort(Buffer.compare) })
  t.match(body(samples.mistrusted), { lost: false, cut: [] })
  t.match(body(samples.remove), { cut: undefined })
  t.match(body(samples.name), { name: 'Küche 🍳', serial: 1 })
  t.match(body(samples.genesis), { name: 'desk', circle: 'home' })
  t.equal(decodeOperation(samples.name.bytes)!.prev.length, 3)
})

t.test('what could not be read is not written', async t => {
  const prev = Array.from({ length: 17 }, (_, n) => seed(`${n}`))
  t.throws(() => rename(first, { ...place, prev }, { serial: 1, name: 'x' }), RangeError)
  t.throws(() => rename(first, { ...place, prev: [] }, { serial: 1, name: 'x' }), RangeError)
  t.throws(() => rename(first, { ...place, prev: [gidOf, gidOf] }, { serial: 1, name: 'x' }), RangeError)
  t.throws(() => rename(first, place, { serial: 0, name: 'x' }), RangeError)
  t.throws(() => add(first, place, joining('B', 0)), RangeError)
  t.throws(() => add(first, place, joining('B', 12)), RangeError)
  t.throws(() => add(first, place, { ...joining('B', 2), guest: true }), RangeError)
  t.throws(() => add(first, place, { ...joining('B'), expiresMs: 5 }), RangeError)
  t.throws(() =>
    genesis(first, 0, {
      ...(decodeOperation(frozenGenesis.bytes)!.body as never as object),
      name: ''
    } as never)
  )
})

t.test('names: 1 to 64 bytes of text', async t => {
  for (const good of ['a', 'Küche', 'x'.repeat(64), 'a b', '日本']) t.ok(isName(good), good)
  for (const bad of ['', 'x'.repeat(65), 'ü'.repeat(33), 'a\nb', '\u0000', '\u007f', 'a\u2028b', '\ud800'])
    t.notOk(isName(bad))
})

t.test('random bytes are no operations', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MAX_OPERATION + 10 }), bytes => {
      bytes[0] = 1
      if (bytes.length > 1) bytes[1]! %= 5
      return decodeOperation(bytes) === undefined
    }),
    { numRuns: 500 }
  )
})
