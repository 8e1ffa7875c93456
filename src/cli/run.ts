/** What every command does around its own few lines: reach the daemon, leave it, and end with the right code. */
import type { Command } from 'commander'
import { ApiError } from '../api/api.ts'
import { PathError, paths } from '../paths.ts'
import { Client, NotRunning } from './client.ts'
import { err, printable } from './print.ts'

/** Errors that say that nobody was there. */
const NOBODY = ['Unreachable', 'NoInvitation']

/** Exit codes. */
export const FAILED = 1
export const USAGE = 2
export const NOT_RUNNING = 3
export const UNREACHABLE = 4

/** The command was not understood, or needs a flag. Says which. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Somebody said no, or the command line itself cannot go on. */
export class Failure extends Error {
  override name = 'Failure'
}

/** Runs `action` with a connection to the daemon that is closed afterwards. */
export async function withDaemon(action: (client: Client) => Promise<void>): Promise<void> {
  const client = await Client.open(paths().socket)
  try {
    await action(client)
  } finally {
    client.close()
  }
}

/**
 * The end of `work`, or, when Ctrl-C comes before it, Failure with `sentence`: the connection is closed, and what
 * the daemon was doing for it ends with it.
 */
export async function orInterrupted<T>(client: Client, work: Promise<T>, sentence: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const interrupt = () => {
    client.close()
    reject(new Failure(sentence))
  }
  for (const name of INTERRUPTS) process.once(name, interrupt)
  try {
    return await Promise.race([promise, work])
  } finally {
    for (const name of INTERRUPTS) process.off(name, interrupt)
  }
}
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Tells what went wrong on stderr; returns the exit code. */
export function explain(error: unknown): number {
  if (error instanceof UsageError) return tell(error.message, USAGE)
  if (error instanceof NotRunning) return tell(error.message, NOT_RUNNING)
  if (error instanceof ApiError && error.code === 'NotStarted')
    return tell(`coteried cannot start: ${error.message}`, NOT_RUNNING)
  if (error instanceof ApiError)
    return tell(error.message, NOBODY.includes(error.code) ? UNREACHABLE : FAILED)
  if (error instanceof Failure || error instanceof PathError) return tell(error.message, FAILED)
  return tell(error instanceof Error ? error.message : String(error), FAILED)
}

function tell(sentence: string, code: number): number {
  err(`coterie: ${sentence.split('\n').map(printable).join('\n')}`)
  return code
}

export const withJson = (command: Command): Command =>
  command.option('--json', 'print the records of the API')
export const withCircle = (command: Command): Command =>
  command.option('--circle <circle>', 'id or name of the circle (default: the first one)')

/** The parameter for --circle. */
export const circleOf = (options: { circle?: string }): { Circle?: string } =>
  options.circle === undefined ? {} : { Circle: options.circle }

const KEY_STORE =
  'where the key of this device is kept, with its first circle: file, secret-service, credential'
export const withKeyStore = (command: Command): Command => command.option('--key-store <place>', KEY_STORE)
