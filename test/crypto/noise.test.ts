import t from 'tap'
import type { Aead } from '../../src/crypto/aead.ts'
import { nobleAead } from '../../src/crypto/noble-aead.ts'
import {
  CipherState,
  IK,
  IKpsk1,
  NNpsk0,
  NoiseHandshake,
  type Pattern,
  pattern
} from '../../src/crypto/noise.ts'
import { nodeAead, sodiumAead, x25519 } from '../../src/crypto/provider.ts'
import { missing, vectors } from '../vectors.ts'

interface Vector {
  protocol_name: string
  init_prologue: string
  init_psks?: string[]
  init_static?: string
  init_remote_static?: string
  init_ephemeral?: string
  resp_prologue: string
  resp_psks?: string[]
  resp_static?: string
  resp_remote_static?: string
  resp_ephemeral?: string
  handshake_hash: string
  messages: { payload: string; ciphertext: string }[]
}

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const none = new Uint8Array(0)

/** Noise 7.4, 7.5 and appendix 18.1. */
const fundamental: Record<string, string[]> = {
  N: ['<- s', '-> e es'],
  K: ['-> s', '<- s', '-> e es ss'],
  X: ['<- s', '-> e es s ss'],
  NN: ['-> e', '<- e ee'],
  NK: ['<- s', '-> e es', '<- e ee'],
  NX: ['-> e', '<- e ee s es'],
  KN: ['-> s', '-> e', '<- e ee se'],
  KK: ['-> s', '<- s', '-> e es ss', '<- e ee se'],
  KX: ['-> s', '-> e', '<- e ee se s es'],
  XN: ['-> e', '<- e ee', '-> s se'],
  XK: ['<- s', '-> e es', '<- e ee', '-> s se'],
  XX: ['-> e', '<- e ee s es', '-> s se'],
  IN: ['-> e s', '<- e ee se'],
  IK: ['<- s', '-> e es s ss', '<- e ee se'],
  IX: ['-> e s', '<- e ee se s es'],
  NK1: ['<- s', '-> e', '<- e ee es'],
  NX1: ['-> e', '<- e ee s', '-> es'],
  X1N: ['-> e', '<- e ee', '-> s', '<- se'],
  X1K: ['<- s', '-> e es', '<- e ee', '-> s', '<- se'],
  XK1: ['<- s', '-> e', '<- e ee es', '-> s se'],
  X1K1: ['<- s', '-> e', '<- e ee es', '-> s', '<- se'],
  X1X: ['-> e', '<- e ee s es', '-> s', '<- se'],
  XX1: ['-> e', '<- e ee s', '-> es s se'],
  X1X1: ['-> e', '<- e ee s', '-> es s', '<- se'],
  K1N: ['-> s', '-> e', '<- e ee', '-> se'],
  K1K: ['-> s', '<- s', '-> e es', '<- e ee', '-> se'],
  KK1: ['-> s', '<- s', '-> e', '<- e ee se es'],
  K1K1: ['-> s', '<- s', '-> e', '<- e ee es', '-> se'],
  K1X: ['-> s', '-> e', '<- e ee s es', '-> se'],
  KX1: ['-> s', '-> e', '<- e ee se s', '-> es'],
  K1X1: ['-> s', '-> e', '<- e ee s', '-> se es'],
  I1N: ['-> e s', '<- e ee', '-> se'],
  I1K: ['<- s', '-> e es s', '<- e ee', '-> se'],
  IK1: ['<- s', '-> e s', '<- e ee se es'],
  I1K1: ['<- s', '-> e s', '<- e ee es', '-> se'],
  I1X: ['-> e s', '<- e ee s es', '-> se'],
  IX1: ['-> e s', '<- e ee se s', '-> es'],
  I1X1: ['-> e s', '<- e ee s', '-> se es']
}

function named(name: string): Pattern | undefined {
  const [, base, psk] = name.match(/^([A-Z0-9]+?)(?:psk(\d))?$/) ?? []
  const lines = fundamental[base ?? '']?.slice()
  if (!lines) return undefined
  if (psk !== undefined) {
    const first = lines.findIndex(line => line.startsWith('-> e'))
    const at = first + Math.max(0, Number(psk) - 1)
    lines[at] = psk === '0' ? lines[at]!.replace('-> ', '-> psk ') : `${lines[at]} psk`
  }
  return pattern(name, ...lines)
}

const all = vectors('noise/cacophony-25519-ChaChaPoly.json') as { vectors: Vector[] } | undefined
const sodium = sodiumAead()

for (const aead of [nodeAead, nobleAead, ...(sodium ? [sodium] : [])]) {
  t.test(`${aead.name}: cacophony, all patterns with SHA256`, async t => {
    if (!all) return t.comment(missing)
    let run = 0
    for (const vector of all.vectors) {
      const [, name, , , digest] = vector.protocol_name.split('_')
      if (digest !== 'SHA256') continue
      const found = named(name!)
      if (found) {
        run++
        const wrong = play(vector, found, aead)
        if (wrong) t.fail(`${name}: ${wrong}`)
      } else t.fail(`${name} is not in the table`)
    }
    t.equal(run, 59)
  })
}

function play(vector: Vector, pattern: Pattern, aead: Aead): string | undefined {
  const key = (secret: string | undefined) => (secret ? { s: x25519(hex(secret)) } : {})
  const known = (publicKey: string | undefined) => (publicKey ? { rs: hex(publicKey) } : {})
  // Whoever reads the psk tries two.
  const reader = pattern.name.endsWith('psk2') ? 'initiator' : 'responder'
  const decoy = (reads: boolean) => (reads && pattern.psk ? [new Uint8Array(32)] : [])
  const initiator = new NoiseHandshake({
    pattern,
    initiator: true,
    prologue: hex(vector.init_prologue),
    ...key(vector.init_static),
    ...known(vector.init_remote_static),
    psks: [...decoy(reader === 'initiator'), ...(vector.init_psks ?? []).map(hex)],
    aead
  })
  const responder = new NoiseHandshake({
    pattern,
    initiator: false,
    prologue: hex(vector.resp_prologue),
    ...key(vector.resp_static),
    ...known(vector.resp_remote_static),
    psks: [...decoy(reader === 'responder'), ...(vector.resp_psks ?? []).map(hex)],
    aead
  })
  const count = pattern.messages.length
  for (const [index, message] of vector.messages.slice(0, count).entries()) {
    const [from, to, secret] =
      index % 2 === 0
        ? [initiator, responder, vector.init_ephemeral]
        : [responder, initiator, vector.resp_ephemeral]
    const written = from.write(hex(message.payload), secret ? x25519(hex(secret)) : undefined)
    if (hexOf(written) !== message.ciphertext) return `message ${index}`
    const read = to.read(written)
    if (!read || hexOf(read) !== message.payload) return `payload ${index}`
  }
  if (!initiator.finished || !responder.finished) return 'not finished'
  if (hexOf(initiator.hash) !== vector.handshake_hash) return 'hash'
  if (hexOf(responder.hash) !== vector.handshake_hash) return 'hash of the responder'
  const ends = [initiator.split(), responder.split()]
  const send = ends.map(end => new CipherState(aead, end.send))
  const receive = ends.map(end => new CipherState(aead, end.receive))
  for (const [index, message] of vector.messages.slice(count).entries()) {
    const from = count === 1 ? 0 : (count + index) % 2
    const text = hex(message.payload)
    const out = new Uint8Array(text.length + 16)
    send[from]!.seal(none, text, out)
    if (hexOf(out) !== message.ciphertext) return `transport ${index}`
    const opened = receive[1 - from]!.open(none, out)
    if (!opened || hexOf(opened) !== message.payload) return `transport payload ${index}`
  }
  return undefined
}

t.test('the three patterns of Coterie are those of the specification', async t => {
  t.same(IK, named('IK'))
  t.same(IKpsk1, named('IKpsk1'))
  t.same(NNpsk0, named('NNpsk0'))
})

t.test('a psk that does not fit, a key of small order: no payload', async t => {
  const options = { pattern: NNpsk0, prologue: none }
  const write = new NoiseHandshake({ ...options, initiator: true, psks: [new Uint8Array(32).fill(1)] })
  const message = write.write(none, x25519(new Uint8Array(32).fill(9)))
  t.equal(
    new NoiseHandshake({ ...options, initiator: false, psks: [new Uint8Array(32)] }).read(message),
    undefined
  )
  t.equal(new NoiseHandshake({ ...options, initiator: false }).read(message), undefined)
  const s = x25519(new Uint8Array(32).fill(3))
  const responder = new NoiseHandshake({ pattern: IK, initiator: false, prologue: none, s })
  t.throws(() => responder.read(new Uint8Array(96)))
})

t.test('rekeying changes the key on both sides alike and keeps the counter', async t => {
  const secret = new Uint8Array(32).fill(5)
  const [a, b, stale] = [nodeAead, nobleAead, nodeAead].map(aead => new CipherState(aead, secret))
  const out = new Uint8Array(16)
  for (const state of [a!, b!]) state.rekey()
  a!.counter = b!.counter = stale!.counter = 2 ** 40 + 3
  a!.seal(none, none, out)
  t.equal(stale!.open(none, out), undefined)
  t.ok(b!.open(none, out))
  t.equal(b!.counter, 2 ** 40 + 4)
})
