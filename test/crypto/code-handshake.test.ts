import t from 'tap'
import { agreeOnCode, CodeNoise } from '../../src/crypto/code-handshake.ts'
import { x25519 } from '../../src/crypto/provider.ts'
import { frozen, hexOf } from '../frozen.ts'
import { bytes, fill, run } from './code-bytes.ts'

t.test('the same code: the same tags, psk and session', async t => {
  const [joiner, inviter] = [run('k7qf 2m9x', 1), run('K7QF-2M9X', 2)]
  const a = agreeOnCode(joiner, inviter.share, 'joiner')!
  const b = agreeOnCode(inviter, joiner.share, 'inviter')!
  t.same(a, b)
  t.notSame(a.tagA, a.tagB)
  const [from, to] = [new CodeNoise(a, 'joiner'), new CodeNoise(b, 'inviter')]
  const first = from.write(Buffer.from('hello'), x25519(fill(3)))
  t.equal(Buffer.from(to.read(first)!).toString(), 'hello')
  const second = to.write(Buffer.from('welcome'), x25519(fill(4)))
  t.equal(Buffer.from(from.read(second)!).toString(), 'welcome')
  t.same(from.keys.hash, to.keys.hash)
  t.same(from.keys.send, to.keys.receive)
  t.same(from.keys.receive, to.keys.send)
  t.same(from.keys.probeSend, to.keys.probeReceive)
})

t.test('the bytes are those that were frozen', async t => {
  for (const [name, made] of Object.entries(bytes())) t.equal(hexOf(made), frozen('code')[name], name)
})

t.test('another code, or another run: nothing is equal', async t => {
  const joiner = run('K7QF-2M9X', 1)
  const right = agreeOnCode(joiner, run('K7QF-2M9X', 2).share, 'joiner')!
  for (const other of [run('K7QF-2M9Y', 2), run('K7QF-2M9X', 2, fill(8))]) {
    const wrong = agreeOnCode(other, joiner.share, 'inviter')!
    for (const name of ['tagA', 'tagB', 'psk'] as const) t.notSame(wrong[name], right[name], name)
  }
})

t.test('a point that is none, the neutral one, or our own sent back, ends the run', async t => {
  const joiner = run('K7QF-2M9X', 1)
  for (const other of [fill(0), fill(0xff), joiner.share, fill(2, 31)])
    t.equal(agreeOnCode(joiner, other, 'joiner'), undefined)
})

t.test('NNpsk0: no byte may change, keys of small order end it', async t => {
  const agreed = agreeOnCode(run('K7QF-2M9X', 1), run('K7QF-2M9X', 2).share, 'joiner')!
  const message = new CodeNoise(agreed, 'joiner').write(fill(7, 64), x25519(fill(3)))
  for (let at = 0; at < message.length; at++) {
    const changed = message.slice()
    changed[at]! ^= 1
    if (new CodeNoise(agreed, 'inviter').read(changed)) t.fail(`byte ${at}`)
    if (new CodeNoise(agreed, 'inviter').read(message.slice(0, at))) t.fail(`${at} bytes`)
  }
  const joiner = new CodeNoise(agreed, 'joiner')
  joiner.write(fill(7, 64), x25519(fill(3)))
  t.equal(joiner.read(Buffer.concat([fill(0), fill(1, 80)])), undefined)
})
