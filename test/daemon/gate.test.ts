import t from 'tap'
import {
  createInitiation,
  createTicketInitiation,
  staticProof,
  ticketPsk
} from '../../src/crypto/handshake.ts'
import { ed25519, x25519 } from '../../src/crypto/provider.ts'
import { CALLERS, CALLERS_PER_SOURCE, STRANGERS } from '../../src/daemon/sessions/half-open.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { ProbeType, readProbeHeader } from '../../src/wire/probe.ts'
import { Clock } from '../sim/clock.ts'
import { linkPair, type SimLink } from '../sim/link.ts'
import { Device, dial, fill, seeded, TestCircle, twoDevices, watch } from './gates.ts'

const peerOf = (circle: TestCircle) => ({ id: circle.id, staticKey: circle.statics[0]!.publicKey })

/** A first message of `from` to `to`, with an ephemeral of its own. */
function firstMessage(
  from: TestCircle,
  to: TestCircle,
  ephemeral: Uint8Array,
  operations: Uint8Array[] = []
) {
  return createInitiation(
    {
      gid: to.gid,
      key: from.statics[0]!,
      peerKey: to.statics[0]!.publicKey,
      ephemeral: x25519(ephemeral)
    },
    {
      versions: { least: 1, greatest: 1 },
      bootId: from.bootId,
      logHead: from.logHead,
      features: 0,
      operations
    }
  ).message
}

t.test('two members meet: both have the session, confirmed, with each other’s words', async t => {
  const { clock, mine, theirs, one, two } = twoDevices()
  const link = dial(two, { clock, delayMs: 5, chunk: () => 7 })
  const dialling = one.gate.dial(link, mine, peerOf(theirs))
  await clock.settle(11)
  const session = await dialling
  one.opened(mine, session)
  t.equal(two.sessions.length, 0, 'not before the first record of the initiator')
  t.equal(two.gate.halfOpen, 1)
  await clock.settle(100)
  t.equal(two.gate.halfOpen, 0)
  const [answered] = two.sessions
  t.equal(answered?.circle, theirs)
  t.same(answered?.session.hash, session.hash)
  t.equal(answered?.session.peer, mine.id)
  t.equal(session.peer, theirs.id)
  t.equal(session.bootId, Buffer.from(theirs.bootId).toString('hex'))
  t.equal(answered?.session.bootId, Buffer.from(mine.bootId).toString('hex'))
  t.same(answered?.session.peerLogHead, mine.logHead)
  t.equal(session.handshakeUSec, 10_000)
  t.equal(answered?.session.handshakeUSec, 0)
  t.ok(session.outgoing && !answered?.session.outgoing)
  t.same(answered?.frames, [], 'the confirming record says nothing')
  session.send(Kind.Message, fill(1))
  answered?.session.send(Kind.Log, fill(2))
  await clock.settle(200)
  t.same(answered?.frames, [[Kind.Message, fill(1)]])
  t.same(one.sessions[0]?.frames, [[Kind.Log, fill(2)]])
  const probe = { type: ProbeType.Probe, number: 7 }
  const datagram = session.probes.seal(probe)
  t.equal(readProbeHeader(datagram)?.index, answered?.session.probes.index)
  t.same(answered?.session.probes.open(readProbeHeader(datagram)!, datagram), probe)
})

t.test('a lost device is told one frame, and nothing else of us', async t => {
  const { clock, mine, theirs, one, two } = twoDevices()
  theirs.members.clear()
  const dialled = async () => {
    const session = await one.gate.dial(dial(two, { clock, delayMs: 5 }), mine, peerOf(theirs))
    one.opened(mine, session)
    return session
  }
  t.equal(
    await Promise.race([dialled().catch(e => e.message), clock.settle(6_000).then(() => 'late')]),
    'reset'
  )
  t.equal(two.gate.counters.stranger, 1, 'a device that was removed and is not lost gets silence')
  theirs.lost.set(Buffer.from(mine.statics[0]!.publicKey).toString('hex'), {
    peer: mine.id,
    frame: fill(7, 60)
  })
  const dialling = dialled()
  await clock.settle(clock.now + 100)
  const session = await dialling
  t.same(session.bootId, '00'.repeat(16))
  t.same(session.peerLogHead, new Uint8Array(32))
  session.send(Kind.Log, fill(1))
  await clock.settle(clock.now + 1_000)
  t.same(one.sessions[0]?.frames, [
    [Kind.Recovery, fill(7, 60)],
    [Kind.Close, Uint8Array.of(0, CloseReason.Removed)]
  ])
  t.same(two.sessions, [], 'it is no session of a circle')
  t.equal(two.gate.counters.lost, 1)
  t.equal(two.gate.halfOpen, 0)
})

t.test('several circles on one listener, and a previous static key', async t => {
  const clock = new Clock()
  const circles = [1, 2, 3].map(byte => ({
    mine: new TestCircle('one', fill(byte)),
    theirs: new TestCircle(`two ${byte}`, fill(byte))
  }))
  for (const { mine, theirs } of circles) theirs.knows(mine)
  const one = new Device(clock, 'one', ...circles.map(({ mine }) => mine))
  const two = new Device(clock, 'two', ...circles.map(({ theirs }) => theirs))
  const known = circles.map(({ theirs }) => peerOf(theirs))
  circles[1]!.theirs.statics = [x25519(fill(99)), ...circles[1]!.theirs.statics]
  for (const [index, { mine }] of circles.entries()) {
    one.gate
      .dial(dial(two, { clock, from: `tcp://192.0.2.${index}:4000` }), mine, known[index]!)
      .catch(t.error)
  }
  await clock.settle(50)
  t.same(
    two.sessions.map(({ circle }) => circle),
    circles.map(({ theirs }) => theirs)
  )
})

t.test(
  'one whom the circle does not know is admitted by the operations it brings, before message 2',
  async t => {
    const { clock, mine, theirs, one, two } = twoDevices()
    theirs.members.clear()
    mine.operations = [fill(1, 400), fill(2, 100)]
    let stored = () => {}
    theirs.learn = async () => {
      await new Promise<void>(resolve => {
        stored = resolve
      })
      theirs.knows(mine)
    }
    const link = dial(two, { clock })
    const answers = watch(link)
    link.write([firstMessage(mine, theirs, fill(5), mine.operations)])
    await clock.settle(100)
    t.same(theirs.admitted, mine.operations)
    t.equal(answers.bytes, 0, 'nothing is said before it is on disk')
    stored()
    await clock.settle(200)
    t.equal(answers.bytes, 120)

    theirs.members.clear()
    theirs.learn = async () => {}
    await t.rejects(
      Promise.all([one.gate.dial(dial(two, { clock }), mine, peerOf(theirs)), clock.settle(10_000)]),
      { message: /reset|timeout/ },
      'operations that do not make it a member get silence'
    )
    t.equal(two.gate.counters.stranger, 1)
  }
)

t.test('an error of ours while admitting is logged, and silence outside', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  theirs.members.clear()
  theirs.learn = async () => {
    throw new Error('disk on fire')
  }
  const link = dial(two, { clock })
  const answers = watch(link)
  link.write([firstMessage(mine, theirs, fill(5), [fill(1)])])
  await clock.settle(10_000)
  t.equal(answers.bytes, 0)
  t.match(two.logged.join(), /internal error.*disk on fire/)
})

t.test(
  'every flipped byte and every truncation of message 1: not a byte back, an end within 5 s',
  async t => {
    const { clock, mine, theirs, two } = twoDevices()
    const joiner = new TestCircle('three')
    theirs.addTicket('t', fill(1, 16))
    const member = firstMessage(mine, theirs, fill(5))
    const ticket = createTicketInitiation(
      {
        gid: theirs.gid,
        key: joiner.statics[0]!,
        peerKey: theirs.statics[0]!.publicKey,
        ephemeral: x25519(fill(6))
      },
      ticketPsk(fill(1, 16)),
      {
        versions: { least: 1, greatest: 1 },
        bootId: joiner.bootId,
        features: 0,
        key: joiner.identity.publicKey,
        signature: joiner.identity.sign(
          staticProof(theirs.gid, joiner.identity.publicKey, joiner.statics[0]!.publicKey, 0)
        ),
        suites: 1,
        name: 'three'
      }
    ).message
    let run = 0
    for (const whole of [member, ticket]) {
      const messages: Uint8Array[] = []
      for (let at = 0; at < whole.length; at++) {
        for (const bits of [1, 0x80, 0xff]) {
          const changed = whole.slice()
          changed[at]! ^= bits
          messages.push(changed)
        }
        messages.push(whole.slice(0, at))
        messages.push(Buffer.concat([whole, whole.subarray(0, at + 1)]))
      }
      for (let from = 0; from < messages.length; from += 100) {
        const start = clock.now
        const links = messages.slice(from, from + 100).map(message => {
          const link = dial(two, { clock, chunk: length => Math.ceil(length / 2) })
          link.write([message])
          return watch(link)
        })
        await clock.settle(start + 5_500)
        for (const seen of links) {
          run++
          if (seen.bytes > 0) t.fail('an answer')
          if (seen.closed.length !== 1) t.fail('still open')
        }
      }
    }
    t.ok(run > 2_400, `${run} links`)
    t.equal(two.gate.halfOpen, 0)
    t.same(two.sessions, [])
    t.same(two.logged, [])
  }
)

t.test('when a refused link ends does not tell where it failed', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const ends: number[] = []
  for (let index = 0; index < 200; index++) {
    const link = dial(two, { clock })
    const start = clock.now
    link.onClose = () => ends.push(clock.now - start)
    link.write([
      index % 2 ? Buffer.from('GET / HTTP/1.1\r\n\r\n') : firstMessage(mine, new TestCircle('x'), fill(1))
    ])
    await clock.settle(clock.now + 5_500)
  }
  t.equal(ends.length, 200)
  t.ok(Math.max(...ends) <= 5_250)
  t.ok(Math.min(...ends) < 500 && Math.max(...ends) > 4_500, 'spread over the whole time')
  t.equal(theirs.admitted.length, 0)
})

t.test(
  'a replayed message 1 gets nothing; after a restart it cannot confirm, and hurts no session',
  async t => {
    const { clock, mine, theirs, one, two } = twoDevices()
    const { dialled, accepted } = linkPair({ clock })
    let recorded: Buffer | undefined
    dialled.tamper = bytes => {
      recorded ??= Buffer.from(bytes)
      return bytes
    }
    two.gate.accept(accepted)
    const dialling = one.gate.dial(dialled, mine, peerOf(theirs))
    await clock.settle(10)
    one.opened(mine, await dialling)

    const replay = dial(two, { clock, from: 'tcp://198.51.100.1:1' })
    const seen = watch(replay)
    replay.write([recorded!])
    await clock.settle(8_000)
    t.equal(seen.bytes, 0)
    t.equal(two.gate.counters.replay, 1)

    const restarted = new Device(clock, 'two again', theirs)
    const again = dial(restarted, { clock, from: 'tcp://198.51.100.1:1' })
    const answered = watch(again)
    again.write([recorded!])
    await clock.settle(9_000)
    t.equal(answered.bytes, 120, 'it cannot be told from a first one')
    again.write([Buffer.alloc(82, 1).fill(0, 0, 1).fill(80, 1, 2)])
    await clock.settle(20_000)
    t.same(restarted.sessions, [])
    t.equal(restarted.gate.counters.unconfirmed, 1)
    t.equal(restarted.gate.halfOpen, 0)

    one.sessions[0]!.session.send(Kind.Message, fill(1))
    await clock.settle(21_000)
    t.equal(two.sessions[0]?.frames.length, 1)
    t.same(one.sessions[0]?.closed, [])
  }
)

t.test('who sends nothing after message 2 is let go after 5 s', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const link = dial(two, { clock })
  const seen = watch(link)
  link.write([firstMessage(mine, theirs, fill(5))])
  await clock.settle(4_900)
  t.equal(seen.bytes, 120)
  t.equal(two.gate.halfOpen, 1)
  await clock.settle(5_300)
  t.equal(two.gate.halfOpen, 0)
  t.same(seen.closed, ['reset'])
  t.equal(two.gate.counters.timeout, 1)
})

t.test('callers: 4 of one source, 64 in all, and no more until some are gone', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const ephemeral = seeded('callers')
  const call = async (source: string) => {
    const link = dial(two, { clock, from: source })
    const seen = watch(link)
    link.write([firstMessage(mine, theirs, ephemeral(32))])
    await clock.settle(clock.now + 21)
    return seen
  }
  for (let index = 0; index < CALLERS_PER_SOURCE; index++)
    t.equal((await call('tcp://192.0.2.1:1')).bytes, 120)
  t.equal((await call('tcp://192.0.2.1:1')).bytes, 0)
  t.equal(two.gate.counters['half-open'], 1)
  for (let index = CALLERS_PER_SOURCE; index < CALLERS; index++) await call(`tcp://198.51.100.${index}:1`)
  t.equal((await call('tcp://203.0.113.1:1')).bytes, 0)
  t.equal(two.gate.counters['half-open'], 2)
  await clock.settle(clock.now + 5_500)
  t.equal((await call('tcp://203.0.113.1:1')).bytes, 120)
})

t.test('more than 100 valid first messages at once: the rest costs nothing and gets nothing', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const ephemeral = seeded('flood')
  const all = Array.from({ length: 150 }, (_, index) => {
    const link = dial(two, { clock, from: `tcp://192.0.${index}.1:1` })
    const seen = watch(link)
    link.write([firstMessage(mine, theirs, ephemeral(32))])
    return seen
  })
  await clock.settle(10)
  t.equal(all.filter(({ bytes }) => bytes > 0).length, CALLERS)
  t.equal(two.gate.counters.rate, 50)
})

t.test('thousands of links with garbage: bounded in number and memory; a member still gets in', async t => {
  const { clock, mine, theirs, one, two } = twoDevices()
  const garbage = Buffer.alloc(1200, 'COT1')
  const links: SimLink[] = []
  const open = () => links.filter(({ state }) => state === 'open').length
  let most = 0
  for (let round = 0; round < 60; round++) {
    for (let index = 0; index < 100; index++) {
      const link = dial(two, { clock, from: `tcp://192.0.2.${index}:${round + 1}` })
      links.push(link)
      if (index % 3 > 0) link.write([garbage.subarray(0, index * (index % 3 === 1 ? 1 : 11))])
    }
    await clock.settle(clock.now + 10)
    most = Math.max(most, two.gate.halfOpen)
    t.ok(open() <= STRANGERS)
  }
  t.ok(most <= STRANGERS + CALLERS)
  t.ok(two.gate.counters.evicted > 5_000)
  const session = one.gate.dial(dial(two, { clock }), mine, peerOf(theirs))
  await clock.settle(clock.now + 100)
  t.equal((await session).peer, theirs.id)
  await clock.settle(clock.now + 6_000)
  t.equal(open(), 0)
  t.equal(two.gate.halfOpen, 0)
  t.same(two.logged, [])
})

t.test('a refused link that keeps talking is cut off', async t => {
  const { clock, two } = twoDevices()
  const link = dial(two, { clock })
  const seen = watch(link)
  for (let index = 0; index < 70; index++) link.write([Buffer.alloc(1000, 'x')])
  clock.run(0)
  clock.run(1)
  t.same(seen.closed, ['reset'])
  t.equal(seen.bytes, 0)
})

t.test('joining by ticket: the answer first, then a session as any other', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const joiner = new TestCircle('three')
  const three = new Device(clock, 'three')
  const ticket = {
    gid: theirs.gid,
    key: theirs.identity.publicKey,
    staticKey: theirs.statics[0]!.publicKey,
    secret: fill(9, 16)
  }
  const keys = { identity: joiner.identity, static: joiner.statics[0]!, bootId: joiner.bootId, name: 'Three' }
  const join = async () => {
    const joining = three.gate.join(dial(two, { clock }), ticket, keys)
    joining.catch(() => {})
    await clock.settle(clock.now + 6_000)
    return joining
  }
  await t.rejects(join(), { message: 'reset' }, 'without an open ticket there is silence')
  theirs.addTicket('other', fill(1, 16))
  theirs.addTicket('this', fill(9, 16))
  const { answer, session } = await join()
  t.same(answer, { result: 'ok' })
  t.match(theirs.requests[0], { id: joiner.id, name: 'Three', suites: 1 })
  t.same(theirs.requests[0]?.staticKey, joiner.statics[0]?.publicKey)
  t.equal(session?.peer, theirs.id)
  t.equal(two.sessions[0]?.session.peer, joiner.id)
  two.sessions[0]?.session.send(Kind.Log, fill(3))
  session?.close(CloseReason.Done)
  await clock.settle(clock.now + 100)
  t.same(two.sessions[0]?.frames, [[Kind.Close, Uint8Array.of(0, CloseReason.Done)]])

  theirs.redeemed = () => ({ result: 'used' })
  t.same(await join(), { answer: { result: 'used' }, session: undefined })
  theirs.redeemed = () => undefined
  await t.rejects(join(), { message: 'reset' })
  t.equal(two.sessions.length, 1)
  t.equal(two.gate.halfOpen, 0)
  const forged = { ...keys, identity: { ...ed25519(fill(8)), publicKey: mine.identity.publicKey } }
  theirs.redeemed = () => ({ result: 'ok' })
  await t.rejects(
    Promise.all([three.gate.join(dial(two, { clock }), ticket, forged), clock.settle(clock.now + 6_000)]),
    { message: 'reset' },
    'the static key must be signed by the identity'
  )
})

t.test('dialling gives up with a word, whatever the other side does', async t => {
  const { clock, mine, theirs, one, two } = twoDevices()
  const attempt = async (act: (near: SimLink, far: SimLink) => void) => {
    const { dialled, accepted } = linkPair({ clock })
    act(dialled, accepted)
    const dialling = one.gate.dial(dialled, mine, peerOf(theirs))
    const reason = dialling.then(
      () => 'opened',
      (error: Error) => error.message
    )
    await clock.settle(clock.now + 6_000)
    return `${await reason} ${dialled.state}`
  }
  t.equal(await attempt(() => {}), 'timeout closed')
  t.equal(await attempt((_, far) => far.close()), 'closed closed')
  t.equal(await attempt((_, far) => far.destroy()), 'reset closed')
  t.equal(await attempt((_, far) => far.write([Buffer.from('SSH-2.0-x\r\n')])), 'protocol closed')
  t.equal(await attempt((_, far) => far.write([Buffer.from('COT1')])), 'timeout closed')
  t.equal(await attempt((_, far) => far.write([firstMessage(theirs, mine, fill(1))])), 'protocol closed')
  for (let at = 0; at < 120; at++) {
    const reason = await attempt((_, far) => {
      far.tamper = bytes => {
        bytes[at]! ^= 1
        return bytes
      }
      two.gate.accept(far)
    })
    if (!['protocol closed', 'timeout closed', 'reset closed'].includes(reason))
      t.fail(`byte ${at}: ${reason}`)
  }
  t.equal(await attempt((_, far) => two.gate.accept(far)), 'opened open')
})

t.test('a stopped gate ends what is half-open and takes no more', async t => {
  const { clock, mine, theirs, two } = twoDevices()
  const links = [dial(two, { clock }), dial(two, { clock })]
  links[1]!.write([firstMessage(mine, theirs, fill(5))])
  await clock.settle(10)
  two.gate.stop()
  links.push(dial(two, { clock }))
  await clock.settle(20)
  t.same(
    links.map(({ state }) => state),
    ['closed', 'closed', 'closed']
  )
  t.equal(two.gate.halfOpen, 0)
})
