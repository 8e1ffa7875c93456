import t from 'tap'
import {
  decodeProbeText,
  encodeProbeText,
  PROBE_LENGTH,
  ProbeType,
  readProbeHeader,
  writeProbeHeader
} from '../../src/wire/probe.ts'
import { decodeWitness, encodeWitness } from '../../src/wire/witness.ts'

const text = (at = 0, byte = 1) => {
  const bytes = encodeProbeText({ type: ProbeType.Probe, number: 1 })
  bytes[at] = byte
  return bytes
}

t.test('the header of a probe, byte by byte', async t => {
  const datagram = new Uint8Array(PROBE_LENGTH)
  writeProbeHeader(datagram, { index: 0xfffefdfc, counter: 0x1_0203_0405_0607 })
  t.equal(Buffer.from(datagram).toString('hex').slice(0, 34), '434f543120fffefdfc0001020304050607')
  t.same(readProbeHeader(datagram), { index: 0xfffefdfc, counter: 0x1_0203_0405_0607 })
  for (const [at, byte] of [
    [0, 0x42],
    [3, 0x32],
    [4, 0x01],
    [9, 0xff]
  ] as const) {
    const other = datagram.slice()
    other[at] = byte
    t.equal(readProbeHeader(other), undefined, `byte ${at}`)
  }
  t.equal(readProbeHeader(datagram.subarray(1)), undefined)
  t.equal(readProbeHeader(new Uint8Array([...datagram, 0])), undefined)
  t.equal(readProbeHeader(new Uint8Array(0)), undefined)
})

t.test('what is sealed: each byte means something or is 0', async t => {
  t.equal(text().length, 16)
  t.same(decodeProbeText(text()), { type: 1, number: 1 })
  const wrong: [number, number][] = [
    [0, 0],
    [0, 5],
    [1, 1],
    [2, 0x20],
    [10, 1],
    [15, 1]
  ]
  for (const [at, byte] of wrong) t.equal(decodeProbeText(text(at, byte)), undefined, `${byte} at ${at}`)
  t.equal(decodeProbeText(text().subarray(1)), undefined)
})

t.test('witness frames', async t => {
  const datagram = new Uint8Array(PROBE_LENGTH).fill(7)
  const ask = { type: 'ask', token: 0xffffffff, target: new Uint8Array(32).fill(3), datagram } as const
  t.equal(encodeWitness(ask).length, 86)
  t.same(decodeWitness(encodeWitness(ask)), ask)
  for (const type of ['pass', 'back'] as const) {
    const frame = { type, token: 9, datagram }
    t.equal(encodeWitness(frame).length, 54)
    t.same(decodeWitness(encodeWitness(frame)), frame)
  }
  t.throws(() => encodeWitness({ ...ask, datagram: new Uint8Array(48) }), RangeError)
  t.throws(() => encodeWitness({ ...ask, target: new Uint8Array(31) }), RangeError)
  for (const wrong of [[], [1], [...encodeWitness(ask), 0], [0, ...encodeWitness(ask).subarray(1)]])
    t.equal(decodeWitness(Uint8Array.from(wrong)), undefined)
})
