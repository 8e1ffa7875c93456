/** The members of a circle as `Devices` shows them: by the signed log, and by what this device saw of them. */
import type { Member, Properties } from '../../api/api.ts'
import type { Value } from '../../api/types.ts'
import type { MemberState } from '../../circle/log.ts'
import type { PeerId } from '../../crypto/identity.ts'
import { STALE_MS } from './contacts.ts'

export interface Seen {
  readonly self: PeerId
  readonly members: ReadonlyMap<PeerId, MemberState>
  /** As published; undefined for this device, and for those nobody talks to. */
  readonly peer: (id: PeerId) => Properties<'Peer'> | undefined
  /** Milliseconds since 1970, now while there is a session; 0: never. */
  readonly lastMs: (id: PeerId) => number
  /** For how many milliseconds it was not met; this device: none of a smaller level (Contacts.missedMs). */
  readonly missedMs: (member: MemberState) => number
  /** Its time as a guest is over, by this device's clock. */
  readonly expired: (member: MemberState) => boolean
  /** Two devices answer with its identity, or did today. */
  readonly cloned: (id: PeerId) => boolean
}

/** Lowest level first. */
export function deviceRecords(seen: Seen): Value<typeof Member>[] {
  return [...seen.members.values()]
    .sort((a, b) => a.level - b.level || (a.name < b.name ? -1 : 1))
    .map(member => {
      const { id, name, level, addedBy, flags, expiresMs, keyChangedMs } = member
      const Self = id === seen.self
      const Reachable = Self || (seen.peer(id)?.Reachable ?? false)
      const lastMs = Reachable ? 0 : Math.max((seen.peer(id)?.LastSeenUSec ?? 0) / 1000, seen.lastMs(id))
      return {
        Id: id,
        Name: name,
        Level: level,
        AddedBy: addedBy,
        Self,
        Guest: (flags & 1) !== 0,
        ExpiresUSec: expiresMs * 1000,
        Expired: seen.expired(member),
        Reachable,
        LastSeenUSec: Math.floor(lastMs * 1000),
        KeyChangedUSec: keyChangedMs * 1000,
        Stale: (Self || !Reachable) && seen.missedMs(member) > STALE_MS,
        Cloned: seen.cloned(id)
      }
    })
}
