/** A run of joining by code with fixed keys, whose bytes are frozen. */
import {
  agreeOnCode,
  beginCodeRun,
  CodeNoise,
  type CodeRun,
  SECRET_BYTES
} from '../../src/crypto/code-handshake.ts'
import { readJoinCode } from '../../src/crypto/join-code.ts'
import { x25519 } from '../../src/crypto/provider.ts'

export const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const SID = fill(9)

export const run = (code: string, byte: number, sid = SID): CodeRun =>
  beginCodeRun(readJoinCode(code), sid, fill(byte, SECRET_BYTES))

export function bytes(): { [name: string]: Uint8Array } {
  const [joiner, inviter] = [run('K7QF-2M9X', 1), run('K7QF-2M9X', 2)]
  const agreed = agreeOnCode(joiner, inviter.share, 'joiner')!
  const [a, b] = [new CodeNoise(agreed, 'joiner'), new CodeNoise(agreed, 'inviter')]
  const first = a.write(fill(5, 64), x25519(fill(3)))
  b.read(first)
  const second = b.write(fill(6, 256), x25519(fill(4)))
  a.read(second)
  return {
    'share of the joiner': joiner.share,
    'share of the inviter': inviter.share,
    'tag of the joiner': agreed.tagA,
    'tag of the inviter': agreed.tagB,
    psk: agreed.psk,
    prologue: agreed.prologue,
    'noise of the joiner': first,
    'noise of the inviter': second,
    send: a.keys.send,
    receive: a.keys.receive,
    hash: a.keys.hash
  }
}
