import { deepEqual } from 'node:assert/strict'
import t from 'tap'
import { CALL_MAX, DEPTH_MAX, Framing } from '../../src/daemon/surfaces/framing.ts'
import { fc } from '../draws.ts'

const bytes = (text: string) => Buffer.from(text)
const all = (text: string) => {
  const framing = new Framing()
  const messages = framing.push(bytes(text)).map(m => [m.text, m.end])
  return { messages, fault: framing.fault, held: framing.held }
}

t.test('a call ends at the first NUL or LF after its object closes', async t => {
  const table: [string, [string, string][]][] = [
    ['{"a":1}\n', [['{"a":1}', '\n']]],
    ['{"a":1}\0', [['{"a":1}', '\0']]],
    [
      '{}\n{}\0{}\n',
      [
        ['{}', '\n'],
        ['{}', '\0'],
        ['{}', '\n']
      ]
    ],
    ['{\n  "a": [\n1\n]\n}\n', [['{\n  "a": [\n1\n]\n}', '\n']]],
    ['\n\0 \t\r\n{} \r\n', [['{} \r', '\n']]],
    ['{"a":"}\\"{\\\\"}\n', [['{"a":"}\\"{\\\\"}', '\n']]],
    ['{"a":"\\u007d"}\n', [['{"a":"\\u007d"}', '\n']]],
    ['{"grün":"☂"}\0', [['{"grün":"☂"}', '\0']]],
    ['{"a":1}', []],
    ['', []],
    ['\n\n', []]
  ]
  for (const [text, expected] of table) {
    const { messages, fault } = all(text)
    t.same(messages, expected, JSON.stringify(text))
    t.equal(fault, '', 'no fault')
  }
})

t.test('what cannot become a call is refused, after the calls before it', async t => {
  const table: [string, RegExp][] = [
    ['{}\nhello', /is a JSON object/],
    ['{}\n[1]', /is a JSON object/],
    ['{}\n{} {}\n', /something else follows/],
    ['{}\n{"a":\0', /before its object is closed/],
    ['{}\n{"a":"x\n', /not closed on its line/],
    ['{}\n{"a":"x\\\n', /not closed on its line/],
    [`{}\n${'{"a":'.repeat(DEPTH_MAX + 1)}`, /nested at most 32/],
    [`{}\n{"a":${'['.repeat(DEPTH_MAX)}`, /nested at most 32/],
    [`{}\n{"a":"${'x'.repeat(CALL_MAX)}`, /at most 1572864 bytes/],
    [`{}\n{"a":"${'x'.repeat(CALL_MAX)}"}\n`, /at most 1572864 bytes/]
  ]
  for (const [text, expected] of table) {
    const { messages, fault, held } = all(text)
    t.same(messages, [['{}', '\n']], JSON.stringify(text.slice(0, 40)))
    t.match(fault, expected)
    t.equal(held, 0, 'nothing is kept')
  }
  const framing = new Framing()
  t.same(framing.push(Buffer.concat([bytes('{"a":"'), Buffer.from([0xff]), bytes('"}\n')])), [])
  t.match(framing.fault, /UTF-8/)
  t.same(framing.push(bytes('{}\n')), [], 'nothing more is read')
})

t.test('the deepest and the longest call that are allowed', async t => {
  const deep = `${'{"a":'.repeat(DEPTH_MAX)}1${'}'.repeat(DEPTH_MAX)}`
  t.same(all(`${deep}\n`).messages, [[deep, '\n']])
  const long = `{"a":"${'x'.repeat(CALL_MAX - 8)}"}`
  t.equal(long.length, CALL_MAX)
  t.equal(all(`${long}\n`).messages[0]?.[0]?.length, CALL_MAX)
})

t.test('the end of input ends a closed object, and only that', async t => {
  const closed = new Framing()
  closed.push(bytes('{"a":1} '))
  t.same(closed.finish(), { text: '{"a":1} ', end: '\n' })
  t.equal(closed.fault, '')
  const cut = new Framing()
  cut.push(bytes('{"a":1'))
  t.equal(cut.finish(), undefined)
  t.match(cut.fault, /cut short/)
  const empty = new Framing()
  t.equal(empty.finish(), undefined)
  t.equal(empty.fault, '')
})

t.test('many small pieces cost no more memory than one large', async t => {
  const framing = new Framing()
  const text = `{"a":"${'x'.repeat(10_000)}"}`
  for (const byte of bytes(text)) framing.push(Uint8Array.of(byte))
  t.ok(framing.held < 2 * text.length, `${framing.held} bytes are held`)
  t.equal(framing.push(bytes('\n'))[0]?.text, text)
  t.equal(framing.held, 0)
})

t.test('property: the calls do not depend on where the bytes are cut', async t => {
  const space = fc.constantFrom('', ' ', '\r', ' \t')
  const call = fc.record({
    value: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 })),
    indent: fc.constantFrom(0, 2),
    before: fc.constantFrom('', '\n', ' \0\r\n'),
    after: space,
    end: fc.constantFrom('\n' as const, '\0' as const)
  })
  fc.assert(
    fc.property(fc.array(call, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 20 }), (calls, cuts) => {
      const texts = calls.map(c => JSON.stringify(c.value, null, c.indent) + c.after)
      const stream = bytes(calls.map((c, i) => c.before + texts[i] + c.end).join(''))
      const places = [0, ...cuts.map(n => n % (stream.length + 1)).sort((a, b) => a - b), stream.length]
      const framing = new Framing()
      const found = places.slice(1).flatMap((to, i) => framing.push(stream.subarray(places[i], to)))
      deepEqual(
        found,
        calls.map((c, i) => ({ text: texts[i], end: c.end }))
      )
      return framing.fault === '' && framing.held === 0
    }),
    { numRuns: 300 }
  )
  t.pass('held')
})

t.test('property: any bytes at all leave it with bounded memory, or a fault', async t => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom('{', '}', '[', '"', '\\', '\n', '\0', '{}\n').map(text => new Uint8Array(bytes(text)))
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 50 }), pieces => {
      const framing = new Framing()
      for (const p of pieces) framing.push(p)
      return framing.fault ? framing.held === 0 : framing.held <= 8192
    }),
    { numRuns: 500 }
  )
  t.pass('held')
})
