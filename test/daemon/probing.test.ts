/** Probes and witnesses of three members, sealed in earnest, over a network that is told what it carries. */
import t from 'tap'
import { type PeerId, peerId } from '../../src/crypto/identity.ts'
import { ProbeCipher } from '../../src/crypto/probe.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { Probing } from '../../src/daemon/circle/probing.ts'
import type { Session } from '../../src/daemon/sessions/session.ts'
import { Clock } from '../sim/clock.ts'
import { seeded } from './gates.ts'

const names = ['a', 'b', 'c'] as const
type Name = (typeof names)[number]
const random = seeded('probing')
const ids = Object.fromEntries(names.map(name => [name, peerId(ed25519(random(32)).publicKey)])) as Record<
  Name,
  PeerId
>
const addressOf = (name: Name) => `tcp://192.0.2.${names.indexOf(name) + 1}:24747`
const nameOf = (id: PeerId) => names.find(name => ids[name] === id)!
/** Of the session of one with another: its place among the names. */
const numberOf = (name: Name) => names.indexOf(name) + 1

class Member {
  readonly told: string[] = []
  readonly probing: Probing
  readonly sessions = new Map<number, Session>()
  carried = 0

  constructor(world: World, name: Name) {
    const tell = (what: string, id: PeerId, ...rest: (string | number)[]) =>
      this.told.push([what, nameOf(id), ...rest].join(' '))
    this.probing = new Probing({
      self: ids[name],
      around: {
        now: () => world.clock.now,
        after: (ms, act) => world.clock.after(ms, act),
        sendDatagram: (address, datagram, onFailed, from) => {
          const to = names.find(each => addressOf(each) === address)
          if (to === undefined) onFailed('unreachable')
          else if (world.datagrams(name, to))
            world.clock.after(5, () => {
              const place = { interface: 'eth0', address: from?.address ?? '' }
              world.members[to].probing.receive(datagram, addressOf(name), place)
            })
        }
      },
      mesh: {
        session: id => (world.meets(name, nameOf(id)) ? numberOf(nameOf(id)) : undefined),
        probed: (_now, id, probe, address, uSec) => tell('probed', id, probe, address, uSec),
        probeFailed: (_now, id, probe, address, reason) => tell('failed', id, probe, address, reason),
        alive: (_now, id, address) => tell('alive', id, address),
        witnessed: (_now, id, probe, by) => tell('witnessed', id, probe, nameOf(by))
      },
      sessions: this.sessions,
      carry: () => this.carried++
    })
  }
}

class World {
  readonly clock = new Clock()
  datagrams: (from: Name, to: Name) => boolean = () => true
  meets: (one: Name, other: Name) => boolean = () => true
  readonly members = Object.fromEntries(names.map(name => [name, new Member(this, name)])) as Record<
    Name,
    Member
  >

  constructor() {
    for (const one of names) for (const other of names) if (one < other) this.#meet(one, other)
  }

  #meet(one: Name, other: Name): void {
    const [there, back] = [random(32), random(32)]
    const probeIndexes = {
      send: Buffer.from(random(4)).readUInt32BE(),
      receive: Buffer.from(random(4)).readUInt32BE()
    }
    const keys = { send: there, receive: back, hash: there }
    const ends: [Name, Name, ProbeCipher][] = [
      [one, other, new ProbeCipher({ ...keys, probeSend: there, probeReceive: back, probeIndexes })],
      [
        other,
        one,
        new ProbeCipher({
          ...keys,
          probeSend: back,
          probeReceive: there,
          probeIndexes: { send: probeIndexes.receive, receive: probeIndexes.send }
        })
      ]
    ]
    for (const [from, to, probes] of ends) {
      const session = {
        peer: ids[to],
        bootId: 'boot',
        outgoing: false,
        probes,
        send: (_kind: number, body: Uint8Array) =>
          this.clock.after(5, () => {
            const { probing, sessions } = this.members[to]
            if (this.meets(from, to))
              probing.receiveFrame(numberOf(from), sessions.get(numberOf(from))!, body)
          })
      } as unknown as Session
      this.members[from].sessions.set(numberOf(to), session)
      this.members[from].probing.opened(numberOf(to), session)
    }
  }

  pass(ms: number): Promise<void> {
    return this.clock.settle(ms)
  }
}

const probe = (to: Name, ...addresses: string[]) =>
  ({ type: 'probe', probe: 7, peer: ids[to], addresses }) as const
const witness = (to: Name, ...by: Name[]) =>
  ({ type: 'witness', probe: 7, peer: ids[to], by: by.map(numberOf) }) as const

t.test('each address by itself: answered, silent, without a way', async t => {
  const world = new World()
  const { a, b } = world.members
  a.probing.carryOut(probe('b', addressOf('b'), 'tcp://198.51.100.1:1', addressOf('c')))
  await world.pass(1_000)
  t.same(a.told, ['failed b 7 tcp://198.51.100.1:1 unreachable', `probed b 7 ${addressOf('b')} 10000`])
  t.same(b.told, [`alive a ${addressOf('a')}`], 'c does not know those keys')
  t.equal(a.carried, 2)
  world.datagrams = () => false
  a.probing.carryOut(probe('b', addressOf('b')))
  await world.pass(5_000)
  t.equal(a.told.length, 2, 'silence is told by nobody')
})

t.test('the way between two is cut: the third has it answered', async t => {
  const world = new World()
  const cut = (one: Name, other: Name) => !(one !== 'c' && other !== 'c')
  world.datagrams = world.meets = cut
  const { a, b, c } = world.members
  a.probing.carryOut(probe('b', addressOf('b')))
  a.probing.carryOut(witness('b', 'c'))
  await world.pass(3_000)
  t.same(a.told, ['witnessed b 7 c'])
  t.same(b.told, [], 'that is no way to a')
  t.same(c.told, [])
  world.meets = (one, other) => cut(one, other) && one !== 'b' && other !== 'b'
  a.probing.carryOut(witness('b', 'c'))
  await world.pass(3_000)
  t.equal(a.told.length, 1, 'c does not reach it either')
})

t.test('who was removed is not asked, not answered, and not handed on to with old keys', async t => {
  const world = new World()
  const { a, b, c } = world.members
  a.probing.setMembers([ids.c])
  a.probing.carryOut(probe('b', addressOf('b')))
  t.same(a.told, [`failed b 7 ${addressOf('b')} no-keys`])
  b.probing.carryOut(probe('a', addressOf('a')))
  b.probing.carryOut(witness('a', 'c'))
  await world.pass(5_000)
  t.same(b.told, [])
  t.equal(a.told.length, 1)
  t.same(c.told, [])
})

t.test('a measurement ends with microseconds or with a word', async t => {
  const world = new World()
  const { a } = world.members
  const outcomes: (number | string)[] = []
  const measure = (address: string) =>
    a.probing.measure(ids.b, address).then(outcome => outcomes.push(outcome))
  void measure(addressOf('b'))
  void measure('tcp://198.51.100.1:1')
  await world.pass(500)
  world.datagrams = () => false
  void measure(addressOf('b'))
  await world.pass(2_000)
  t.same(outcomes, ['unreachable', 10_000, 'timeout'])
  t.same(a.told, [], 'it is not the mesh that asked')
})
