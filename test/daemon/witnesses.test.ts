/** Observer, witness and target, with sessions that carry frames at once. */
import t from 'tap'
import { peerId } from '../../src/crypto/identity.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { Witnesses } from '../../src/daemon/sessions/witnesses.ts'
import { Kind } from '../../src/wire/frame.ts'
import { PROBE_LENGTH } from '../../src/wire/probe.ts'
import { decodeWitness, encodeWitness } from '../../src/wire/witness.ts'

const key = (n: number) => ed25519(new Uint8Array(32).fill(n)).publicKey
const ids = { observer: peerId(key(1)), witness: peerId(key(2)), target: peerId(key(3)) }
type Name = keyof typeof ids
const names = Object.keys(ids) as Name[]
/** The session of each with each other has the other's place as its number. */
const numberOf = (name: Name) => names.indexOf(name) + 1

/** All three of them; `carries` says what comes through. */
class Three {
  readonly frames: { from: Name; to: Name; body: Uint8Array }[] = []
  now = 0
  carries: (from: Name, to: Name) => boolean = () => true
  /** Sessions there are. */
  meets: (one: Name, other: Name) => boolean = () => true
  readonly pongs: number[] = []
  readonly all = Object.fromEntries(names.map(name => [name, this.#make(name)])) as Record<Name, Witnesses>

  #make(name: Name): Witnesses {
    let onPong = () => {}
    return new Witnesses({
      self: ids[name],
      now: () => this.now,
      inUse: peer => {
        const other = names.find(each => ids[each] === peer)
        return other !== undefined && this.meets(name, other) ? numberOf(other) : undefined
      },
      probes: {
        sealPassed: (_peer, pong) => {
          onPong = () => pong(0)
          return new Uint8Array(PROBE_LENGTH).fill(1)
        },
        receivePassed: datagram => {
          if (datagram[0] === 1) return new Uint8Array(PROBE_LENGTH).fill(2)
          if (datagram[0] === 2) onPong()
          return undefined
        }
      },
      send: (session, kind, body) => {
        if (kind !== Kind.Witness) throw new Error(`a frame of kind ${kind}`)
        this.frames.push({ from: name, to: names[session - 1]!, body })
      }
    })
  }

  ask(by: readonly Name[] = ['witness']): void {
    this.all.observer.ask(ids.target, by.map(numberOf), session => this.pongs.push(session))
  }
  /** All frames arrive, and those that they bring about; their types. */
  settle(): string[] {
    const types: string[] = []
    for (let frame = this.frames.shift(); frame; frame = this.frames.shift()) {
      const { from, to, body } = frame
      types.push(`${from} ${decodeWitness(body)?.type} ${to}`)
      if (this.carries(from, to)) this.all[to].receive(numberOf(from), ids[from], body)
    }
    return types
  }
}

t.test('asked, handed on, answered, brought back; nothing is left over', async t => {
  const three = new Three()
  three.ask()
  t.same(three.settle(), [
    'observer ask witness',
    'witness pass target',
    'target back witness',
    'witness back observer'
  ])
  t.same(three.pongs, [numberOf('witness')])
  t.same(
    names.map(name => three.all[name].open),
    [0, 0, 0]
  )
})

t.test('a witness that does not reach the target, or is asked about itself, is silent', async t => {
  const three = new Three()
  three.meets = (one, other) => !(one === 'witness' && other === 'target')
  three.ask()
  t.same(three.settle(), ['observer ask witness'])
  t.equal(three.all.witness.counters.unreached, 1)
  const odd = (target: Uint8Array) => {
    const body = encodeWitness({ type: 'ask', token: 1, target, datagram: new Uint8Array(PROBE_LENGTH) })
    three.all.witness.receive(1, ids.observer, body)
  }
  odd(key(2))
  odd(key(1))
  odd(key(9))
  t.same(three.settle(), [])
  t.equal(three.all.witness.counters.unreached, 4)
})

t.test('an answer is taken on the session that was asked, once, and within its time', async t => {
  const three = new Three()
  const back = (token: number) =>
    encodeWitness({ type: 'back', token, datagram: new Uint8Array(PROBE_LENGTH).fill(2) })
  const token = () => decodeWitness(three.frames[0]!.body)!.token
  three.ask()
  const asked = token()
  three.all.observer.receive(numberOf('target'), ids.target, back(asked))
  three.all.observer.receive(numberOf('witness'), ids.witness, back(asked + 1))
  t.same(three.pongs, [])
  three.settle()
  three.all.observer.receive(numberOf('witness'), ids.witness, back(asked))
  t.same(three.pongs, [numberOf('witness')])
  t.equal(three.all.observer.counters.unasked, 3)
  three.ask()
  three.now = 3_001
  three.settle()
  t.same(three.pongs.length, 1, 'too late')
})

t.test('limits: frames in a second, open probes, time, and the end of a session', async t => {
  const { all, frames } = new Three()
  const three = new Three()
  const { witness } = three.all
  const datagram = new Uint8Array(PROBE_LENGTH)
  const passed = (ms: number) => {
    for (const end = three.now + ms; three.now < end; three.now += 10) {
      witness.receive(1, ids.observer, encodeWitness({ type: 'ask', token: 1, target: key(3), datagram }))
      if (witness.open > 32) t.fail(`${witness.open} are open`)
    }
    return three.frames.splice(0).length
  }
  const first = passed(1_000)
  t.ok(first >= 15 && first <= 20, `${first} in the first second`)
  const later = passed(9_000)
  t.ok(later >= 60 && later <= 90, `${later} in 9 s more`)
  t.ok(witness.counters.rate > 500)
  passed(1_900)
  t.ok(witness.counters.full > 0 || witness.open >= 29, 'none of them was answered')
  witness.closed(1)
  t.equal(witness.open, 0)
  witness.receive(1, ids.observer, new Uint8Array(3))
  t.equal(witness.counters.malformed, 1)

  for (let i = 0; i < 100; i++) all.observer.ask(ids.target, [numberOf('witness')], () => {})
  t.equal(frames.length, 32, 'we do not ask more either')
  all.observer.closed(numberOf('witness'))
  t.equal(all.observer.open, 0)
})
