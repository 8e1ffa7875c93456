/** Probes of two circles' ends, without a network between them. */
import t from 'tap'
import { ProbeCipher } from '../../src/crypto/probe.ts'
import type { ProbeSession } from '../../src/daemon/sessions/probe-keyring.ts'
import { Probes } from '../../src/daemon/sessions/probes.ts'
import { PROBE_LENGTH, ProbeType, readProbeHeader } from '../../src/wire/probe.ts'

const at = { interface: 'eth0', address: '192.0.2.1' }
const theirs = 'tcp://192.0.2.2:24747'

/** The two ends of one session. */
function session(
  seed: number,
  { bootId = 'boot', index = seed } = {}
): { mine: ProbeSession; yours: ProbeSession } {
  const key = (byte: number) => new Uint8Array(32).fill(byte)
  const [one, other] = [key(seed), key(seed + 100)]
  const end = (peer: string, outgoing: boolean) => {
    const [send, receive] = outgoing ? [one, other] : [other, one]
    const [out, back] = outgoing ? [index, index + 1000] : [index + 1000, index]
    const probes = new ProbeCipher({
      send,
      receive,
      hash: send,
      probeSend: send,
      probeReceive: receive,
      probeIndexes: { send: out, receive: back }
    })
    return { peer, bootId, outgoing, probes }
  }
  return { mine: end('you', true), yours: end('me', false) }
}

class End {
  readonly sent: { to: string; datagram: Uint8Array; from: unknown }[] = []
  readonly alive: string[] = []
  now = 0
  inUse: number | undefined
  /** What becomes of what is sent. */
  fails = ''
  readonly probes = new Probes({
    now: () => this.now,
    send: (to, datagram, onFailed, from) => {
      this.sent.push({ to, datagram, from })
      if (this.fails) onFailed(this.fails)
    },
    inUse: () => this.inUse,
    onAlive: (peer, address) => this.alive.push(`${peer} ${address}`)
  })
  readonly outcomes: (number | string)[] = []

  ask(peer = 'you', address = theirs): Uint8Array | undefined {
    const before = this.sent.length
    this.probes.ask(peer, address, {
      onPong: uSec => this.outcomes.push(uSec),
      onFailed: reason => this.outcomes.push(reason)
    })
    return this.sent[before]?.datagram
  }
  /** The answer, if there is one. */
  hears(datagram: Uint8Array, from = 'tcp://192.0.2.9:24747'): Uint8Array | undefined {
    const before = this.sent.length
    this.probes.receive(datagram, from, at)
    return this.sent[before]?.datagram
  }
}

function met() {
  const [me, you] = [new End(), new End()]
  const { mine, yours } = session(1)
  me.probes.opened(1, mine)
  you.probes.opened(1, yours)
  me.probes.heard('you', 1)
  return { me, you }
}

t.test('a probe is answered from where it came, as long as itself, and measured once', async t => {
  const { me, you } = met()
  const probe = me.ask()!
  me.now = 3
  const pong = you.hears(probe, 'tcp://192.0.2.1:999')!
  t.same(you.sent, [{ to: 'tcp://192.0.2.1:999', datagram: pong, from: at }])
  t.same(you.alive, ['me tcp://192.0.2.1:999'])
  t.equal(pong.length, probe.length)
  t.equal(probe.length, PROBE_LENGTH)
  t.equal(me.hears(pong), undefined, 'nobody answers an answer')
  t.same(me.outcomes, [3000])
  t.same(me.alive, [], 'a pong is no probe')
  me.hears(pong)
  me.hears(probe)
  t.same(me.outcomes, [3000])
  t.match(me.probes.counters, { replay: 1, stranger: 0 })
  t.equal(you.hears(probe), undefined, 'a probe that is played back is not answered')
  t.equal(you.alive.length, 1)
})

t.test('a stranger gets silence, and learns nothing of indexes', async t => {
  const { you } = met()
  const stranger = new ProbeCipher({
    ...{ send: new Uint8Array(32), receive: new Uint8Array(32), hash: new Uint8Array(32) },
    probeSend: new Uint8Array(32),
    probeReceive: new Uint8Array(32),
    probeIndexes: { send: 1, receive: 2 }
  })
  t.equal(you.probes.receive(new Uint8Array(PROBE_LENGTH), theirs, at), false)
  t.equal(you.probes.receive(stranger.seal({ type: 1, number: 1 }), theirs, at), false, 'the index is ours')
  t.same(you.sent, [])
  t.same(you.alive, [])
  t.equal(you.probes.counters.forged, 1)
})

t.test('of one peer 50 in a second are answered, however many come', async t => {
  const { me, you } = met()
  let answered = 0
  for (let ms = 0; ms < 3000; ms++) {
    me.now = you.now = ms
    if (you.hears(me.ask()!) !== undefined) answered++
  }
  t.ok(answered >= 75 && answered <= 100, `${answered} in 3 s`)
  t.equal(you.probes.counters.rate, 3000 - answered)
  me.now = you.now = 4000
  t.ok(you.hears(me.ask()!), 'and a second later again')
})

t.test('what did not leave is told once; silence is told by nobody', async t => {
  const { me } = met()
  t.equal(me.ask('somebody'), undefined)
  me.fails = 'unreachable'
  me.ask()
  t.same(me.outcomes, ['no-keys', 'unreachable'])
  me.fails = ''
  for (let i = 0; i < 5000; i++) me.ask()
  t.equal(me.outcomes.length, 2)
})

t.test('answers after the time, of another peer, and by another way do not count', async t => {
  const { me, you } = met()
  const late = you.hears(me.ask()!)!
  me.now = 60_000
  me.ask()
  me.hears(late)
  const { mine, yours } = session(2)
  const third = new End()
  third.probes.opened(2, yours)
  me.probes.opened(2, { ...mine, peer: 'third' })
  const passed = me.probes.sealPassed('you', () => me.outcomes.push('passed'))!
  t.equal(you.hears(passed), undefined, 'what a witness hands on is not answered to an address')
  t.same(you.alive, ['me tcp://192.0.2.9:24747'], 'and shows no way there')
  t.match(you.probes.counters, { type: 1 })
  const again = me.probes.sealPassed('you', () => me.outcomes.push('passed'))!
  const pong = you.probes.receivePassed(again)!
  t.same(me.outcomes, [])
  t.equal(me.hears(pong), undefined)
  t.same(me.outcomes, [], 'a witness that sends the answer by UDP proves no address')
  t.same(me.probes.counters, { stranger: 0, replay: 0, forged: 0, rate: 0, unasked: 1, type: 1 })
  const direct = you.hears(me.ask()!)!
  t.equal(me.probes.receivePassed(direct), undefined)
  t.same(me.outcomes, [], 'nor does an answer by UDP count through a witness')
})

t.test(
  'keys: of the session in use, of the one before, until another boot or the end of membership',
  async t => {
    const { me, you } = met()
    const second = session(5)
    me.probes.opened(2, second.mine)
    t.ok(
      you.hears(me.ask()!),
      'who dialled seals with the old keys until the other end has shown the new ones'
    )
    you.probes.opened(2, second.yours)
    t.equal(readProbeHeader(you.ask('me')!)?.index, second.mine.probes.index)
    me.hears(you.ask('me')!)
    t.equal(readProbeHeader(me.ask()!)?.index, second.yours.probes.index)
    me.inUse = 1
    t.not(readProbeHeader(me.ask()!)?.index, second.yours.probes.index, 'the session in use comes first')
    me.inUse = undefined

    me.probes.closed('you', 1)
    me.probes.closed('you', 2)
    me.now = 599_000
    t.ok(me.ask(), 'keys outlive the sessions by 10 minutes')
    me.now = 601_000
    t.equal(me.ask(), undefined)
    t.equal(me.outcomes.at(-1), 'no-keys')

    const { me: one, you: other } = met()
    const old = other.ask('me')!
    one.probes.opened(3, session(9, { bootId: 'another' }).mine)
    t.equal(one.probes.receive(old, theirs, at), false, 'it has started anew: the old keys are gone')

    const { me: ours, you: removed } = met()
    const word = removed.ask('me')!
    ours.ask()
    ours.probes.keep(new Set(['somebody']))
    t.equal(ours.probes.receive(word, theirs, at), false, 'as if it had never been a member')
    t.equal(ours.ask(), undefined)
  }
)

t.test('one index for two sessions: both are tried', async t => {
  const [me, you, third] = [new End(), new End(), new End()]
  const [one, two] = [session(1, { index: 7 }), session(2, { index: 7 })]
  me.probes.opened(1, one.mine)
  me.probes.opened(2, { ...two.mine, peer: 'third' })
  you.probes.opened(1, one.yours)
  third.probes.opened(1, two.yours)
  t.ok(me.hears(you.ask('me')!))
  t.ok(me.hears(third.ask('me')!))
  t.same(me.alive, ['you tcp://192.0.2.9:24747', 'third tcp://192.0.2.9:24747'])
  t.match(me.probes.counters, { forged: 0 })
})

t.test('many sessions of one peer: the latest keys are kept, and no more', async t => {
  const [me, you] = [new End(), new End()]
  const all = Array.from({ length: 9 }, (_, i) => session(i + 1))
  for (const [i, { mine, yours }] of all.entries()) {
    me.probes.opened(i, mine)
    you.probes.opened(i, yours)
    you.inUse = i
  }
  const heard = all.map((_, i) => {
    you.inUse = i
    return me.probes.receive(you.ask('me')!, theirs, at)
  })
  t.same(heard.slice(-4), [true, true, true, true])
  t.equal(ProbeType.Probe, 1)
})
