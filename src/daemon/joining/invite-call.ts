/** The method Invite: an invitation by code, shown to its caller or by an agent, confirmed by whoever is asked. */
import { ApiError, type Call, type Params, type Result } from '../../api/api.ts'
import type { Agents } from './agents.ts'
import { type Asker, bounded, firstAnswer, present } from './confirmation.ts'
import type { Invite } from './inviting.ts'
import type { InvitationEvent, JoinAsk } from './open-invitation.ts'
import type { Questions } from './questions.ts'

const MEMBER = 10
/** PROTOCOL 3. */
const LIFETIME_MS = 10 * 60_000

/** Where a person may be asked. */
export interface Prompts {
  readonly agents: Agents
  /** Others than the caller and agents. */
  readonly askers: readonly Asker[]
  readonly questions: Questions
}

/** `begin` opens the invitation and resolves with who joined. Rejects ApiError. */
export async function invite(
  { Level, GuestForUSec, Confirmed, Ask }: Omit<Params<'Invite'>, 'Circle'>,
  call: Call,
  prompts: Prompts,
  begin: (invitation: Invite, signal: AbortSignal) => Promise<{ id: string; name: string }>
): Promise<Result<'Invite'>> {
  await mustBeOfUse({ Confirmed, Ask }, call, prompts)
  const level = Level || MEMBER
  const over = new AbortController()
  const open = async (code: string, expiresUSec: number): Promise<void> => {
    call.progress('waiting for a device to join', { Code: code, ExpiresUSec: expiresUSec })
    if (!call.detailed) await prompts.agents.display(code, expiresUSec, over.signal)
  }
  const invitation: Invite = {
    level,
    guestForMs: GuestForUSec / 1000,
    lifetimeMs: LIFETIME_MS,
    confirm: async (ask, signal) => Confirmed || (await confirm(ask, signal, Ask, call, prompts)),
    onEvent: event => {
      if (event.type === 'open')
        open(event.code, event.expiresUSec).catch((error: unknown) => over.abort(error))
      else tell(event, call)
    }
  }
  try {
    const { id, name } = await begin(invitation, AbortSignal.any([call.signal, over.signal]))
    return { Id: id, Name: name, Level: level }
  } catch (error) {
    throw over.signal.aborted ? over.signal.reason : error
  } finally {
    // an agent takes the code away
    over.abort()
  }
}

/** Somebody sees the code, and somebody can be asked. Rejects ApiError. */
async function mustBeOfUse(
  { Confirmed, Ask }: Pick<Params<'Invite'>, 'Confirmed' | 'Ask'>,
  { detailed }: Call,
  { agents, askers }: Prompts
): Promise<void> {
  if (!detailed && Ask) {
    const sentence = 'Invite.Ask: the question comes on the way; call on the socket, with "more"'
    throw new ApiError('InvalidValue', sentence)
  }
  if (!detailed && !(await agents.there())) {
    throw new ApiError(
      'NoAgent',
      'nobody would see the code: call on the socket with "more", or run a program that shows codes (a prompt agent on D-Bus)'
    )
  }
  if (Confirmed || Ask || (await present([agents, ...askers])).length > 0) return
  throw new ApiError(
    'NoAgent',
    'nobody here can be asked whether the device may join: confirm beforehand (--yes, or Confirmed), or run a ' +
      'program that asks (desktop notifications with buttons, or a prompt agent on D-Bus)'
  )
}

/** Asks all there are; rejects ApiError when nobody can be asked. */
async function confirm(
  ask: JoinAsk,
  signal: AbortSignal,
  askCaller: boolean,
  call: Call,
  { agents, askers, questions }: Prompts
): Promise<boolean> {
  const name = bounded(ask.name)
  const request = questions.name()
  const caller: Asker = {
    name: 'caller',
    there: async () => true,
    ask: (_, over) => questions.wait(request, over)
  }
  const all = [...(askCaller ? [caller] : []), agents, ...askers]
  const answered = firstAnswer(all, { ...ask, name }, signal)
  call.progress(`${name} wants to join`, { Request: request, Id: ask.id, Name: name, Level: ask.level })
  const answer = await answered
  const tell = (sentence: string, Answer: string, By: string) =>
    call.progress(sentence, { Request: request, Answer, By })
  if (answer?.accepted === true) tell(`letting ${name} in`, 'accepted', answer.by)
  else if (answer !== undefined) tell(`${name} is not let in`, 'declined', answer.by)
  else tell(`${name} got no answer`, 'withdrawn', '')
  if (answer !== undefined) return answer.accepted
  // why there is no answer any more is known without us
  if (signal.aborted) return false
  throw new ApiError('NoAgent', `${name} was not let in: whoever could be asked has gone`)
}

function tell(event: InvitationEvent, call: Call): void {
  if (event.type === 'unannounced')
    call.progress(
      `not announced on ${event.interfaces.join(', ')}: from there \`coterie join\` needs --at and an address of this device`,
      { Unannounced: event.interfaces }
    )
  if (event.type === 'run') call.progress('a device is trying')
  if (event.type === 'wrong') {
    const left = event.triesLeft === 1 ? '1 try is' : `${event.triesLeft || 'no'} tries are`
    call.progress(`a wrong code was tried; ${left} left`, { TriesLeft: event.triesLeft })
  }
  if (event.type === 'gone')
    call.progress(`${bounded(event.ask.name)} went away before it was let in; the code is as good as before`)
}
