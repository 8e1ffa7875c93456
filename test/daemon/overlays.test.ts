/** Who is tried at addresses that only an overlay network knows, and when that is asked. */
import t from 'tap'
import { Guessing, guesses } from '../../src/daemon/circle/guesses.ts'
import type { Membership } from '../../src/daemon/circle/membership.ts'
import { DELAY_MS, Overlays, PAUSE_MS } from '../../src/daemon/network/overlays.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'

const seen = (state: 'reachable' | 'unreachable' | 'asleep', ...addresses: string[]) => ({ state, addresses })
const device = (name: string, ...addresses: string[]) => ({ name, addresses })
const members = new Map([
  ['desk', { name: "Anna's Desktop" }],
  ['note', { name: 'notebook' }]
])

t.test('who cannot be reached is tried where nobody else is, the namesake first', async t => {
  const peers = new Map([
    ['desk', seen('unreachable')],
    ['note', seen('reachable', 'tcp://192.0.2.9:24747', 'tcp://100.64.0.2:24747')]
  ])
  const devices = [
    device('other', '100.64.0.3'),
    device('note', '100.64.0.2', 'fd7a:115c:a1e0::2'),
    device('annas-desktop', '100.64.0.4', 'fd7a:115c:a1e0::4'),
    device('', 'no address')
  ]
  t.same(guesses(members, peers, devices, 24747), [
    {
      peer: 'desk',
      addresses: ['tcp://100.64.0.4:24747', 'tcp://[fd7a:115c:a1e0::4]:24747', 'tcp://100.64.0.3:24747']
    }
  ])
  const many = Array.from({ length: 20 }, (_, i) => device('', `100.64.1.${i + 1}`))
  t.equal(guesses(members, peers, many, 1)[0]?.addresses.length, 4)
})

t.test('nobody is tried who is there, sleeps, or is no member', async t => {
  const devices = [device('notebook', '100.64.0.2')]
  for (const [id, state] of [
    ['note', 'reachable'],
    ['note', 'asleep'],
    ['stranger', 'unreachable']
  ] as const)
    t.same(guesses(members, new Map([[id, seen(state)]]), devices, 24747), [])
})

t.test('what is found is offered as a guess, while somebody is missed', async t => {
  const peers = new Map<string, PeerView>()
  const offered: unknown[] = []
  const traffic = {
    peers,
    offer: (...all: unknown[]) => offered.push(all),
    carry: () => offered.push('carried')
  }
  const guessing = new Guessing({ members: members as unknown as Membership['members'] }, traffic)
  const view = (state: PeerView['state']) => seen(state as 'reachable') as unknown as PeerView
  peers.set('note', view('reachable'))
  t.notOk(guessing.missed)
  peers.set('desk', view('unreachable'))
  t.ok(guessing.missed)
  guessing.found([device('', '100.64.0.9')], 24_750)
  t.same(offered, [['desk', ['tcp://100.64.0.9:24750'], 'overlay'], 'carried'])
})

t.test('asked a moment after a change, once a minute at most, and not in vain', async t => {
  let now = 10_000
  let wanted = true
  const planned: { at: number; act: () => void }[] = []
  const reads: number[] = []
  const found: string[] = []
  const overlays = new Overlays({
    now: () => now,
    after: (ms, act) => {
      planned.push({ at: now + ms, act })
      return () => planned.splice(0)
    },
    wanted: () => wanted,
    read: async () => {
      reads.push(now)
      if (reads.length === 2) throw new Error('gone')
      return [device(`at ${now}`, '100.64.0.2')]
    },
    onFound: devices => found.push(...devices.map(({ name }) => name))
  })
  const due = async () => {
    const [next] = planned.splice(0)
    now = next!.at
    next!.act()
    await new Promise(setImmediate)
  }
  overlays.look()
  overlays.look()
  t.equal(planned.length, 1)
  await due()
  t.same(reads, [10_000 + DELAY_MS])
  overlays.look()
  await due()
  t.same(reads, [10_000 + DELAY_MS, 10_000 + DELAY_MS + PAUSE_MS])
  t.same(found, ['at 13000'], 'a failure is nothing found')
  overlays.look()
  wanted = false
  await due()
  overlays.look()
  t.equal(planned.length, 0)
  t.equal(reads.length, 2)
  wanted = true
  overlays.look()
  overlays.stop()
  t.equal(planned.length, 0)
  overlays.look()
  t.equal(planned.length, 0)
})
