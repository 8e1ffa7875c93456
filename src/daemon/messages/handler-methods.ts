/** The methods of the API that are about handlers and rules. */
import { join } from 'node:path'
import { ApiError, type HandlerFileRecord, type Implementation } from '../../api/api.ts'
import { randomBytes } from '../../crypto/provider.ts'
import { messageId } from '../../messages/id.ts'
import type { Received } from '../../messages/inbox.ts'
import type { Handler } from '../../messages/lookup.ts'
import { shipped } from '../../paths.ts'
import { EPOCH, ID } from '../../wire/message.ts'
import { nearest } from '../config.ts'
import type { Daemon } from '../daemon.ts'
import type { Sender } from './handlers.ts'
import { bodyOf, checkTag } from './message-methods.ts'
import { outputFields } from './message-signals.ts'
import { ruleProblem, verdictSentence } from './rules.ts'
import { programsOf } from './serve-methods.ts'

/** EX_TEMPFAIL (sysexits.h). */
const LATER = 75

type HandlerMethods = Pick<Implementation, 'Handlers' | 'TryHandler' | 'RunHandler'>

export function handlerMethods(daemon: Daemon): HandlerMethods {
  /** What would run for that, and what decides. */
  const attempt = (circleName: string, peer: string, tag: string) => {
    const circle = daemon.circles.find(circleName)
    checkTag('Tag', tag)
    const id = circle.member(peer)
    const sender = circle.correspondence.sender(id)
    if (sender === undefined) {
      const name = circle.correspondence.nameOf(id)
      return { sender, problem: `${name} is no member any more: its time as a guest is over` }
    }
    const { handlers } = daemon
    const verdict = handlers.verdict(sender, tag)
    const decision = verdictSentence(verdict, sender.name, tag)
    const { handler, shadowed, unsafe } = handlers.found(sender, tag)
    const skipped = unsafe.map(each => `${fileOf(each)}: ${each.problem}`)
    const none =
      skipped.length > 0
        ? `no handler for ${tag} can be run: ${skipped.join('; ')}`
        : `there is no handler message/${tag} in ${handlers.folders.join(' or ')}`
    const program = handlers.programs.find(tag, () => false)
    const asked = program !== undefined && (program.exact || handler === undefined) ? program : undefined
    const problem = !verdict.allowed ? decision : (asked ?? handler) === undefined ? none : ''
    const key = asked?.key ?? (handler === undefined ? '' : fileOf(handler))
    const what = asked === undefined ? key : `program ${asked.name}`
    const others = asked === undefined || handler === undefined ? shadowed : [handler, ...shadowed]
    return { sender, problem, decision, key, what: problem === '' ? what : '', others, skipped }
  }

  return {
    Handlers: async () => {
      const members = daemon.circles.all.flatMap(({ correspondence }) => correspondence.members)
      /** A handler that is for somebody who is nobody. */
      const nobody = ({ naming }: Handler) =>
        naming.peers.map(from => ruleProblem({ from }, members, nearest)).find(problem => problem !== '') ??
        ''
      const { handlers: found, strays } = daemon.handlers.lookup
      const none = { Tag: '', Peers: [], Events: [], Retry: false }
      const files: HandlerFileRecord[] = [
        ...found.map(handler => ({
          Path: fileOf(handler),
          Family: handler.naming.family,
          Tag: handler.naming.tag,
          Peers: [...handler.naming.peers],
          Events: [...handler.naming.events],
          Retry: handler.naming.retry,
          Problem: handler.problem || nobody(handler)
        })),
        ...strays.map(({ file, why }) => ({ ...none, Path: fileOf(file), Family: '', Problem: why }))
      ]
      const Rules = daemon.config.allow.map(rule => ({
        From: rule.from,
        Tags: [...rule.tags],
        Line: rule.line,
        Problem: ruleProblem(rule, members, nearest)
      }))
      const Programs = programsOf(daemon.handlers.programs)
      return {
        Folders: [...daemon.handlers.folders],
        Units: daemon.handlers.runs.units,
        Handlers: files,
        Rules,
        Programs,
        ReadyMade: shipped('handlers')
      }
    },

    TryHandler: async ({ Circle, Peer, Tag }) => {
      const { problem, decision = '', what = '', others = [], skipped = [] } = attempt(Circle, Peer, Tag)
      return {
        Handler: what,
        Problem: problem,
        Decision: decision,
        Others: others.map(fileOf),
        Skipped: skipped
      }
    },

    RunHandler: async ({ Circle, Peer, Tag, Body, BodyBase64 }, call) => {
      const payload = bodyOf(Body, BodyBase64)
      const { sender, problem, key = '', what = '' } = attempt(Circle, Peer, Tag)
      if (problem !== '' || sender === undefined) throw new ApiError('InvalidValue', problem)
      const received = asIfReceived(sender, Tag, payload)
      const { ending, release } = await daemon.handlers.run(received, key, sender, call.signal)
      void release()
      if (ending.type === 'unbegun') throw new ApiError('InvalidValue', `${what} has gone meanwhile`)
      const state = ending.type === 'exit' && (ending.code === 0 || ending.code === LATER) ? 'done' : 'dead'
      return {
        Handler: what,
        State: ending.type === 'exit' && ending.code === LATER ? 'later' : state,
        Reason:
          ending.type === 'dead'
            ? ending.reason
            : ending.type === 'unknown'
              ? 'unknown'
              : state === 'dead'
                ? 'failed'
                : '',
        Exit: ending.type === 'exit' ? ending.code : 0,
        ...outputFields(ending.output),
        Complaint: ending.complaint ?? ''
      }
    }
  }
}

const fileOf = ({ folder, path }: Pick<Handler, 'folder' | 'path'>): string => join(folder, path)

function asIfReceived(from: Sender, tag: string, payload: Uint8Array): Received {
  const now = Date.now()
  return {
    id: messageId(randomBytes(ID)),
    from: from.id,
    epoch: new Uint8Array(EPOCH),
    seq: 0,
    tag,
    ask: true,
    payload,
    sentMs: now,
    receivedMs: now,
    expiresMs: now,
    state: 'started',
    reason: 'none',
    exit: 0,
    output: new Uint8Array(),
    runs: 1,
    retry: false
  }
}
