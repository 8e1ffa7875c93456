/** `coterie ask`: what handlers on other devices answer. */
import { ApiError, type Params } from '../api/api.ts'
import type { Client } from './client.ts'
import { err, jsonLine, lookOf, out, printable } from './print.ts'
import { circleOf, FAILED, UNREACHABLE, withDaemon } from './run.ts'
import { duration, type Message, type Options, sentence, waitFor, wishOf } from './send.ts'
import { span } from './words.ts'

/** Beyond the time that a message has: what becomes of it then is told. */
const GRACE_USEC = 300_000
const PATIENCE_MS = 1_000

export function ask(words: readonly (string | undefined)[], options: Options & { timeout: string }) {
  const timeout = duration('timeout', options.timeout)
  const wish = { ...wishOf('ask', words, options), Ask: true, ExpiresInUSec: timeout } as Params<'Send'>
  return withDaemon(async client => {
    const { Messages } = await client.call('Send', wish)
    const deadline = Date.now() * 1000 + timeout
    const answers: Message[] = []
    // one after the other: what comes meanwhile waits at the daemon
    for (const message of Messages) {
      const left = Math.max(0, deadline - Date.now() * 1000) + GRACE_USEC
      const stop = tellOf(message, timeout)
      const answer = await waitFor(client, options, message.Id, 'done', left)
        .catch(error => late(client, options, message, error))
        .finally(stop)
      answers.push(answer)
      if (answer.State !== 'done') process.exitCode = FAILED
      if (!options.json) await show(client, options, answer, timeout, Messages.length > 1)
    }
    if (options.json) jsonLine({ Messages: answers })
  })
}

/** As it is when the time is over. Rejects other errors. */
async function late(client: Client, options: Options, message: Message, error: Error): Promise<Message> {
  if (!(error instanceof ApiError && error.code === 'Timeout')) throw error
  if (!options.json) err(`coterie: ${error.message}`)
  const { Messages } = await client.call('Outbox', { ...circleOf(options), All: true })
  return Messages.find(({ Id }) => Id === message.Id) ?? message
}

/** Several are told apart by their names. */
async function show(client: Client, options: Options, answer: Message, timeout: number, several: boolean) {
  const bytes = answer.OutputBase64 === '' ? answer.Output : Buffer.from(answer.OutputBase64, 'base64')
  if (several && bytes.length > 0) out(`${printable(answer.Name)}:`)
  process.stdout.write(bytes)
  if (answer.State !== 'dead') return
  const lost = answer.Reason === 'expired' && !(await reachable(client, options, answer.Peer))
  const name = printable(answer.Name)
  const why = lost
    ? `${name} cannot be reached; given up after ${span(timeout)}`
    : answer.Reason === 'expired'
      ? `${name} did not get to it within ${span(timeout)}`
      : sentence(answer)
  err(`coterie: ${why}`)
  if (lost && !several) process.exitCode = UNREACHABLE
}

async function reachable(client: Client, options: Options, id: string): Promise<boolean> {
  const { Peers } = await client.call('Peers', circleOf(options))
  return Peers.some(({ Id, Reachable }) => Id === id && Reachable)
}

/** After a moment, on a terminal: what is waited for. Returns what stops that. */
function tellOf({ Name }: Message, timeout: number): () => void {
  const look = lookOf(process.stderr)
  if (!look.terminal) return () => {}
  const sentence = `waiting for ${printable(Name)}, ${span(timeout)} at most`
  const timer = setTimeout(() => err(look.dim(sentence)), PATIENCE_MS)
  return () => clearTimeout(timer)
}
