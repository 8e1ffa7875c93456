import t from 'tap'
import { bodyLimit, FrameReader, Kind, MORE, paddedLength, writeFrameHeader } from '../../src/wire/frame.ts'

type Piece = readonly [kind: number, flags: number, body: Uint8Array]

function plaintext(pieces: readonly Piece[], padding = 0): Uint8Array {
  const length = pieces.reduce((sum, [, , body]) => sum + 6 + body.length, 2 + padding)
  const bytes = new Uint8Array(length)
  bytes[0] = padding >> 8
  bytes[1] = padding
  let at = 2
  for (const [kind, flags, body] of pieces) {
    writeFrameHeader(bytes, at, kind, flags, body.length)
    bytes.set(body, at + 6)
    at += 6 + body.length
  }
  return bytes
}

function read(...records: Uint8Array[]): { frames: [number, string][]; ok: boolean } {
  const reader = new FrameReader()
  const frames: [number, string][] = []
  const ok = records.every(record =>
    reader.read(record, (kind, body) => {
      frames.push([kind, Buffer.from(body).toString()])
      return true
    })
  )
  return { frames, ok }
}
const bytes = (text: string) => new Uint8Array(Buffer.from(text))

t.test('frames come out in order, padding and unknown kinds do not', async t => {
  const record = plaintext(
    [
      [Kind.Gossip, 0, bytes('one')],
      [Kind.Padding, 0, bytes('nothing')],
      [200, 0, bytes('from the future')],
      [Kind.Message, 0, bytes('')]
    ],
    33
  )
  t.same(read(record), {
    frames: [
      [6, 'one'],
      [7, '']
    ],
    ok: true
  })
  t.same(read(plaintext([], 62)), { frames: [], ok: true })
})

t.test('fragments of different kinds may alternate, over any number of records', async t => {
  const records = [
    plaintext([[Kind.Message, MORE, bytes('a')]]),
    plaintext([
      [Kind.Ping, 0, bytes('12345678')],
      [Kind.Data, MORE, bytes('x')],
      [Kind.Message, MORE, bytes('b')]
    ]),
    plaintext([
      [Kind.Data, 0, bytes('y')],
      [Kind.Message, 0, bytes('c')],
      [Kind.Message, 0, bytes('d')]
    ])
  ]
  t.same(read(...records), {
    frames: [
      [1, '12345678'],
      [9, 'xy'],
      [7, 'abc'],
      [7, 'd']
    ],
    ok: true
  })
})

t.test('what makes no sense is refused, whatever came before it', async t => {
  const wrong: { [what: string]: Uint8Array } = {
    empty: new Uint8Array(0),
    'a byte': Uint8Array.of(0),
    'more padding than there is': Uint8Array.of(0, 1),
    'padding over frames': Uint8Array.of(0, 7, 1, 0, 0, 0, 0, 0),
    'half a header': Uint8Array.of(0, 0, 1, 0, 0),
    'a body too short': Uint8Array.of(0, 0, 7, 0, 0, 0, 0, 2, 1),
    'a body of 4 GiB': Uint8Array.of(0, 0, 7, 0, 255, 255, 255, 255, 1),
    'unknown flags': plaintext([[Kind.Message, 2, bytes('x')]]),
    'a ping too long': plaintext([[Kind.Ping, 0, bytes('123456789')]]),
    'a rekey with a body': plaintext([[Kind.Rekey, 0, bytes('1')]]),
    'a fragment of nothing': plaintext([[Kind.Message, MORE, bytes('')]])
  }
  for (const [what, record] of Object.entries(wrong)) t.notOk(read(record).ok, what)
})

t.test('no kind grows past its limit in fragments', async t => {
  const reader = new FrameReader()
  const part = plaintext([[Kind.Message, MORE, new Uint8Array(65_000)]])
  let taken = 0
  while (reader.read(part, () => true)) taken += 65_000
  t.ok(taken <= bodyLimit(Kind.Message)!)
  t.ok(taken > bodyLimit(Kind.Message)! - 65_000)
  t.notOk(
    read(
      plaintext([[Kind.Gossip, MORE, new Uint8Array(60_000)]]),
      plaintext([[Kind.Gossip, 0, new Uint8Array(6000)]])
    ).ok
  )
})

t.test('any bytes at all are read or refused, without a throw', async t => {
  let seed = 1
  const random = () => (seed = (seed * 48_271) % 2_147_483_647)
  for (let index = 0; index < 20_000; index++) {
    const record = new Uint8Array(random() % 200)
    for (let at = 0; at < record.length; at++) record[at] = random() % 5 === 0 ? random() : random() % 12
    if (record.length > 1 && random() % 2) record[0] = record[1] = 0
    new FrameReader().read(record, () => random() % 50 > 0)
  }
  t.pass()
})

t.test('lengths are padded to five sizes, then not at all', async t => {
  t.same(
    [2, 64, 65, 128, 129, 300, 600, 1024, 1025, 65_519].map(paddedLength),
    [64, 64, 128, 128, 256, 512, 1024, 1024, 1025, 65_519]
  )
})
