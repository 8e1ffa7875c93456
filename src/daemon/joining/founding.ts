/** Founding a circle: keys, recovery code, genesis and first discovery key, as rows to be stored. */
import { ApiError } from '../../api/api.ts'
import { genesis } from '../../circle/author.ts'
import { DiscoveryKeys } from '../../circle/discovery-keys.ts'
import { MembershipLog } from '../../circle/log.ts'
import { peerId } from '../../crypto/identity.ts'
import { ed25519, x25519 } from '../../crypto/provider.ts'
import { RECOVERY_BYTES, recoveryCode, recoveryKeys } from '../../crypto/recovery.ts'
import type { Write } from '../../host/database.ts'
import { isName } from '../../wire/operation.ts'

export interface Founding {
  readonly name: string
  readonly device: string
  readonly random: (length: number) => Uint8Array
  readonly wallMs: number
}

/** Throws ApiError when a name cannot be used. The recovery code is in none of the rows. */
export function found({ name, device, random, wallMs }: Founding): { writes: Write[]; recoveryCode: string } {
  checkName('Name', name)
  checkName('Device', device)
  const recovery = random(RECOVERY_BYTES)
  const recoveryPair = recoveryKeys(recovery)
  const seed = random(32)
  const secret = random(32)
  const identity = ed25519(seed)
  const own = x25519(secret)
  const { id: gid, bytes } = genesis(identity, wallMs, {
    recovery: ed25519(recoveryPair.seed).publicKey,
    recoveryStatic: x25519(recoveryPair.secret).publicKey,
    static: own.publicKey,
    nonce: random(16),
    name: device,
    circle: name
  })
  const log = new MembershipLog({ gid })
  log.load([bytes])
  const keys = new DiscoveryKeys({ gid, self: peerId(identity.publicKey), statics: [own] })
  keys.setMembers(log.members)
  const discovery = keys.renew(identity, log.heads, {
    secret: random(32),
    ephemeral: () => x25519(random(32))
  })
  return {
    recoveryCode: recoveryCode(recovery),
    writes: [
      { put: { table: 'circle', gid, name, device, position: 0, seed, secret, serial: 0, joinedMs: wallMs } },
      { put: { table: 'operation', gid, id: gid, bytes } },
      { put: discovery.put }
    ]
  }
}

/** Throws ApiError: names are shown to others, so they are bounded and have no control characters. */
export function checkName(parameter: string, name: string): void {
  if (!isName(name))
    throw new ApiError(
      'InvalidValue',
      `${parameter}: a name has 1 to 64 bytes of UTF-8 and no control characters`
    )
}
