/** An open invitation behind a gate, and joiners at other gates, joined by links in memory. */
import * as realHandshake from '../../src/crypto/code-handshake.ts'
import { SUITES, staticProof } from '../../src/crypto/handshake.ts'
import { readJoinCode } from '../../src/crypto/join-code.ts'
import { bytesOf, hash } from '../../src/crypto/provider.ts'
import type { Offered } from '../../src/daemon/joining/joiner-run.ts'
import {
  type InvitationEvent,
  type JoinAsk,
  OpenInvitation
} from '../../src/daemon/joining/open-invitation.ts'
import type { JoinAnswer, JoinRequest } from '../../src/daemon/sessions/handshake-circle.ts'
import { Kind } from '../../src/wire/frame.ts'
import { decodeVerdict, encodeCodeRequest, type Verdict } from '../../src/wire/joining.ts'
import { Clock } from '../sim/clock.ts'
import { linkPair, type SimLink } from '../sim/link.ts'
import { Device, TestCircle } from './gates.ts'

export const CODE = 'K7QF-2M9X'
export const WRONG = 'K7QF-2M9Y'
export const LIFETIME_MS = 600_000
export type Handshake = typeof realHandshake

/**
 * The real handshake with another group: equal secrets give equal tags, and that is all. It takes no time, so
 * that every byte can be tried.
 */
export const cheapHandshake: Handshake = {
  ...realHandshake,
  beginCodeRun: (prs, sid, random) => ({ sid, secret: prs, share: hash(random) }),
  agreeOnCode: ({ sid, secret, share }, other, role) => {
    if (other[31] === 0xff) return undefined
    const [a, b] = role === 'joiner' ? [share, other] : [other, share]
    const key = hash(secret, sid, a, b)
    const tag = (name: string) => Buffer.concat([hash(key, bytesOf(name)), hash(bytesOf(name), key)])
    return { tagA: tag('a'), tagB: tag('b'), psk: key, prologue: sid }
  }
}

export interface Options {
  readonly handshake?: Handshake
  readonly confirm?: (ask: JoinAsk, signal: AbortSignal) => Promise<boolean>
  readonly welcome?: (request: JoinRequest) => Promise<JoinAnswer>
  readonly clock?: Clock
  /** Of its randomness. */
  readonly seed?: string
}

export class Invited {
  readonly clock: Clock
  readonly events: InvitationEvent[] = []
  readonly circle = new TestCircle('inviter')
  readonly device: Device
  readonly members = new Set<string>()
  readonly removed = new Set<string>()
  readonly invitation: OpenInvitation
  /** How it ended. */
  outcome = ''
  readonly #handshake: Handshake
  #port = 1_024

  constructor(options: Options = {}) {
    const { confirm = async () => true, welcome = async () => ({ result: 'ok' }) } = options
    this.clock = options.clock ?? new Clock()
    this.#handshake = options.handshake ?? realHandshake
    this.device = new Device(this.clock, options.seed ?? 'inviter', this.circle)
    const { gid, bootId, identity, statics } = this.circle
    this.invitation = this.device.invitation = new OpenInvitation({
      circle: {
        gid,
        name: 'our circle',
        device: 'the inviting device',
        bootId,
        key: identity.publicKey,
        staticKey: statics[0]!.publicKey,
        has: id => this.members.has(id),
        owner: staticKey => this.circle.owner(staticKey),
        removed: id => this.removed.has(id),
        welcome: async request => {
          const answer = await welcome(request)
          if (answer.result === 'ok') this.members.add(request.id)
          return answer
        }
      },
      prs: readJoinCode(CODE),
      handshake: this.#handshake,
      level: 10,
      guestForMs: 0,
      lifetimeMs: LIFETIME_MS,
      after: (ms, act) => this.clock.after(ms, act),
      confirm,
      onEvent: event => this.events.push(event)
    })
    this.invitation.ended.then(
      ({ name }) => {
        this.outcome = `joined ${name}`
      },
      error => {
        this.outcome = `${error.code} ${error.message}`
      }
    )
  }

  get types(): string[] {
    return this.events.map(({ type }) => type)
  }

  /** A link to the gate; the near end. */
  link(source = '192.0.2.9', chunk?: (length: number) => number): SimLink {
    const { clock } = this
    const from = `tcp://${source}:${this.#port++}`
    const { dialled, accepted } = linkPair({ clock, delayMs: 5, from, ...(chunk && { chunk }) })
    this.device.gate.accept(accepted)
    return dialled
  }

  /** Tries a code over a link. */
  try(link: SimLink, code = CODE, mayShow = () => true): Promise<Offered> {
    const joiner = new Device(this.clock, `joiner ${this.#port}`)
    return joiner.gate.tryCode(link, { prs: readJoinCode(code), handshake: this.#handshake, mayShow })
  }

  /** As try, in words: offered, or the reason why not. */
  async outcomeOf(trying: Promise<Offered>): Promise<string> {
    let outcome = ''
    const said = trying.then(
      () => 'offered',
      error => `${error.reason}${error.reason === 'wrong' ? ` ${error.triesLeft}` : ''}`
    )
    said.then(word => {
      outcome = word
    })
    for (const until = this.clock.now + 20_000; outcome === '' && this.clock.now < until; )
      await this.clock.settle(this.clock.now + 10)
    return outcome
  }

  /** Asks to be let in; resolves what is said. */
  ask(
    { session, offer }: Offered,
    who: TestCircle,
    change = (body: Uint8Array) => body
  ): Promise<Verdict | string> {
    const { promise, resolve } = Promise.withResolvers<Verdict | string>()
    session.onFrame = (kind, body) => kind === Kind.Join && resolve(decodeVerdict(body) ?? 'garbage')
    session.onClose = reason => resolve(reason)
    session.send(Kind.Join, change(requestOf(who, offer.gid)))
    return promise
  }
}

export function requestOf(who: TestCircle, gid: Uint8Array): Uint8Array {
  const { publicKey: key } = who.identity
  const { publicKey: staticKey } = who.statics[0]!
  const signature = who.identity.sign(staticProof(gid, key, staticKey, 0))
  return encodeCodeRequest({
    bootId: who.bootId,
    key,
    staticKey,
    signature,
    suites: SUITES,
    name: 'the joiner'
  })
}
