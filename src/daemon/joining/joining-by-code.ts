/**
 * Joining by a code, from the side of the device that joins: it finds the inviter, asks to be let in, waits
 * for a person there to say so, and takes the circle in. An inviter that is lost meanwhile may have added it:
 * it is looked for again, as a member and with the code.
 */
import { ApiError } from '../../api/api.ts'
import { peerId } from '../../crypto/identity.ts'
import { JoinCodeError, readJoinCode } from '../../crypto/join-code.ts'
import { PORT } from '../../net/listeners.ts'
import { addressOf, formatAddress, parseAddress } from '../../wire/address.ts'
import { CloseReason } from '../../wire/frame.ts'
import type { Offer, Verdict } from '../../wire/joining.ts'
import type { Session } from '../sessions/session.ts'
import { CodeFinding, type Found, pause, type Search } from './code-finding.ts'
import { firstAnswer } from './first-answer.ts'
import { checkName } from './founding.ts'
import { type EarlyFrame, type Joined, type Joining, keysOf, type Own, receive } from './joining.ts'

/** How long, and how often, an inviter that was lost after it was asked is looked for. */
const AGAIN_MS = 30_000
const AGAIN_AT_MOST = 5
const PAUSE_MS = 1_000

export interface CodeJoining extends Joining {
  /** Addresses of the inviter, as a person writes them; empty: it is searched for. */
  readonly at: readonly string[]
  readonly search: Search
}

/** A session with the inviter, of which this device is a member now. */
interface Entered {
  readonly session: Session
  readonly early?: readonly EarlyFrame[]
}

/** Rejects ApiError; nothing of the circle has been stored then. */
export async function joinByCode(text: string, device: string, joining: CodeJoining): Promise<Joined> {
  const prs = readCode(text)
  checkName('Device', device)
  const at = joining.at.map(readAddress)
  // the group that CPace computes in: 40 ms and 10 MB, for this moment only
  const code = { prs, handshake: await import('../../crypto/code-handshake.ts') }
  return new ByCode(device, new CodeFinding({ ...joining, code, at }), joining).join()
}

class ByCode {
  readonly #device: string
  readonly #finding: CodeFinding
  readonly #joining: CodeJoining
  #offer!: Offer
  #own!: Own

  constructor(device: string, finding: CodeFinding, joining: CodeJoining) {
    this.#device = device
    this.#finding = finding
    this.#joining = joining
  }

  async join(): Promise<Joined> {
    const { call } = this.#joining
    let reached: Found | Entered = await this.#finding.find()
    for (let losses = 0; losses < AGAIN_AT_MOST; losses++) {
      const entered: Entered | undefined = 'asking' in reached ? await this.#ask(reached) : reached
      const joined = entered && (await this.#receive(entered))
      if (joined !== undefined) return joined
      call.signal.throwIfAborted()
      reached = await this.#again()
    }
    throw lost(this.#offer)
  }

  /** undefined: the inviter was lost. */
  async #ask({ asking, address }: Found): Promise<Entered | undefined> {
    const { around, call, check, secrets } = this.#joining
    const { offer, session } = asking
    const { gid } = offer
    this.#offer = offer
    try {
      check(gid)
      for (let anew = false; ; anew = true) {
        const own = await secrets(gid, anew)
        this.#own = { gid, of: gid, secrets: own, keys: keysOf(own, gid, this.#device, around), address }
        call.progress(
          `found ${JSON.stringify(offer.device)} with the circle ${JSON.stringify(offer.circle)}; somebody has to say yes there`
        )
        const verdict = await asking.ask(this.#own.keys, call.signal)
        call.signal.throwIfAborted()
        if (verdict === 'lost') return undefined
        if (verdict === 'ok') return { session, early: asking.early }
        // keys of an earlier join, which were removed from the circle meanwhile
        if (verdict !== 'removed' || anew) throw refusal(verdict, offer)
      }
    } catch (error) {
      asking.close()
      throw error
    }
  }

  async #receive({ session, early }: Entered): Promise<Joined | undefined> {
    this.#joining.call.progress('let in; receiving the circle')
    try {
      return await receive(this.#own, session, this.#joining, early)
    } catch (error) {
      session.close(CloseReason.Done)
      if (error instanceof ApiError && error.code === 'Unreachable') return undefined
      throw error
    }
  }

  async #again(): Promise<Found | Entered> {
    const { around, call } = this.#joining
    const until = around.now() + AGAIN_MS
    call.progress('lost the inviting device; looking for it again')
    while (around.now() < until && !call.signal.aborted) {
      const reached = await this.#reach()
      if (reached !== undefined) return reached
      await pause(around, PAUSE_MS, call.signal)
    }
    call.signal.throwIfAborted()
    throw lost(this.#offer)
  }

  /** As a member, which it may be by now, and with the code at once: whichever is answered. */
  async #reach(): Promise<Found | Entered | undefined> {
    const { around, call } = this.#joining
    const { address, gid, keys } = this.#own
    const either = new AbortController()
    const signal = AbortSignal.any([call.signal, either.signal])
    const { bootId } = keys
    const circle = {
      gid,
      staticTowards: () => keys.static,
      bootId,
      logHead: new Uint8Array(32),
      introduction: () => []
    }
    const inviter = { id: peerId(this.#offer.key), staticKey: this.#offer.staticKey }
    const asMember = firstAnswer([address], around, signal, async link => ({
      session: await around.gate.dial(link, circle, inviter)
    })).then(found)
    const withCode = this.#finding.tryAt([address], signal).then(found)
    const first = await Promise.any([asMember, withCode]).catch(() => undefined)
    either.abort()
    asMember
      .then(({ session }) => session !== (first as Entered)?.session && session.destroy())
      .catch(() => {})
    withCode.then(({ asking }) => asking !== (first as Found)?.asking && asking.close()).catch(() => {})
    return first
  }
}

function found<T extends object>(answer: T | 'wrong' | undefined): T {
  if (answer === undefined || answer === 'wrong') throw new Error('no answer')
  return answer
}

function readCode(text: string): Uint8Array {
  try {
    return readJoinCode(text)
  } catch (error) {
    if (error instanceof JoinCodeError) throw new ApiError('InvalidValue', error.message)
    throw error
  }
}

/** An URI, an address with a port, or a bare one. */
function readAddress(text: string): string {
  const address = parseAddress(text) ?? parseAddress(`tcp://${text}`) ?? addressOf(text, PORT)
  if (address !== undefined) return formatAddress(address)
  throw new ApiError(
    'InvalidValue',
    `${JSON.stringify(text)} is no address: that is 192.168.1.5, 192.168.1.5:${PORT} or tcp://[2001:db8::1]:${PORT}`
  )
}

function refusal(verdict: Verdict, { device }: Offer): ApiError {
  const name = JSON.stringify(device)
  switch (verdict) {
    case 'declined':
      return new ApiError('Declined', `somebody said no on ${name}; this device was not let in`)
    case 'expired':
      return new ApiError('CodeEnded', `nobody said yes on ${name} before the code ended; ask for a new one`)
    case 'used':
      return new ApiError(
        'CodeEnded',
        `another device is joining with this code on ${name}; ask for a new one`
      )
    default:
      return new ApiError('NotAllowed', `${name} could not let this device in; its log says why`)
  }
}

const lost = ({ device }: Offer): ApiError =>
  new ApiError(
    'Unreachable',
    `${JSON.stringify(device)} went away after it was asked; look whether it shows this device, and if not, join again`
  )
