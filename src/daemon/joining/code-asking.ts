/** From the session that a code has made: the joiner asks to be let in, and waits for a person to say so. */
import { SUITES, staticProof } from '../../crypto/handshake.ts'
import { CloseReason, Kind } from '../../wire/frame.ts'
import { decodeVerdict, encodeCodeRequest, type Offer, type Verdict } from '../../wire/joining.ts'
import type { JoinKeys } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import type { Surroundings } from '../surroundings.ts'
import type { EarlyFrame } from './joining.ts'

/** How often it shows that it still waits, and how long the inviter may be silent. */
const PING_MS = 4_000
const SILENT_MS = 15_000

export class CodeAsking {
  readonly offer: Offer
  readonly session: Session
  readonly #around: Pick<Surroundings, 'after'>
  readonly #early: EarlyFrame[] = []
  #verdict: PromiseWithResolvers<Verdict | 'lost'> | undefined
  #over = false
  #cancelPing = () => {}
  #cancelSilence = () => {}

  /** To be made at once when the session is there. */
  constructor(offer: Offer, session: Session, around: Pick<Surroundings, 'after'>) {
    this.offer = offer
    this.session = session
    this.#around = around
    session.onFrame = (kind, body) => this.#receive(kind, body)
    session.onClose = () => this.#end('lost')
  }

  /** Frames that came behind a good verdict: the circle's. */
  get early(): readonly EarlyFrame[] {
    return this.#early
  }

  /** Never rejects. lost: the session ended, or the inviter is silent. */
  async ask(keys: JoinKeys, signal: AbortSignal): Promise<Verdict | 'lost'> {
    if (this.#over || signal.aborted) return 'lost'
    const { identity, name } = keys
    const { publicKey: staticKey } = keys.static
    const signature = identity.sign(staticProof(this.offer.gid, identity.publicKey, staticKey, 0))
    const request = { key: identity.publicKey, staticKey, signature, suites: SUITES, name }
    this.#verdict = Promise.withResolvers()
    const aborted = () => this.close()
    signal.addEventListener('abort', aborted, { once: true })
    this.session.send(Kind.Join, encodeCodeRequest({ ...request, bootId: keys.bootId }))
    this.#heard()
    this.#ping()
    try {
      return await this.#verdict.promise
    } finally {
      signal.removeEventListener('abort', aborted)
      this.#cancelPing()
      this.#cancelSilence()
    }
  }

  close(): void {
    this.session.close(CloseReason.Done)
    this.#end('lost')
  }

  #receive(kind: number, body: Uint8Array): void {
    if (kind === Kind.Ping) this.session.send(Kind.Pong, body)
    else if (kind !== Kind.Join) this.#early.push({ kind, body })
    else {
      const verdict = decodeVerdict(body)
      if (verdict !== undefined) this.#verdict?.resolve(verdict)
      else this.close()
    }
    this.#heard()
  }

  #ping(): void {
    this.session.send(Kind.Ping, new Uint8Array(8))
    this.#cancelPing = this.#around.after(PING_MS, () => this.#ping())
  }

  #heard(): void {
    this.#cancelSilence()
    if (this.#verdict !== undefined && !this.#over)
      this.#cancelSilence = this.#around.after(SILENT_MS, () => {
        this.session.destroy()
        this.#end('lost')
      })
  }

  #end(verdict: 'lost'): void {
    this.#over = true
    this.#cancelSilence()
    this.#verdict?.resolve(verdict)
  }
}
