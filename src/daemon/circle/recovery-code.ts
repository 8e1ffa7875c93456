/** What a person brings to recover a circle: the code, or two shares of it. */
import { ApiError } from '../../api/api.ts'
import { type ExchangeKey, ed25519, equal, type SigningKey, x25519 } from '../../crypto/provider.ts'
import { RecoveryError, readRecoveryCode, recoveryKeys } from '../../crypto/recovery.ts'
import { joinShares, readShare } from '../../crypto/shares.ts'
import { decodeOperation, type Genesis } from '../../wire/operation.ts'

export interface Typed {
  readonly Code: string
  readonly Shares: readonly string[]
}

/** Level 0 of a circle. */
export interface RecoveryKey {
  /** The 20 bytes. */
  readonly code: Uint8Array
  readonly signing: SigningKey
  readonly static: ExchangeKey
}

/** Throws ApiError: what is mistyped, or that it is not the code of the circle with this genesis. */
export function recoveryKey({ Code, Shares }: Typed, genesis: Genesis): RecoveryKey {
  if ((Code === '') === (Shares.length === 0))
    throw new ApiError('InvalidValue', 'give the recovery code, or two shares of it')
  const code = read(Code, Shares)
  const { seed, secret } = recoveryKeys(code)
  const key = { code, signing: ed25519(seed), static: x25519(secret) }
  if (equal(key.signing.publicKey, genesis.recovery)) return key
  throw new ApiError(
    'WrongRecoveryCode',
    Code === ''
      ? `these two shares do not give the recovery code of the circle ${genesis.circle}; one of them may be of another circle`
      : `this is a recovery code, but not that of the circle ${genesis.circle}`
  )
}

export function genesisOf(operations: readonly Uint8Array[]): Genesis {
  const body = decodeOperation(operations[0]!)?.body
  if (body?.kind !== 'genesis') throw new Error('a log begins with its genesis')
  return body
}

function read(code: string, shares: readonly string[]): Uint8Array {
  try {
    if (code !== '') return readRecoveryCode(code)
    const [one, other] = shares
    if (one === undefined || other === undefined || shares.length > 2)
      throw new RecoveryError(`two shares are needed, not ${shares.length}`)
    return joinShares(readShare(one), readShare(other))
  } catch (error) {
    if (error instanceof RecoveryError) throw new ApiError('InvalidValue', error.message)
    throw error
  }
}
