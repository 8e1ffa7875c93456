/** Probes between two fixed ends: what the tests play with, and what is frozen. */
import { ProbeCipher } from '../../src/crypto/probe.ts'
import { ProbeType } from '../../src/wire/probe.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

export function probeEnds() {
  const keys = { send: fill(1), receive: fill(2), hash: fill(5) }
  const [one, other] = [fill(3), fill(4)]
  const [index, otherIndex] = [0x01020304, 0xfffefdfc]
  return {
    one: new ProbeCipher({
      ...keys,
      probeSend: one,
      probeReceive: other,
      probeIndexes: { send: index, receive: otherIndex }
    }),
    other: new ProbeCipher({
      ...keys,
      probeSend: other,
      probeReceive: one,
      probeIndexes: { send: otherIndex, receive: index }
    })
  }
}

export function bytes(): { [name: string]: Uint8Array } {
  const { one, other } = probeEnds()
  return {
    probe: one.seal({ type: ProbeType.Probe, number: 1 }),
    'the next': one.seal({ type: ProbeType.PassedProbe, number: 2 ** 53 - 1 }),
    pong: other.seal({ type: ProbeType.Pong, number: 1 })
  }
}
