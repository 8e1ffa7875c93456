import t from 'tap'
import { compare, hex, Reader, unhex, Writer } from '../../src/wire/bytes.ts'

t.test('numbers and bytes read back wherever the memory grows', async t => {
  for (let before = 240; before < 270; before++) {
    const bytes = new Writer()
      .bytes(new Uint8Array(before))
      .uint8(0xab)
      .uint16(0xabcd)
      .uint32(0xabcdef01)
      .uint64(Number.MAX_SAFE_INTEGER)
      .bytes(Uint8Array.of(1, 2, 3), 3)
      .take()
    const reader = new Reader(bytes)
    reader.bytes(before)
    t.same([reader.uint8(), reader.uint16(), reader.uint32()], [0xab, 0xabcd, 0xabcdef01])
    t.equal(reader.uint64(), Number.MAX_SAFE_INTEGER)
    t.notOk(reader.ended)
    t.same(reader.bytes(3), Uint8Array.of(1, 2, 3))
    t.ok(reader.ended)
  }
  t.throws(() => new Writer().bytes(new Uint8Array(2), 3), RangeError)
})

t.test('reading past the end gives zeros and never ends well', async t => {
  const reader = new Reader(Uint8Array.of(7))
  t.equal(reader.uint16(), 0)
  t.same(reader.bytes(4), new Uint8Array(4))
  t.equal(reader.rest, 0)
  t.notOk(reader.ended)
  t.ok(Number.isNaN(new Reader(new Uint8Array(8).fill(255)).uint64()))
  t.equal(new Reader(Uint8Array.of(0xff)).text(1), undefined)
})

t.test('order and hexadecimal', async t => {
  t.ok(compare(Uint8Array.of(1, 2), Uint8Array.of(1, 3)) < 0)
  t.ok(compare(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0)
  t.equal(compare(Uint8Array.of(5), Uint8Array.of(5)), 0)
  t.equal(hex(Uint8Array.of(0, 15, 255)), '000fff')
  t.same(unhex('000fff'), Uint8Array.of(0, 15, 255))
})
