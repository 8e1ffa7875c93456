/** What is told of peers, from how they are and were. */
import t from 'tap'
import type { Handlers, Sender } from '../../src/daemon/messages/handlers.ts'
import { Happenings } from '../../src/daemon/messages/happenings.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'

function world() {
  const clock = { now: 0 }
  const members = new Map<string, string>()
  const sender = (id: string): Sender | undefined =>
    members.has(id)
      ? {
          id,
          name: members.get(id)!,
          level: 10,
          guest: false,
          circle: 'home',
          circleId: 'c',
          names: new Set([id])
        }
      : undefined
  const told: string[] = []
  const handlers = {
    peer: (event: string, peer: Sender, facts: { state: string; address: string }) =>
      told.push([event, peer.name, facts.state, facts.address].filter(Boolean).join(' '))
  } as unknown as Handlers
  const happenings = new Happenings(handlers, sender, () => clock.now)
  const view = (state: string, address = '', id = 'a') =>
    happenings.view({
      id,
      state,
      reason: '',
      latencyUSec: 1,
      addresses: address ? [address] : []
    } as unknown as PeerView)
  const take = () => told.splice(0)
  return { clock, members, happenings, view, take }
}

t.test('members', async t => {
  const { members, happenings, take } = world()
  members.set('a', 'anna')
  happenings.members(['a'])
  t.same(take(), [], 'whoever is there at the start has not joined')
  members.set('b', 'ben')
  happenings.members(['a', 'b'])
  t.same(take(), ['joined ben'])
  happenings.members(['a', 'b'])
  t.same(take(), [])
  members.delete('a')
  happenings.members(['b'])
  t.same(take(), ['left anna'], 'by the name that it had')
})

t.test('how a peer is', async t => {
  const { members, view, take } = world()
  members.set('a', 'anna')
  view('unreachable')
  t.same(take(), [], 'nobody was reachable before')
  view('reachable', 'tcp://1')
  t.same(take(), ['reachable anna reachable tcp://1'])
  view('reachable', 'tcp://1')
  view('suspect', 'tcp://1')
  view('reachable', 'tcp://1')
  t.same(take(), [], 'a suspicion that passes is not told')
  view('reachable', 'tcp://2')
  t.same(take(), ['address anna reachable tcp://2'])
  view('suspect', 'tcp://2')
  view('unreachable')
  t.same(take(), ['unreachable anna unreachable'])
  view('asleep')
  view('asleep')
  t.same(take(), ['asleep anna asleep'])
  view('reachable', 'tcp://3')
  t.same(take(), ['reachable anna reachable tcp://3'], 'one event where it came back at another address')
  members.delete('a')
  view('unreachable')
  t.same(take(), [], 'nothing of who is no member')
})

t.test('seen at most once a minute', async t => {
  const { clock, members, happenings, take } = world()
  members.set('a', 'anna')
  members.set('b', 'ben')
  for (; clock.now < 120_000; clock.now += 1_000) happenings.met('a', undefined)
  t.same(take(), ['seen anna', 'seen anna'])
  happenings.met('b', undefined)
  happenings.met('x', undefined)
  t.same(take(), ['seen ben'])
})
