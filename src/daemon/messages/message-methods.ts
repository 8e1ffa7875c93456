/** The methods of the API that are about messages. */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Implementation } from '../../api/api.ts'
import type { Sent, SentState } from '../../messages/outbox.ts'
import { tagProblem } from '../../messages/tag.ts'
import { MAX_PAYLOAD } from '../../wire/message.ts'
import type { Circle } from '../circle/circle.ts'
import type { Daemon } from '../daemon.ts'
import { messageRecord } from './message-signals.ts'

const WEEK_MS = 7 * 86_400_000
const YEAR_USEC = 366 * 86_400_000_000
const RECEIVERS_AT_MOST = 256
/** Past each of these, in this order. */
const STATES: readonly SentState[] = ['held', 'received', 'later', 'started', 'done', 'dead']

type MessageMethods = Pick<
  Implementation,
  'Send' | 'WaitMessage' | 'Outbox' | 'CancelMessage' | 'RetryMessage' | 'ClearOutbox'
>

export function messageMethods(daemon: Daemon): MessageMethods {
  const found = (name: string, id: string): { circle: Circle; sent: Sent } => {
    const circle = daemon.circles.find(name)
    const sent = circle.correspondence.messages.find(id)
    if (sent === undefined)
      throw new ApiError(
        'NoSuchMessage',
        `no message ${JSON.stringify(id)} is in the outbox; \`coterie outbox\` lists them`
      )
    return { circle, sent }
  }

  return {
    Send: async ({ Circle, Peers, All, Tag, Body, BodyBase64, Ask, ExpiresInUSec }) => {
      const circle = daemon.circles.find(Circle)
      checkTag('Send.Tag', Tag)
      const payload = bodyOf(Body, BodyBase64)
      if (All === Peers.length > 0) throw new ApiError('InvalidValue', 'Send takes either Peers or All')
      const everybody = All
        ? circle
            .devices()
            .filter(({ Self }) => !Self)
            .map(({ Id }) => Id)
        : Peers
      const peers = [...new Set(everybody.map(peer => circle.member(peer)))]
      if (peers.includes(circle.self)) throw new ApiError('InvalidValue', 'this is the device you are on')
      if (peers.length > RECEIVERS_AT_MOST)
        throw new ApiError('InvalidValue', `Send.Peers: at most ${RECEIVERS_AT_MOST} at a time`)
      const ttlMs = lifetime(ExpiresInUSec)
      const wish = { tag: Tag, ask: Ask, payload, ttlMs }
      const sent = await Promise.all(peers.map(peer => circle.correspondence.send({ ...wish, peer })))
      return { Messages: sent.map(each => messageRecord(circle.correspondence, each)) }
    },

    WaitMessage: async ({ Circle, Id, State, TimeoutUSec }, call) => {
      const { circle, sent } = found(Circle, Id)
      const wanted = STATES.indexOf((State || 'done') as SentState)
      if (wanted < 0) throw new ApiError('InvalidValue', 'WaitMessage.State: held, received, started or done')
      const enough = ({ state }: Sent) => STATES.indexOf(state) >= wanted
      const stop = new AbortController()
      const signal = AbortSignal.any([call.signal, stop.signal])
      const limit =
        TimeoutUSec === 0 ? new Promise<never>(() => {}) : delay(TimeoutUSec / 1000, undefined, { signal })
      try {
        const settled = await Promise.race([
          circle.correspondence.messages.until(sent, enough, signal),
          limit
        ])
        if (settled === undefined)
          throw new ApiError('Timeout', standing(circle, circle.correspondence.messages.find(Id)))
        return { Message: messageRecord(circle.correspondence, settled) }
      } finally {
        stop.abort()
      }
    },

    Outbox: async ({ Circle, All }) => {
      const circle = daemon.circles.find(Circle)
      const sent = circle.correspondence.messages.sent.filter(({ state }) => All || state !== 'done')
      const { copies, bytes } = circle.correspondence.messages.load
      return {
        Messages: sent.map(each => messageRecord(circle.correspondence, each)),
        KeptCopies: copies,
        KeptBytes: bytes
      }
    },

    CancelMessage: async ({ Circle, Id }) => {
      const { circle, sent } = found(Circle, Id)
      if (sent.state === 'dead') await circle.correspondence.messages.drop(Id)
      else if (!(await circle.correspondence.messages.cancel(Id)))
        throw new ApiError('InvalidValue', `it is ${sent.state} already, and cannot be taken back`)
      return {
        Message: messageRecord(circle.correspondence, circle.correspondence.messages.find(Id) ?? sent)
      }
    },

    RetryMessage: async ({ Circle, Id, ExpiresInUSec }) => {
      const { circle, sent } = found(Circle, Id)
      const again = await circle.correspondence.messages.retry(Id, lifetime(ExpiresInUSec))
      if (again === undefined)
        throw new ApiError('InvalidValue', `it is ${sent.state}; only a dead message can be sent anew`)
      return { Message: messageRecord(circle.correspondence, again) }
    },

    ClearOutbox: async ({ Circle }) => ({
      Dropped: await daemon.circles.find(Circle).correspondence.messages.clear()
    })
  }
}

export function checkTag(where: string, tag: string): void {
  const problem = tagProblem(tag)
  if (problem !== '') throw new ApiError('InvalidValue', `${where}: ${problem}`)
}

export function bodyOf(text: string, base64: string): Uint8Array {
  if (text !== '' && base64 !== '') throw new ApiError('InvalidValue', 'it is either Body or BodyBase64')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0)
    throw new ApiError('InvalidValue', 'BodyBase64 is no base64')
  const payload = new Uint8Array(base64 === '' ? Buffer.from(text) : Buffer.from(base64, 'base64'))
  if (payload.length > MAX_PAYLOAD)
    throw new ApiError(
      'InvalidValue',
      `the body has ${payload.length} bytes; a message carries at most 1 MiB`
    )
  return payload
}

function lifetime(usec: number): number {
  if (usec > YEAR_USEC) throw new ApiError('InvalidValue', 'ExpiresInUSec: a year at most')
  return usec === 0 ? WEEK_MS : Math.ceil(usec / 1000)
}

/** What a message waits for. */
function standing({ correspondence }: Circle, sent: Sent | undefined): string {
  const name = sent === undefined ? '' : correspondence.nameOf(sent.peer)
  const still: { readonly [S in SentState]?: string } = {
    queued: `it waits here for ${name}`,
    held: `another device keeps it for ${name}`,
    received: `${name} has it, and has not begun with it`,
    started: `its handler on ${name} runs still`,
    later: `${name} tries it again later`
  }
  return `not waited for any longer: ${(sent && still[sent.state]) ?? 'it is over'}`
}
