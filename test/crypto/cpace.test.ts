import t from 'tap'
import {
  confirmation,
  generator,
  generatorString,
  lvCat,
  multiply,
  SECRET_BYTES,
  scalar,
  sharedKey,
  transcript
} from '../../src/crypto/cpace.ts'
import { bytesOf, hash512, hmac512 } from '../../src/crypto/provider.ts'
import { hex, unhex } from '../../src/wire/bytes.ts'
import { missing, vectors } from '../vectors.ts'

interface Vector {
  readonly [name: string]: string
}
interface Points {
  readonly valid: Vector
  readonly invalid: readonly string[]
}

const file = vectors('cpace/cpace-ristretto255-sha512.json') as (Vector & { points: Points }) | undefined
const of = (name: string) => unhex(file![name]!)
const sidOutput = (bytes: Uint8Array) => hash512(bytesOf('CPaceSidOutput'), bytes)

t.test('the vector of the draft, each of its steps', { skip: file ? false : missing }, async t => {
  const known = { secret: of('PRS'), channel: of('CI'), sid: of('sid') }
  t.equal(hex(generatorString(known)), file!['generator_string'])
  t.equal(hex(hash512(generatorString(known))), file!['hash_result'])
  const g = generator(known)
  t.equal(hex(g), file!['g'])
  t.equal(hex(multiply(of('ya'), g)!), file!['Ya'])
  t.equal(hex(multiply(of('yb'), g)!), file!['Yb'])
  const k = multiply(of('ya'), of('Yb'))!
  t.equal(hex(k), file!['K'])
  t.same(multiply(of('yb'), of('Ya')), k)
  const [a, b] = [
    { y: of('Ya'), ad: of('ADa') },
    { y: of('Yb'), ad: of('ADb') }
  ]
  t.equal(hex(transcript(a, b)), file!['transcript_ir'])
  t.equal(hex(sharedKey(known.sid, k, a, b)), file!['ISK_IR'])
  t.equal(hex(sidOutput(transcript(a, b))), file!['sid_output_ir'])

  t.comment('and where both speak at once: Coterie does not, but the parts are the same')
  const ordered = Buffer.concat([bytesOf('oc'), transcript(a, b)])
  t.ok(Buffer.compare(a.y, b.y) > 0, 'the greater one first')
  t.equal(hex(ordered), file!['transcript_oc'])
  const isk = hash512(lvCat(bytesOf('CPaceRistretto255_ISK'), known.sid, k), ordered)
  t.equal(hex(isk), file!['ISK_OC'])
  t.equal(hex(sidOutput(ordered)), file!['sid_output_oc'])
})

t.test(
  'points: a good one, and those for which a run must end',
  { skip: file ? false : missing },
  async t => {
    const { valid, invalid } = file!.points
    const s = unhex(valid['s']!)
    t.equal(hex(multiply(s, unhex(valid['X']!))!), valid['G.scalar_mult(s,decode(X))']!.toLowerCase())
    t.equal(hex(multiply(s, unhex(valid['X']!))!), valid['G.scalar_mult_vfy(s,X)']!.toLowerCase())
    t.equal(invalid.length, 2)
    for (const point of invalid) t.equal(multiply(s, unhex(point)), undefined, point)
  }
)

t.test('every other way of writing no point', async t => {
  const s = scalar(new Uint8Array(SECRET_BYTES).fill(7))
  const point = multiply(s, generator({ secret: bytesOf('x'), channel: bytesOf('y'), sid: bytesOf('z') }))!
  const refused = (bytes: Uint8Array, what: string) => t.equal(multiply(s, bytes), undefined, what)
  refused(new Uint8Array(32), 'the neutral element')
  refused(new Uint8Array(32).fill(0xff), 'not below p')
  refused(unhex(`ed${'ff'.repeat(30)}7f`), 'p, which would be 0')
  refused(unhex(`ee${'ff'.repeat(30)}7f`), 'p + 1')
  refused(unhex(`01${'00'.repeat(31)}`), 'negative')
  refused(
    point.map((byte, at) => (at === 31 ? byte | 0x80 : byte)),
    'the unused bit set'
  )
  for (const length of [0, 1, 31, 33]) refused(new Uint8Array(length).fill(2), `${length} bytes`)
  t.equal(multiply(new Uint8Array(32), point), undefined, 'a secret of 0')
})

t.test('lengths: the examples of the draft', async t => {
  t.equal(
    hex(lvCat(bytesOf('1234'), bytesOf('5'), new Uint8Array(0), bytesOf('678'))),
    '043132333401350003363738'
  )
  const count = (length: number) => Uint8Array.from({ length }, (_, at) => at)
  t.equal(hex(lvCat(count(127))).slice(0, 6), '7f0001')
  t.equal(hex(lvCat(count(128))).slice(0, 8), '80010001')
  t.equal(hex(lvCat(new Uint8Array(16_384))).slice(0, 8), '80800100')
  const three = { y: bytesOf('123'), ad: bytesOf('PartyA') }
  const four = { y: bytesOf('234'), ad: bytesOf('PartyB') }
  t.equal(hex(transcript(three, four)), '03313233065061727479410332333406506172747942')
})

t.test('a long secret leaves no room for zeros, and is still told apart', async t => {
  const of = (length: number) => ({
    secret: new Uint8Array(length).fill(65),
    channel: bytesOf('c'),
    sid: bytesOf('s')
  })
  t.equal(generatorString(of(108)).length, 18 + 109 + 1 + 2 + 2)
  t.equal(generatorString(of(200)).length, 18 + 202 + 1 + 2 + 2)
  t.not(hex(generator(of(108))), hex(generator(of(109))))
})

t.test('secrets y: of all random bytes, never 0, always below the order', async t => {
  t.equal(hex(scalar(new Uint8Array(SECRET_BYTES))), `01${'00'.repeat(31)}`)
  t.equal(scalar(new Uint8Array(SECRET_BYTES).fill(0xff)).length, 32)
  t.throws(() => scalar(new Uint8Array(32)), RangeError)
})

t.test('SHA-512 and HMAC-SHA-512 (RFC 4231, case 2)', async t => {
  t.equal(
    hex(hmac512(bytesOf('Jefe'), bytesOf('what do ya want for nothing?'))),
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737'
  )
  t.same(hash512(bytesOf('ab'), bytesOf('c')), hash512(bytesOf('abc')))
  const [sid, isk, share] = [bytesOf('s'), bytesOf('i'), { y: bytesOf('y') }]
  t.same(
    confirmation(sid, isk, share),
    hmac512(hash512(bytesOf('CPaceMacsi')), Uint8Array.of(1, 0x79, 0)),
    'the tag: under a key of its own, over the message and its empty AD'
  )
})
