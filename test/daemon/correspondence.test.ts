/** What messages ask of sessions: in a large circle there is none with most members. */
import t from 'tap'
import { randomBytes } from '../../src/crypto/provider.ts'
import type { Membership } from '../../src/daemon/circle/membership.ts'
import type { StoredCircle } from '../../src/daemon/circle/stored.ts'
import { Correspondence } from '../../src/daemon/messages/correspondence.ts'
import type { Surroundings } from '../../src/daemon/surroundings.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'
import { ids } from '../mesh/drive.ts'

const [self, away] = ids as [string, string]

function world() {
  const dialled: string[] = []
  const written: string[] = []
  const peers = new Map<string, PeerView>()
  const messages = { counters: [], outgoing: [], incoming: [], floors: [], copies: [], deposits: [] }
  const around = {
    now: () => 0,
    wall: () => 1e12,
    random: randomBytes,
    commit: async () => {},
    log: () => {},
    arm: () => {},
    handlers: { runs: { expect: () => {} }, peer: () => {} },
    publisher: { signal: () => {} }
  }
  const member = { id: away, name: 'away', level: 10, flags: 0, statics: [new Uint8Array(32)], serials: {} }
  const correspondence = new Correspondence(
    { row: { gid: randomBytes(32), name: 'home' }, messages } as unknown as StoredCircle,
    around as unknown as Surroundings,
    { self, members: new Map([[away, member]]), admits: () => true, statics: [] } as unknown as Membership,
    {
      writing: { write: (peer: string) => written.push(peer), hasPlenty: () => false } as never,
      peers,
      retry: peer => void dialled.push(peer)
    }
  )
  const shown = (state: PeerView['state']) => {
    const view = { id: away, state, reason: '', addresses: [] } as unknown as PeerView
    peers.set(away, view)
    correspondence.viewed(view)
  }
  const send = () =>
    correspondence.send({ peer: away, tag: 'x', ask: false, payload: new Uint8Array(), ttlMs: 60_000 })
  t.teardown(() => correspondence.messages.stop())
  return { correspondence, dialled, written, shown, send }
}

t.test('a member that others reach is dialled when something is sent to it', async t => {
  const { dialled, shown, send } = world()
  shown('reachable')
  t.same(dialled, [], 'nobody needs a session with it')
  await send()
  t.same(dialled, [away])
})

t.test('one that is away is dialled when others reach it, and something waits', async t => {
  const { correspondence, dialled, written, shown, send } = world()
  shown('unreachable')
  await send()
  t.same(dialled, [], 'it cannot be reached')
  shown('reachable')
  t.same(dialled, [away])
  correspondence.messages.session(away, true)
  await correspondence.messages.stop()
  t.same(written, [away])
  shown('reachable')
  t.same(dialled, [away], 'there is a session')
})
