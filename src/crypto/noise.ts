/**
 * The Noise Protocol Framework, revision 34: 25519, ChaChaPoly, SHA256. Patterns are data in the notation of
 * section 7; a psk token may stand anywhere section 9 allows. Section numbers below are of that document.
 */
import { type Aead, type AeadKey, TAG } from './aead.ts'
import { best, bytesOf, type ExchangeKey, hash, hmac } from './provider.ts'

const none = new Uint8Array(0)
const zeros32 = new Uint8Array(32)
const one = Uint8Array.of(1)
const two = Uint8Array.of(2)
const three = Uint8Array.of(3)

/** 5.1, with the nonce of 12.2: 32 zero bits, then the counter, little-endian. */
export class CipherState {
  /** The nonce of the next record. */
  counter = 0
  readonly #aead: Aead
  #key: AeadKey
  readonly #nonce = new Uint8Array(12)
  readonly #view = new DataView(this.#nonce.buffer)

  constructor(aead: Aead, key: Uint8Array) {
    this.#aead = aead
    this.#key = aead.key(key)
  }

  /** `out` as in AeadKey.seal. */
  seal(aad: Uint8Array, text: Uint8Array, out: Uint8Array): void {
    this.#setNonce()
    this.#key.seal(this.#nonce, aad, text, out)
    this.counter++
  }

  /** `out` as in AeadKey.open. A failure leaves the counter where it was. */
  open(aad: Uint8Array, sealed: Uint8Array, out?: Uint8Array): Uint8Array | undefined {
    this.#setNonce()
    const text = this.#key.open(this.#nonce, aad, sealed, out)
    if (text !== undefined) this.counter++
    return text
  }

  /** 4.2 REKEY: encrypts 32 zeros under the last nonce. The counter goes on. */
  rekey(): void {
    const out = new Uint8Array(32 + TAG)
    this.#nonce.fill(0xff, 4)
    this.#key.seal(this.#nonce, none, zeros32, out)
    this.#key = this.#aead.key(out.subarray(0, 32))
    out.fill(0)
  }

  #setNonce(): void {
    this.#view.setUint32(4, this.counter >>> 0, true)
    this.#view.setUint32(8, Math.floor(this.counter / 0x1_0000_0000), true)
  }
}

/** 5.2 */
class SymmetricState {
  readonly aead: Aead
  chainingKey: Uint8Array
  hash: Uint8Array
  cipher: CipherState | undefined

  constructor(aead: Aead, protocolName: string) {
    this.aead = aead
    const name = bytesOf(protocolName)
    this.hash = name.length <= 32 ? new Uint8Array(32) : hash(name)
    if (name.length <= 32) this.hash.set(name)
    this.chainingKey = this.hash
  }

  mixHash(data: Uint8Array): void {
    this.hash = hash(this.hash, data)
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = expand(this.chainingKey, input)
    this.chainingKey = chainingKey
    this.cipher = new CipherState(this.aead, key)
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, second, key] = expandThree(this.chainingKey, input)
    this.chainingKey = chainingKey
    this.mixHash(second)
    this.cipher = new CipherState(this.aead, key)
  }

  encryptAndHash(text: Uint8Array): Uint8Array {
    let out = text
    if (this.cipher) {
      out = new Uint8Array(text.length + TAG)
      this.cipher.seal(this.hash, text, out)
    }
    this.mixHash(out)
    return out
  }

  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const text = this.cipher ? this.cipher.open(this.hash, sealed) : sealed.slice()
    if (text !== undefined) this.mixHash(sealed)
    return text
  }

  /** What to set back to, while no message has been finished since. */
  copy(): SymmetricState {
    return Object.assign(Object.create(SymmetricState.prototype) as SymmetricState, this)
  }
}

function expand(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const key = hmac(chainingKey, input)
  const first = hmac(key, one)
  return [first, hmac(key, first, two)]
}

function expandThree(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const key = hmac(chainingKey, input)
  const first = hmac(key, one)
  const second = hmac(key, first, two)
  return [first, second, hmac(key, second, three)]
}

type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk'

export interface Pattern {
  readonly name: string
  /** Whose static the other knows beforehand. */
  readonly initiatorKnown: boolean
  readonly responderKnown: boolean
  readonly messages: readonly (readonly Token[])[]
  readonly psk: boolean
}

/** `pattern('IK', '<- s', '-> e es s ss', '<- e ee se')`: the messages after those known beforehand. */
export function pattern(name: string, ...lines: readonly string[]): Pattern {
  const start = lines.findIndex(line => line.startsWith('-> e') || line.startsWith('-> psk'))
  const before = lines.slice(0, start)
  const messages = lines.slice(start).map(line => line.split(' ').slice(1) as Token[])
  return {
    name,
    initiatorKnown: before.includes('-> s'),
    responderKnown: before.includes('<- s'),
    messages,
    psk: messages.some(tokens => tokens.includes('psk'))
  }
}

export const IK = pattern('IK', '<- s', '-> e es s ss', '<- e ee se')
export const IKpsk1 = pattern('IKpsk1', '<- s', '-> e es s ss psk', '<- e ee se')
export const NNpsk0 = pattern('NNpsk0', '-> psk e', '<- e ee')

export interface NoiseOptions {
  readonly pattern: Pattern
  readonly initiator: boolean
  readonly prologue: Uint8Array
  readonly s?: ExchangeKey
  readonly rs?: Uint8Array
  /** A reader may give several: the first that fits the message is used from then on. */
  readonly psks?: readonly Uint8Array[]
  readonly aead?: Aead
}

/** 5.3: one side of one handshake. After a failed read, or a throw (a key of small order), it is of no use. */
export class NoiseHandshake {
  /** The other side's ephemeral and static keys, as far as they are known. */
  re: Uint8Array | undefined
  rs: Uint8Array | undefined
  /** Which of the psks fitted. */
  psk = 0
  readonly #pattern: Pattern
  readonly #initiator: boolean
  readonly #s: ExchangeKey | undefined
  readonly #psks: readonly Uint8Array[]
  #e: ExchangeKey | undefined
  #state: SymmetricState
  #next = 0

  constructor(options: NoiseOptions) {
    const { pattern, initiator, s, rs } = options
    this.#pattern = pattern
    this.#initiator = initiator
    this.#s = s
    this.rs = rs
    this.#psks = options.psks ?? []
    this.#state = new SymmetricState(options.aead ?? best(), `Noise_${pattern.name}_25519_ChaChaPoly_SHA256`)
    this.#state.mixHash(options.prologue)
    if (pattern.initiatorKnown) this.#state.mixHash(initiator ? s!.publicKey : rs!)
    if (pattern.responderKnown) this.#state.mixHash(initiator ? rs! : s!.publicKey)
  }

  get hash(): Uint8Array {
    return this.#state.hash
  }

  /** Secret; for keys derived beside those of split. */
  get chainingKey(): Uint8Array {
    return this.#state.chainingKey
  }

  get finished(): boolean {
    return this.#next === this.#pattern.messages.length
  }

  /** The next message. `e` is a fresh key pair, used by a message that has an e token. */
  write(payload: Uint8Array, e?: ExchangeKey): Uint8Array {
    const parts: Uint8Array[] = []
    const state = this.#state
    for (const token of this.#pattern.messages[this.#next++]!) {
      if (token === 'e') {
        this.#e = e!
        parts.push(e!.publicKey)
        this.#mixEphemeral(e!.publicKey)
      } else if (token === 's') parts.push(state.encryptAndHash(this.#s!.publicKey))
      else if (token === 'psk') state.mixKeyAndHash(this.#psks[this.psk]!)
      else state.mixKey(this.#dh(token))
    }
    parts.push(state.encryptAndHash(payload))
    const message = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      message.set(part, at)
      at += part.length
    }
    return message
  }

  /** The payload of the next message; undefined when it is not authentic. */
  read(message: Uint8Array): Uint8Array | undefined {
    return this.#readFrom(this.#pattern.messages[this.#next++]!, message)
  }

  #readFrom(tokens: readonly Token[], message: Uint8Array): Uint8Array | undefined {
    let rest = message
    for (const [index, token] of tokens.entries()) {
      if (token === 'e') {
        if (rest.length < 32) return undefined
        this.re = rest.slice(0, 32)
        this.#mixEphemeral(this.re)
        rest = rest.subarray(32)
      } else if (token === 's') {
        const length = this.#state.cipher ? 32 + TAG : 32
        if (rest.length < length) return undefined
        this.rs = this.#state.decryptAndHash(rest.subarray(0, length))
        if (this.rs === undefined) return undefined
        rest = rest.subarray(length)
      } else if (token === 'psk') return this.#tryPsks(tokens.slice(index + 1), rest)
      else this.#state.mixKey(this.#dh(token))
    }
    return this.#state.decryptAndHash(rest)
  }

  #tryPsks(tokens: readonly Token[], rest: Uint8Array): Uint8Array | undefined {
    const before = this.#state.copy()
    for (const [index, psk] of this.#psks.entries()) {
      this.#state = before.copy()
      this.#state.mixKeyAndHash(psk)
      const payload = this.#readFrom(tokens, rest)
      if (payload === undefined) continue
      this.psk = index
      return payload
    }
    return undefined
  }

  /** 9.2: with a psk in the pattern, ephemerals also enter the key. */
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#state.mixHash(publicKey)
    if (this.#pattern.psk) this.#state.mixKey(publicKey)
  }

  #dh(token: Exclude<Token, 'e' | 's' | 'psk'>): Uint8Array {
    const [own, other] = this.#initiator ? [token[0], token[1]] : [token[1], token[0]]
    return (own === 'e' ? this.#e! : this.#s!).dh(other === 'e' ? this.re! : this.rs!)
  }

  /** The keys of the two directions, once all messages are through. */
  split(): { send: Uint8Array; receive: Uint8Array } {
    const [first, second] = expand(this.#state.chainingKey, none)
    return this.#initiator ? { send: first, receive: second } : { send: second, receive: first }
  }
}
