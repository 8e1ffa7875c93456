import t from 'tap'
import type { ProbeCipher } from '../../src/crypto/probe.ts'
import { REPLAY_WINDOW, ReplayWindow } from '../../src/crypto/replay-window.ts'
import { PROBE_LENGTH, ProbeType, readProbeHeader } from '../../src/wire/probe.ts'
import { frozen, hexOf } from '../frozen.ts'
import { generator } from '../random.ts'
import { bytes, probeEnds } from './probe-bytes.ts'

const open = (cipher: ProbeCipher, datagram: Uint8Array) => {
  const header = readProbeHeader(datagram)
  return header === undefined ? 'garbage' : cipher.open(header, datagram)
}

t.test('the bytes are those that were frozen', async t => {
  const committed = frozen('probe')
  const now = bytes()
  t.same(Object.keys(now), Object.keys(committed))
  for (const [name, value] of Object.entries(now)) t.equal(hexOf(value), committed[name], name)
})

t.test('what is sealed is opened at the other end only, once, and all are equally long', async t => {
  const { one, other } = probeEnds()
  for (const type of Object.values(ProbeType)) {
    const datagram = one.seal({ type, number: 7 })
    t.equal(datagram.length, PROBE_LENGTH)
    t.equal(readProbeHeader(datagram)?.index, other.index)
    t.equal(open(one, datagram), 'forged', 'sent back to its sender')
    t.same(open(other, datagram), { type, number: 7 })
    t.equal(open(other, datagram), 'replay')
  }
  t.not(
    hexOf(one.seal({ type: 1, number: 7 })),
    hexOf(one.seal({ type: 1, number: 7 })),
    'each has its counter'
  )
})

t.test('one flipped bit, anywhere, and it is not opened; the right one is opened after it', async t => {
  const { one, other } = probeEnds()
  for (let at = 0; at < PROBE_LENGTH; at++)
    for (const bit of [1, 0x80]) {
      const datagram = one.seal({ type: ProbeType.Probe, number: 7 })
      const changed = datagram.slice()
      changed[at]! ^= bit
      const outcome = open(other, changed)
      if (!['garbage', 'forged', 'replay'].includes(outcome as string)) t.fail(`byte ${at}, bit ${bit}`)
      if (open(other, datagram) === 'replay') t.fail(`byte ${at}: the window took what was not authentic`)
    }
  t.equal(open(other, one.seal({ type: ProbeType.Probe, number: 1 }).subarray(0, -1)), 'garbage')
  t.equal(open(other, new Uint8Array(PROBE_LENGTH + 1)), 'garbage')
})

t.test('authentic but senseless text is no probe', async t => {
  const { one, other } = probeEnds()
  for (const [type, number] of [
    [0, 1],
    [5, 1],
    [255, 1]
  ] as const)
    t.equal(open(other, one.seal({ type: type as ProbeType, number })), 'forged')
})

t.test('counters: each once, late ones within the window, in any order', async t => {
  const window = new ReplayWindow()
  const take = (counter: number) => {
    const fresh = window.fresh(counter)
    if (fresh) window.take(counter)
    return fresh
  }
  t.ok(take(0))
  t.notOk(take(0))
  t.ok(take(100))
  t.notOk(take(100 - REPLAY_WINDOW), 'just behind the window')
  t.ok(take(101 - REPLAY_WINDOW), 'its last place')
  t.notOk(take(101 - REPLAY_WINDOW))
  t.ok(take(2 ** 53 - 1))
  t.notOk(take(101))
  t.ok(take(2 ** 53 - 2))

  // against the simplest that is right
  const random = generator(7)
  const subject = new ReplayWindow()
  const seen = new Set<number>()
  let greatest = -1
  for (let i = 0; i < 20_000; i++) {
    const counter = Math.max(0, greatest - 70 + Math.floor(random() * 75))
    const expected = !seen.has(counter) && counter > greatest - REPLAY_WINDOW
    if (subject.fresh(counter) !== expected) return t.fail(`counter ${counter} after ${greatest}`)
    if (!expected) continue
    subject.take(counter)
    seen.add(counter)
    greatest = Math.max(greatest, counter)
  }
  t.ok(greatest > 1000)
})
