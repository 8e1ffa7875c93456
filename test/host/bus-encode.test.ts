import { marshallMessage } from 'dbus-next/lib/marshall-compat.js'
import { Message } from 'dbus-next/lib/message-type.js'
import t from 'tap'
import { Variant } from '../../src/host/bus.ts'
import { encode, type Outgoing } from '../../src/host/bus-encode.ts'
import { fc } from '../draws.ts'

interface Typed {
  signature: string
  value: unknown
}
const typed = (signature: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<Typed> =>
  values.map(value => ({ signature, value }))
const text = fc.string({ unit: 'binary' }).map(s => s.replaceAll('\0', ''))
const basic = fc.oneof(
  typed('y', fc.nat(255)),
  typed('b', fc.boolean()),
  typed('n', fc.integer({ min: -32767, max: 32767 })),
  typed('q', fc.nat(65535)),
  typed('i', fc.integer({ min: -2147483647 })),
  typed('u', fc.integer({ min: 0, max: 4294967295 })),
  typed('x', fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n })),
  typed('t', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  typed('d', fc.double({ noNaN: true, noDefaultInfinity: true })),
  typed('s', text),
  typed('o', fc.constantFrom('/', '/a', '/org/coterie/Coterie1/peer/co1x_9')),
  typed('g', fc.constantFrom('', 's', 'a{sv}', '(ii)')),
  typed(
    'ay',
    fc.uint8Array().map(bytes => Buffer.from(bytes))
  )
)
const any = fc.letrec<{ any: Typed }>(tie => {
  const inner = tie('any')
  return {
    any: fc.oneof(
      { maxDepth: 4 },
      basic,
      fc
        .tuple(inner, fc.nat(3))
        .map(([one, n]) => ({ signature: `a${one.signature}`, value: Array(n).fill(one.value) }))
        .filter(array => array.signature !== 'ay'),
      fc.array(inner, { minLength: 1, maxLength: 3 }).map(all => ({
        signature: `(${all.map(one => one.signature).join('')})`,
        value: all.map(one => one.value)
      })),
      inner.map(one => ({ signature: 'v', value: new Variant(one.signature, one.value) })),
      fc.dictionary(text, inner, { maxKeys: 3 }).map(all => ({
        signature: 'a{sv}',
        value: Object.fromEntries(
          Object.entries(all).map(([key, one]) => [`k${key}`, new Variant(one.signature, one.value)])
        )
      }))
    )
  }
}).any

t.test('the same bytes as dbus-next', async t => {
  fc.assert(
    fc.property(fc.array(any, { maxLength: 4 }), all => {
      const signature = all.map(one => one.signature).join('')
      const message: Outgoing = {
        type: 1,
        flags: 2,
        path: '/org/coterie/Coterie1',
        interface: 'org.coterie.Coterie1',
        member: 'Status',
        destination: ':1.7',
        signature,
        body: all.map(one => one.value)
      }
      const [wanted] = marshallMessage(new Message({ ...message, serial: 258 }))
      t.equal(encode(message, 258).toString('hex'), wanted.toString('hex'), signature)
    }),
    { numRuns: 300 }
  )
  const error: Outgoing = {
    type: 3,
    flags: 1,
    errorName: 'a.b.C',
    replySerial: 4294967295,
    destination: 'a.b'
  }
  const [wanted] = marshallMessage(new Message({ ...error, serial: 1 }))
  t.same(encode(error, 1), wanted)
})

t.test('what cannot be said is refused', async t => {
  const signal: Outgoing = { type: 4, path: '/a', interface: 'a.b', member: 'C' }
  const deep = `${'a'.repeat(40)}{sv}`
  const bodies: [string, unknown[]][] = [
    ['u', [-1]],
    ['u', [1.5]],
    ['u', [4294967296]],
    ['u', ['1']],
    ['y', [256]],
    ['t', [-1n]],
    ['t', [2n ** 64n]],
    ['t', [1.5]],
    ['b', [1]],
    ['d', ['1']],
    ['s', [undefined]],
    ['s', ['a\0b']],
    ['o', ['no/path']],
    ['o', ['/ends/']],
    ['as', ['text']],
    ['a{sv}', [[]]],
    ['a{sv}', [{ A: 1 }]],
    ['v', ['text']],
    ['v', [new Variant('ss', 'a')]],
    ['v', [new Variant('', 'a')]],
    ['(ss)', [['a']]],
    ['(ss)', [['a', 'b', 'c']]],
    ['ss', ['a']],
    ['s', ['a', 'b']],
    ['a', [[]]],
    ['(s', [['a']]],
    ['h', [0]],
    [deep, [null]]
  ]
  for (const [signature, body] of bodies)
    t.throws(() => encode({ ...signal, signature, body }, 1), `${signature} ${typeof body[0]}`)
  const names: Partial<Outgoing>[] = [
    { path: 'a' },
    { path: '/a-b' },
    { interface: 'a' },
    { interface: 'a..b' },
    { interface: `a.${'b'.repeat(255)}` },
    { member: 'a.b' },
    { member: '1a' },
    { errorName: 'a b.c' },
    { destination: ':1' },
    { destination: 'x' }
  ]
  for (const name of names) t.throws(() => encode({ ...signal, ...name }, 1), JSON.stringify(name))
  t.ok(encode(signal, 1).length > 0)
})
