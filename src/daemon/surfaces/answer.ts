/**
 * One call, whatever surface it came over: parameters checked, method run, nothing of our own faults let out.
 */
import type { Call, Implementation, MethodName, Params, Result, StreamCall } from '../../api/api.ts'
import { ApiError, methods } from '../../api/api.ts'
import { checkFields, InvalidValue } from '../../api/types.ts'
import { DatabaseError } from '../../host/database-error.ts'
import { FileError } from '../../host/files.ts'
import { KeyAway } from '../../host/key-store.ts'
import { ConfigError } from '../config.ts'
import { VaultError } from '../keys/vault.ts'

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: object) => void

type Run = (params: unknown, call: Call) => Promise<unknown>
type CallOf<M extends MethodName> =
  Parameters<Implementation[M]>[1] extends StreamCall<infer R> ? StreamCall<R> : Call

/**
 * Runs `method` with `params`, a value from outside that nobody has checked yet. Optional parameters may be
 * left out, unknown ones are refused.
 *
 * Rejects with ApiError only: the method's own as it is, a parameter of the wrong form as InvalidValue, an
 * AbortError after `call.signal` fired as Cancelled, what disk and files have to say as NoSpace or Internal with
 * their sentence, a key that is away as Locked, anything else as Internal, with the story in the log.
 */
export async function invoke<M extends MethodName>(
  implementation: Implementation,
  method: M,
  params: unknown,
  call: CallOf<M>,
  log: Log
): Promise<Result<M>> {
  try {
    const checked = checkFields(methods[method].params, params, method) as Params<M>
    return (await (implementation[method] as Run)(checked, call)) as Result<M>
  } catch (error) {
    throw asApiError(error, method, call.signal, log)
  }
}

function asApiError(error: unknown, method: string, signal: AbortSignal, log: Log): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof InvalidValue) return new ApiError('InvalidValue', error.message)
  if (signal.aborted && (error === signal.reason || (error as Error | undefined)?.name === 'AbortError')) {
    return new ApiError('Cancelled', 'the call was cancelled')
  }
  if (error instanceof KeyAway) return new ApiError('Locked', error.message)
  if (error instanceof ConfigError) return new ApiError('InvalidValue', error.message)
  if (error instanceof DatabaseError || error instanceof FileError || error instanceof VaultError) {
    log('warn', `${method} failed`, { error: error.message })
    const full = !(error instanceof VaultError) && error.code === 'no-space'
    return new ApiError(full ? 'NoSpace' : 'Internal', error.message)
  }
  log('error', `${method} failed by a fault of ours`, {
    error: error instanceof Error ? error.stack : String(error)
  })
  return new ApiError('Internal', 'internal error')
}
