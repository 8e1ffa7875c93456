/** Joining by a code, as the gate sees it: honest and hostile joiners, over links in memory. */
import t, { type Test } from 'tap'
import { JOINERS, JOINERS_PER_SOURCE } from '../../src/daemon/sessions/half-open.ts'
import { Kind } from '../../src/wire/frame.ts'
import { encodeJoinMessage, JoinMessage } from '../../src/wire/joining.ts'
import { Clock } from '../sim/clock.ts'
import type { SimLink } from '../sim/link.ts'
import { CODE, cheapHandshake, Invited, type Options, WRONG } from './codes.ts'
import { Device, dial, fill, TestCircle, watch } from './gates.ts'

const joiner = new TestCircle('joiner')
const opening = encodeJoinMessage(JoinMessage.SidA, fill(1, 16))

t.test('a run with the right code: both have the session; who asks is confirmed and added', async t => {
  const asks: unknown[] = []
  const invited = new Invited({
    confirm: async ask => {
      asks.push(ask)
      t.equal(invited.device.gate.halfOpen, 0, 'a person may take his time')
      return true
    }
  })
  const { clock, device } = invited
  const trying = invited.try(invited.link('192.0.2.9', () => 3))
  await clock.settle(100)
  const offered = await trying
  const { bootId, gid, id, identity, statics } = invited.circle
  t.match(offered.offer, { gid, bootId, level: 10, circle: 'our circle', device: 'the inviting device' })
  t.same(offered.offer.key, identity.publicKey)
  t.same(offered.offer.staticKey, statics[0]!.publicKey)
  t.equal(offered.session.peer, id)
  t.equal(offered.session.handshakeUSec, 10_000)
  t.same(device.sessions, [], 'no session before it asked')
  const verdict = invited.ask(offered, joiner)
  await clock.settle(200)
  t.equal(await verdict, 'ok')
  t.same(asks, [{ id: joiner.id, name: 'the joiner', circle: 'our circle', level: 10, guestForMs: 0 }])
  t.same(invited.types, ['run', 'asking', 'joined'])
  t.equal(invited.outcome, 'joined the joiner')
  const [answered] = device.sessions
  t.equal(answered?.session.peer, joiner.id)
  t.equal(answered?.session.bootId, Buffer.from(joiner.bootId).toString('hex'))
  t.same(answered?.session.hash, offered.session.hash)
  offered.session.send(Kind.Gossip, fill(1))
  await clock.settle(300)
  t.same(answered?.frames, [[Kind.Gossip, fill(1)]], 'and goes on as an ordinary one')
})

t.test('without an open invitation: not a byte, an end within 5 s', async t => {
  const clock = new Clock()
  const device = new Device(clock, 'nobody', new TestCircle('nobody'))
  const links = [opening, opening.subarray(0, 20), opening.subarray(0, 8)].map(bytes => {
    const link = dial(device, { clock })
    link.write([bytes])
    return watch(link)
  })
  await clock.settle(5_500)
  for (const { bytes, closed } of links) t.same([bytes, closed.length], [0, 1])
  t.equal(device.gate.counters.uninvited, 3)

  const over = new Invited()
  over.invitation.cancel()
  const { bytes, closed } = watch(over.link())
  await over.clock.settle(5_500)
  t.same([bytes, closed.length, over.types], [0, 1, ['ended']])
})

t.test('wrong codes: three tries, then silence', async t => {
  const invited = new Invited()
  const words: string[] = []
  for (let n = 0; n < 5; n++) words.push(await invited.outcomeOf(invited.try(invited.link(), WRONG)))
  t.same(words, ['wrong 2', 'wrong 1', 'wrong 0', 'silent', 'silent'])
  t.same(invited.types, ['run', 'wrong', 'run', 'wrong', 'run', 'wrong', 'ended'])
  t.same(invited.events.at(-1), { type: 'ended', reason: 'tries' })
  t.match(invited.outcome, /^CodeEnded a wrong code was tried 3 times/)
  t.equal(await invited.outcomeOf(invited.try(invited.link('192.0.2.10'))), 'silent', 'nor the right one')
  t.equal(invited.device.gate.counters.code, 3)
  t.equal(invited.device.gate.halfOpen, 0)
})

t.test('a hostile joiner tries 1,000 codes, many at once: 3 tries', async t => {
  const invited = new Invited({ handshake: cheapHandshake })
  const guess = (n: number) => `AAAA${String(n).padStart(4, '0')}`
  const words: Promise<string>[] = []
  for (let n = 0; n < 1_000; n++) {
    words.push(invited.outcomeOf(invited.try(invited.link(`192.0.${n % 50}.9`), guess(n))))
    await invited.clock.settle(invited.clock.now + 20)
  }
  const all = (await Promise.all(words)).sort()
  t.same(all.slice(-3), ['wrong 0', 'wrong 1', 'wrong 2'])
  t.ok(
    all.slice(0, -3).every(word => word === 'silent' || word === 'lost'),
    'silence for all others'
  )
  await invited.clock.settle(invited.clock.now + 6_000)
  t.equal(invited.events.filter(({ type }) => type === 'wrong').length, 3)
  t.equal(invited.device.gate.halfOpen, 0)
})

/** Goes away after so many messages: with the last of them, or with the answer to it. */
function leaving(link: SimLink, messages: number, answered: boolean): SimLink {
  const write = link.write.bind(link)
  let sent = 0
  link.write = parts => {
    write(parts)
    if (++sent < messages) return
    if (answered) link.onData = () => link.destroy()
    else link.destroy()
  }
  return link
}

t.test('1,000 that hang up at any message end nothing, and keep nobody out', async t => {
  const invited = new Invited({ handshake: cheapHandshake })
  const { clock } = invited
  const gone = (link: SimLink, code: string) => void invited.try(link, code).catch(() => {})
  let offered: string | undefined
  for (let n = 0; n < 1_000; n++) {
    const link = invited.link('192.0.2.66')
    if (n % 5 === 0) link.destroy()
    else gone(leaving(link, 1 + (n % 2), n % 3 === 0), WRONG)
    if (n === 500)
      void invited.outcomeOf(invited.try(invited.link('192.0.2.9'))).then(word => {
        offered = `${word} after ${clock.now - at} ms`
      })
    const at = n < 500 ? clock.now : clock.now - (n - 500) * 7
    await clock.settle(clock.now + 7)
  }
  await clock.settle(clock.now + 1_000)
  t.match(offered, /^offered after \d{1,3} ms$/, 'an honest one from elsewhere gets in meanwhile')
  t.ok(invited.invitation.accepting)
  t.equal(invited.events.filter(({ type }) => type === 'wrong').length, 0)
  t.ok(invited.events.filter(({ type }) => type === 'run').length > 5, 'some had their turn')

  t.comment('and so with the right code, up to the request')
  for (let n = 0; n < 40; n++) {
    gone(leaving(invited.link(`192.0.3.${n}`), 1 + (n % 4), n % 8 < 4), CODE)
    await clock.settle(clock.now + 300)
  }
  await clock.settle(clock.now + 40_000)
  t.ok(invited.invitation.accepting)
  t.equal(invited.device.gate.halfOpen, 0)
  t.equal(await invited.outcomeOf(invited.try(invited.link())), 'offered')
})

t.test('many sources at once: bounded, and one with the code is not put out', async t => {
  const invited = new Invited({ handshake: cheapHandshake })
  const { clock, device } = invited
  const shown = invited.try(invited.link('192.0.2.9'))
  await clock.settle(100)
  const offered = await shown
  for (let n = 0; n < 4 * JOINERS; n++) invited.link(`10.0.${n >> 6}.${n & 63}`).write([opening])
  await clock.settle(200)
  t.ok(device.gate.halfOpen <= JOINERS + 4 * JOINERS)
  t.ok(device.gate.counters.evicted > 0)
  const verdict = invited.ask(offered, joiner)
  await clock.settle(300)
  t.equal(await verdict, 'ok')
  const same = new Invited({ handshake: cheapHandshake })
  for (let n = 0; n < 10; n++) same.link().write([opening])
  await same.clock.settle(100)
  t.equal(same.device.gate.counters['half-open'], 10 - JOINERS_PER_SOURCE)
})

/** Runs with one byte of one side’s messages changed, cut off, or one too many; what became of each. */
async function sweep(
  t: Test,
  side: 'joiner' | 'inviter',
  handshake: Options['handshake'],
  step: number
): Promise<void> {
  const lengths = side === 'joiner' ? [21, 37, 69, 117, 258] : [21, 37, 69, 309, 82]
  let runs = 0
  for (const [message, length] of lengths.entries())
    for (let at = 0; at < length; at += step)
      for (const how of ['flip', 'cut', 'more'] as const) {
        // behind the last one a byte is the beginning of the next record
        if (how === 'more' && (at > 0 || message === 4)) continue
        runs++
        const what = `${how} ${at} of message ${message}`
        const invited = new Invited(handshake ? { handshake } : {})
        const { clock, device } = invited
        const link = invited.link()
        const from = side === 'joiner' ? link : link.other
        let count = 0
        from.tamper = bytes => {
          if (count++ !== message) return bytes
          const changed = Buffer.from(bytes)
          if (how === 'flip') changed[at]! ^= 0x41
          if (how === 'more') return Buffer.concat([bytes, Buffer.from('C')])
          return how === 'cut' ? changed.subarray(0, at) : changed
        }
        const trying = invited.try(link)
        let said = ''
        trying.then(
          offered =>
            invited.ask(offered, joiner).then(verdict => {
              said = verdict
            }),
          error => {
            said = error.reason
          }
        )
        await clock.settle(clock.now + 41_000)
        const wrong = invited.events.filter(({ type }) => type === 'wrong').length
        // sids and shares that differ, or a tag that does, are a wrong code to the inviter
        const tries = how === 'flip' && at >= 5 && message < (side === 'joiner' ? 3 : 2) ? 1 : 0
        if (said === 'ok') t.fail(`${what}: joined`)
        // whoever waits for a verdict has a limit of his own
        if (said === '' && !(side === 'inviter' && message === 4)) t.fail(`${what}: nothing said`)
        if (handshake && wrong !== tries) t.fail(`${what}: ${wrong} tries`)
        if (device.gate.halfOpen > 0) t.fail(`${what}: half open`)
        if (device.sessions.length > (side === 'inviter' && message === 4 ? 1 : 0))
          t.fail(`${what}: a session`)
        if (device.logged.length > 0) t.fail(`${what}: ${device.logged}`)
      }
  t.comment(`${runs} runs`)
}
t.test('every byte of the joiner, changed or cut off', async t => {
  await sweep(t, 'joiner', cheapHandshake, 1)
})

t.test('every byte of the inviter, changed or cut off', async t => {
  await sweep(t, 'inviter', cheapHandshake, 1)
})

t.test('some of them with the real group', async t => {
  await sweep(t, 'joiner', undefined, 13)
  await sweep(t, 'inviter', undefined, 17)
})

t.test('a relay in the middle without the code: learns nothing, and cannot join', async t => {
  const invited = new Invited()
  const { clock } = invited
  const link = invited.link()
  const seen: Buffer[] = []
  link.tamper = link.other.tamper = bytes => {
    seen.push(bytes)
    return bytes
  }
  const trying = invited.try(link)
  await clock.settle(100)
  const offered = await trying
  const verdict = invited.ask(offered, joiner)
  await clock.settle(200)
  t.equal(await verdict, 'ok', 'it carries all of it')
  const all = Buffer.concat(seen)
  const { gid, identity, statics, bootId } = invited.circle
  const secrets = { gid, bootId, key: identity.publicKey, static: statics[0]!.publicKey }
  const theirs = { key: joiner.identity.publicKey, static: joiner.statics[0]!.publicKey }
  for (const bytes of [...Object.values(secrets), ...Object.values(theirs)])
    t.notOk(all.includes(Buffer.from(bytes.subarray(0, 8))), 'no key, no id')
  for (const word of ['our circle', 'inviting', 'joiner', 'K7QF', '2M9X'])
    t.notOk(all.includes(word), `no ${word}`)
  const again = new Invited({ seed: 'another run' })
  const replay = again.link()
  const answers = watch(replay)
  for (const bytes of seen.filter((_, at) => at % 2 === 0).slice(0, 3)) {
    replay.write([bytes])
    await again.clock.settle(again.clock.now + 100)
  }
  t.equal(answers.bytes, 21 + 37 + 6, 'what it saw is a wrong code elsewhere')
  t.same(again.types, ['run', 'wrong'])
  t.equal(again.circle.requests.length, 0)
})

t.test('words out of turn end a run', async t => {
  const invited = new Invited({ handshake: cheapHandshake })
  const { clock, device } = invited
  const messages = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1f] as const
  const lengths: Record<number, number> = {
    16: 16,
    17: 16,
    18: 32,
    19: 32,
    20: 64,
    21: 64,
    22: 112,
    23: 304,
    31: 1
  }
  const whole = (type: JoinMessage) => encodeJoinMessage(type, fill(1, lengths[type]))
  for (const [at, type] of messages.entries()) {
    for (const before of [0, 1]) {
      if (type === (before === 0 ? 0x10 : 0x12)) continue
      const link = invited.link(`192.0.${before}.${at}`)
      const { closed } = watch(link)
      if (before === 1) link.write([opening])
      await clock.settle(clock.now + 300)
      link.write([whole(type)])
      await clock.settle(clock.now + 6_000)
      t.equal(closed.length, 1, `${type.toString(16)} ${before === 0 ? 'first' : 'second'}`)
    }
  }
  // a Wrong is shorter than any first message: it is waited for
  t.same([device.gate.counters.garbage, device.gate.counters.timeout], [15, 1])
  const both = invited.link()
  const { bytes } = watch(both)
  both.write([opening, whole(0x12)])
  await clock.settle(clock.now + 6_000)
  t.equal(bytes, 0, 'two messages at once')
  t.ok(invited.invitation.accepting)
  t.equal(device.gate.halfOpen, 0)
})
