/**
 * The handshake of joining by a code (PROTOCOL 3): CPace makes a long secret of the short one, each side shows
 * the other that it has it, and NNpsk0 makes a session of it.
 *
 *   sid       sid_a 16 | sid_b 16
 *   CPace     CI = lv_cat("coterie/1 pair"), empty ADs; tags and ISK as in cpace.ts
 *   psk       HKDF-SHA-256(ISK, salt sid, info "coterie/1 pair psk", 32)
 *   prologue  "coterie/1 pair\0" | sid | SHA-256(lv_cat(Ya, "", Yb, ""))
 *
 * Without state of its own; randomness is passed in. Messages: wire/joining.ts.
 */
import { Writer } from '../wire/bytes.ts'
import {
  confirmation,
  generator,
  lvCat,
  multiply,
  type Share,
  scalar,
  sharedKey,
  transcript
} from './cpace.ts'
import { type SessionKeys, sessionKeys } from './handshake.ts'
import { NNpsk0, NoiseHandshake } from './noise.ts'
import { bytesOf, type ExchangeKey, equal, hash, hkdf } from './provider.ts'

export { SECRET_BYTES } from './cpace.ts'

const channel = lvCat(bytesOf('coterie/1 pair'))
const pskDomain = bytesOf('coterie/1 pair psk')
const prologueDomain = bytesOf('coterie/1 pair\0')

/** One side of one run. */
export interface CodeRun {
  readonly sid: Uint8Array
  readonly secret: Uint8Array
  /** Y, to be sent. */
  readonly share: Uint8Array
}

/** What both have when the code was the same. */
export interface Agreed {
  /** Ta and Tb: the joiner's is checked before the inviter's is sent. */
  readonly tagA: Uint8Array
  readonly tagB: Uint8Array
  readonly psk: Uint8Array
  readonly prologue: Uint8Array
}

/** `prs`: readJoinCode; `random`: SECRET_BYTES fresh ones. */
export function beginCodeRun(prs: Uint8Array, sid: Uint8Array, random: Uint8Array): CodeRun {
  const secret = scalar(random)
  return { sid, secret, share: multiply(secret, generator({ secret: prs, channel, sid }))! }
}

/** undefined, and the run is over, when the other's Y is no point, the neutral element, or our own. */
export function agreeOnCode(run: CodeRun, other: Uint8Array, role: 'joiner' | 'inviter'): Agreed | undefined {
  const { sid, share } = run
  const k = equal(share, other) ? undefined : multiply(run.secret, other)
  if (k === undefined) return undefined
  const a: Share = { y: role === 'joiner' ? share : other }
  const b: Share = { y: role === 'joiner' ? other : share }
  const isk = sharedKey(sid, k, a, b)
  return {
    tagA: confirmation(sid, isk, a),
    tagB: confirmation(sid, isk, b),
    psk: hkdf(isk, sid, pskDomain, 32),
    prologue: new Writer()
      .bytes(prologueDomain)
      .bytes(sid)
      .bytes(hash(transcript(a, b)))
      .take()
  }
}

/** NNpsk0 with what was agreed: each side writes one message and reads one. */
export class CodeNoise {
  readonly #noise: NoiseHandshake
  readonly #joiner: boolean

  constructor({ psk, prologue }: Agreed, role: 'joiner' | 'inviter') {
    this.#joiner = role === 'joiner'
    this.#noise = new NoiseHandshake({ pattern: NNpsk0, initiator: this.#joiner, prologue, psks: [psk] })
  }

  /** `ephemeral` is fresh, for this message only. */
  write(payload: Uint8Array, ephemeral: ExchangeKey): Uint8Array {
    return this.#noise.write(payload, ephemeral)
  }

  /** undefined when it is not authentic. */
  read(message: Uint8Array): Uint8Array | undefined {
    try {
      return this.#noise.read(message)
    } catch {
      return undefined // a key of small order
    }
  }

  /** When both messages are through. */
  get keys(): SessionKeys {
    return sessionKeys(this.#noise, this.#joiner)
  }
}
