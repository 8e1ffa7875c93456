/** The methods of the API that are about messages and handlers. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type HandlerFileRecord, type Implementation } from '../../api/api.ts'
import type { Sent, SentState } from '../../messages/outbox.ts'
import { tagProblem } from '../../messages/tag.ts'
import { MAX_PAYLOAD } from '../../wire/message.ts'
import type { Circle } from '../circle/circle.ts'
import type { Daemon } from '../daemon.ts'
import { messageRecord } from './message-signals.ts'
import { verdictOn } from './rules.ts'

const WEEK_MS = 7 * 86_400_000
const YEAR_USEC = 366 * 86_400_000_000
const RECEIVERS_AT_MOST = 256
/** Past each of these, in this order. */
const STATES: readonly SentState[] = ['held', 'received', 'later', 'started', 'done', 'dead']

type MessageMethods = Pick<
  Implementation,
  'Send' | 'WaitMessage' | 'Outbox' | 'CancelMessage' | 'RetryMessage' | 'Handlers' | 'TryHandler'
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
      const payload = payloadOf(Body, BodyBase64)
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
      const sent = await Promise.all(
        peers.map(peer => circle.correspondence.messages.accept({ ...wish, peer }))
      )
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
          throw new ApiError(
            'Timeout',
            `it is ${circle.correspondence.messages.find(Id)?.state ?? 'gone'} still`
          )
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
      if (sent.state === 'dead') circle.correspondence.messages.drop(Id)
      else if (!circle.correspondence.messages.cancel(Id))
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

    Handlers: async () => {
      const { handlers, strays } = daemon.handlers.lookup
      const none = { Tag: '', Peers: [], Events: [], Retry: false }
      const files: HandlerFileRecord[] = [
        ...handlers.map(({ folder, path, problem, naming }) => ({
          Path: join(folder, path),
          Family: naming.family,
          Tag: naming.tag,
          Peers: [...naming.peers],
          Events: [...naming.events],
          Retry: naming.retry,
          Problem: problem
        })),
        ...strays.map(({ file, why }) => ({
          ...none,
          Path: join(file.folder, file.path),
          Family: '',
          Problem: why
        }))
      ]
      return { Folders: [...daemon.handlers.folders], Handlers: files }
    },

    TryHandler: async ({ Circle, Peer, Tag }) => {
      const circle = daemon.circles.find(Circle)
      checkTag('TryHandler.Tag', Tag)
      const peer = circle.member(Peer)
      const sender = circle.correspondence.sender(peer)
      if (sender === undefined) return { Handler: '', Problem: 'its time as a guest is over', Others: [] }
      const { allowed, rule } = verdictOn(daemon.config.allow, sender, Tag)
      const { handler, shadowed, unsafe } = daemon.handlers.found(sender, Tag)
      const refused =
        rule === undefined
          ? `${sender.name} is no member but a guest or a relay, and no [[allow]] rule lets it send ${Tag}`
          : `${sender.name} may send only what its [[allow]] rules name, and ${Tag} is not among that`
      const [first] = unsafe
      const problem = !allowed
        ? refused
        : handler !== undefined
          ? ''
          : first !== undefined
            ? `${join(first.folder, first.path)} does not run: ${first.problem}`
            : `there is no handler message/${Tag} in ${daemon.handlers.folders.join(' or ')}`
      return {
        Handler: allowed && handler !== undefined ? join(handler.folder, handler.path) : '',
        Problem: problem,
        Others: shadowed.map(({ folder, path }) => join(folder, path))
      }
    }
  }
}

function checkTag(where: string, tag: string): void {
  const problem = tagProblem(tag)
  if (problem !== '') throw new ApiError('InvalidValue', `${where}: ${problem}`)
}

function payloadOf(text: string, base64: string): Uint8Array {
  if (text !== '' && base64 !== '') throw new ApiError('InvalidValue', 'Send takes either Body or BodyBase64')
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
