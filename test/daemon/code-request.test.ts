/** Joining by a code: from the session to the verdict, and what an invitation makes of it. */
import t from 'tap'
import { x25519 } from '../../src/crypto/provider.ts'
import { SILENT_MS } from '../../src/daemon/joining/inviter-run.ts'
import type { Offered } from '../../src/daemon/joining/joiner-run.ts'
import type { JoinAsk } from '../../src/daemon/joining/open-invitation.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { cheapHandshake, Invited, LIFETIME_MS, type Options, requestOf, WRONG } from './codes.ts'
import { fill, TestCircle } from './gates.ts'

const [ben, cleo] = [new TestCircle('ben'), new TestCircle('cleo')]

/** A person who has not answered yet. */
class Person {
  readonly asks: JoinAsk[] = []
  readonly signals: AbortSignal[] = []
  say: (yes: boolean) => void = () => {}
  fail: (error: Error) => void = () => {}
  readonly confirm = (ask: JoinAsk, signal: AbortSignal): Promise<boolean> => {
    this.asks.push(ask)
    this.signals.push(signal)
    return new Promise((resolve, reject) => {
      this.say = resolve
      this.fail = reject
    })
  }
}

async function offered(invited: Invited, source?: string): Promise<Offered> {
  const trying = invited.try(invited.link(source))
  // one run a second of one source
  await invited.clock.settle(invited.clock.now + 1_500)
  return trying
}

function asked(options: Options = {}): { invited: Invited; person: Person } {
  const person = new Person()
  return { invited: new Invited({ handshake: cheapHandshake, confirm: person.confirm, ...options }), person }
}

/** What is said within this time; '' is nothing. */
async function within(invited: Invited, ms: number, saying: Promise<string>): Promise<string> {
  let said = ''
  saying.then(word => {
    said = word
  })
  await invited.clock.settle(invited.clock.now + ms)
  return said
}

/** As an honest joiner does while it waits. */
function pinging({ session }: Offered, invited: Invited): void {
  const ping = () => {
    session.send(Kind.Ping, new Uint8Array(8))
    invited.clock.after(4_000, ping)
  }
  ping()
}

t.test('a person says no: the code is no longer good', async t => {
  const { invited, person } = asked()
  const one = await offered(invited)
  const verdict = invited.ask(one, ben)
  await invited.clock.settle(invited.clock.now + 100)
  person.say(false)
  t.equal(await within(invited, 100, verdict), 'declined')
  t.same(invited.types, ['run', 'asking', 'declined'])
  t.match(invited.outcome, /^Declined the joiner was not let in/)
  t.notOk(invited.invitation.accepting)
  t.same(invited.device.sessions, [])
})

t.test('a person takes his time, and the code ends before: the joiner is told', async t => {
  const { invited, person } = asked()
  const one = await offered(invited)
  const verdict = invited.ask(one, ben)
  pinging(one, invited)
  t.equal(await within(invited, LIFETIME_MS - 2_000, verdict), '')
  t.notOk(person.signals[0]?.aborted)
  t.equal(await within(invited, 3_000, verdict), 'expired')
  t.ok(person.signals[0]?.aborted, 'the question is withdrawn')
  t.same(invited.events.at(-1), { type: 'ended', reason: 'expired' })
  t.match(invited.outcome, /^CodeEnded the code has expired/)
  person.say(true)
  await invited.clock.settle(invited.clock.now + 1_000)
  t.equal(invited.members.size, 0, 'a late yes lets nobody in')
})

t.test('cancelled while a person is asked', async t => {
  const { invited, person } = asked()
  const verdict = invited.ask(await offered(invited), ben)
  await invited.clock.settle(invited.clock.now + 100)
  invited.invitation.cancel()
  t.equal(await within(invited, 100, verdict), 'expired')
  t.ok(person.signals[0]?.aborted)
  t.match(invited.outcome, /^Cancelled /)
})

t.test('nobody can be asked: the joiner is declined, the inviter is told why', async t => {
  const { invited, person } = asked()
  const verdict = invited.ask(await offered(invited), ben)
  await invited.clock.settle(invited.clock.now + 100)
  person.fail(Object.assign(new Error('the agent is gone'), { code: 'NoAgent' }))
  t.equal(await within(invited, 100, verdict), 'declined')
  t.equal(invited.outcome, 'NoAgent the agent is gone')
})

t.test('the joiner goes while it is asked about: the code stays as good as it was', async t => {
  const { invited, person } = asked()
  for (const how of ['closes', 'vanishes', 'is silent'] as const) {
    const one = await offered(invited)
    const verdict = invited.ask(one, ben)
    await invited.clock.settle(invited.clock.now + 100)
    if (how === 'closes') one.session.close(CloseReason.Done)
    if (how === 'vanishes') one.session.destroy()
    await within(invited, SILENT_MS + 1_000, verdict)
    t.ok(person.signals.at(-1)?.aborted, how)
    t.equal(invited.events.at(-1)?.type, 'gone')
    t.ok(invited.invitation.accepting)
  }
  const verdict = invited.ask(await offered(invited), ben)
  await invited.clock.settle(invited.clock.now + 100)
  person.say(true)
  t.equal(await within(invited, 100, verdict), 'ok')
})

t.test('a question that ends with a no, or an error, because it was withdrawn, was not answered', async t => {
  for (const end of [() => false, () => Promise.reject(new Error('aborted'))]) {
    const confirm = (_ask: JoinAsk, signal: AbortSignal) =>
      new Promise<boolean>(resolve => signal.addEventListener('abort', () => resolve(end())))
    const { invited } = asked({ confirm })
    const one = await offered(invited)
    void invited.ask(one, ben)
    await invited.clock.settle(invited.clock.now + 100)
    one.session.destroy()
    await invited.clock.settle(invited.clock.now + 100)
    t.equal(invited.events.at(-1)?.type, 'gone')
    t.ok(invited.invitation.accepting)
  }
})

t.test('it comes again over another link while the first still seems alive: one question', async t => {
  const { invited, person } = asked()
  const [first, second] = [await offered(invited), await offered(invited)]
  const verdicts = [invited.ask(first, ben), invited.ask(second, ben)]
  await invited.clock.settle(invited.clock.now + 100)
  t.equal(person.asks.length, 1)
  first.session.destroy()
  await invited.clock.settle(invited.clock.now + 100)
  t.notOk(person.signals[0]?.aborted)
  person.say(true)
  t.equal(await within(invited, 100, verdicts[1]!), 'ok')
})

t.test('two devices with the code: the second is told that it is used', async t => {
  const { invited, person } = asked()
  const [one, other, late] = [
    await offered(invited, '192.0.2.1'),
    await offered(invited, '192.0.2.2'),
    await offered(invited, '192.0.2.3')
  ]
  const verdict = invited.ask(one, ben)
  await invited.clock.settle(invited.clock.now + 100)
  t.equal(await within(invited, 100, invited.ask(other, cleo)), 'used')
  person.say(true)
  t.equal(await within(invited, 100, verdict), 'ok')
  t.equal(await within(invited, 100, invited.ask(late, cleo)), 'used')
  t.same([...invited.members], [ben.id])
})

t.test('a member that asks again gets in without a question', async t => {
  const { invited, person } = asked()
  invited.members.add(ben.id)
  t.equal(await within(invited, 100, invited.ask(await offered(invited), ben)), 'ok')
  t.equal(person.asks.length, 0)
  t.equal(invited.outcome, 'joined the joiner')
})

t.test('keys that were removed may be replaced once', async t => {
  const { invited, person } = asked()
  invited.removed.add(ben.id)
  const one = await offered(invited)
  t.equal(await within(invited, 100, invited.ask(one, ben)), 'removed')
  const verdict = invited.ask(one, cleo)
  await invited.clock.settle(invited.clock.now + 100)
  t.same(
    person.asks.map(({ id }) => id),
    [cleo.id]
  )
  person.say(true)
  t.equal(await within(invited, 100, verdict), 'ok')

  const again = asked().invited
  again.removed.add(ben.id)
  const two = await offered(again)
  t.equal(await within(again, 100, again.ask(two, ben)), 'removed')
  t.equal(await within(again, 100, again.ask(two, ben)), 'removed')
  t.equal(await within(again, 100, again.ask(two, ben)), '', 'that session is over')
  const three = await offered(again)
  t.equal(await within(again, 100, again.ask(three, ben)), 'removed')
  const closed: string[] = []
  three.session.onClose = reason => closed.push(reason)
  await again.clock.settle(again.clock.now + 40_000)
  t.equal(closed.length, 1, 'nor may it wait for ever')
})

t.test('the circle cannot take it: the inviter is told', async t => {
  const refused = asked({ confirm: async () => true, welcome: async () => ({ result: 'refused' }) }).invited
  t.equal(await within(refused, 100, refused.ask(await offered(refused), ben)), 'refused')
  t.match(refused.outcome, /^NotAllowed the joiner could not be added; the log/)
  const broken = asked({
    confirm: async () => true,
    welcome: async () => {
      throw Object.assign(new Error('this device is no member any more'), { code: 'NotAllowed' })
    }
  }).invited
  t.equal(await within(broken, 100, broken.ask(await offered(broken), ben)), 'refused')
  t.equal(broken.outcome, 'NotAllowed this device is no member any more')
})

t.test('once confirmed, nothing but the outcome ends it', async t => {
  const added = Promise.withResolvers<{ result: 'ok' }>()
  const { invited } = asked({ confirm: async () => true, welcome: () => added.promise })
  const one = await offered(invited)
  const verdict = invited.ask(one, ben)
  pinging(one, invited)
  await invited.clock.settle(invited.clock.now + 100)
  invited.invitation.cancel()
  await invited.clock.settle(invited.clock.now + LIFETIME_MS)
  t.notOk(invited.invitation.accepting)
  t.equal(invited.outcome, '')
  added.resolve({ result: 'ok' })
  t.equal(await within(invited, 100, verdict), 'ok')
  t.equal(invited.outcome, 'joined the joiner')
})

t.test('wrong codes use up the tries while a person is asked: the one who has it is not put out', async t => {
  const { invited, person } = asked()
  const verdict = invited.ask(await offered(invited), ben)
  for (let n = 0; n < 3; n++) await invited.outcomeOf(invited.try(invited.link('192.0.2.66'), WRONG))
  t.notOk(invited.invitation.accepting)
  t.equal(invited.outcome, '')
  person.say(true)
  t.equal(await within(invited, 100, verdict), 'ok')

  const gone = asked().invited
  const one = await offered(gone)
  void gone.ask(one, ben)
  for (let n = 0; n < 3; n++) await gone.outcomeOf(gone.try(gone.link('192.0.2.66'), WRONG))
  one.session.destroy()
  await gone.clock.settle(gone.clock.now + 100)
  t.match(gone.outcome, /^CodeEnded a wrong code was tried 3 times/, 'but when it goes, that was it')
})

t.test('requests that are none: the session ends, nobody is asked', async t => {
  const wrong: [string, (body: Uint8Array, gid: Uint8Array) => Uint8Array][] = [
    ['another signature', body => body.with(81 + 3, body[84]! ^ 1)],
    ['another circle', () => requestOf(ben, fill(9))],
    ['a key that nobody may have', body => Uint8Array.from(body).fill(0, 17, 49)],
    ['cut off', body => body.slice(0, -1)],
    ['a verdict', () => Uint8Array.of(2, 0)],
    ['nothing', () => new Uint8Array(0)]
  ]
  for (const [what, change] of wrong) {
    const { invited, person } = asked()
    const said = invited.ask(await offered(invited), ben, body => change(body, invited.circle.gid))
    t.match(await within(invited, 200, said), /reset|closed/, what)
    t.equal(person.asks.length, 0)
    t.ok(invited.invitation.accepting)
    t.equal(invited.device.gate.halfOpen, 0)
  }
})

t.test('a static that is another member’s, or of no use, is no request', async t => {
  const { invited, person } = asked()
  const anna = new TestCircle('anna')
  invited.circle.knows(anna)
  const thief = new TestCircle('thief')
  thief.statics = anna.statics
  t.match(await within(invited, 200, invited.ask(await offered(invited), thief)), /reset|closed/)
  thief.statics = [{ ...x25519(fill(1)), publicKey: fill(0) }]
  t.match(await within(invited, 200, invited.ask(await offered(invited), thief)), /reset|closed/)
  t.equal(person.asks.length, 0)
  t.ok(invited.invitation.accepting)
})

t.test('other frames before the verdict, or a second request, end the session', async t => {
  const { invited, person } = asked()
  for (const kind of [Kind.Log, Kind.Gossip, Kind.Message, Kind.Stream]) {
    const one = await offered(invited)
    const said = Promise.withResolvers<string>()
    one.session.onClose = said.resolve
    one.session.send(kind, fill(1, 16))
    t.match(await within(invited, 200, said.promise), /reset|closed/)
  }
  const one = await offered(invited)
  void invited.ask(one, ben)
  const twice = invited.ask(one, ben)
  t.match(await within(invited, 200, twice), /reset|closed/)
  t.ok(person.signals[0]?.aborted)
  t.same(invited.device.sessions, [])
})

t.test('no request within 30 s: over', async t => {
  const { invited } = asked()
  const one = await offered(invited)
  const said = Promise.withResolvers<string>()
  one.session.onClose = said.resolve
  t.equal(await within(invited, 25_000, said.promise), '')
  t.match(await within(invited, 6_000, said.promise), /reset|closed/)
  t.equal(invited.device.gate.halfOpen, 0)
  t.equal(invited.device.gate.counters.timeout, 1)
})

t.test('the gate stops while a person is asked', async t => {
  const { invited, person } = asked()
  const said = invited.ask(await offered(invited), ben)
  await invited.clock.settle(invited.clock.now + 100)
  invited.device.gate.stop()
  t.match(await within(invited, 200, said), /reset|closed/)
  t.ok(person.signals[0]?.aborted)
})
