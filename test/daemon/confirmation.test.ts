import t from 'tap'
import { type Asker, bounded, firstAnswer, present } from '../../src/daemon/joining/confirmation.ts'

const ASK = { id: 'co1x', name: 'x', circle: 'home', level: 10, guestForMs: 0 }

/** An asker of which the test gives the answer. */
function asker(name: Asker['name'], there = true) {
  const { promise, resolve, reject } = Promise.withResolvers<boolean | undefined>()
  const told: string[] = []
  const made: Asker = {
    name,
    there: async () => there,
    ask: (_, signal) => {
      told.push('asked')
      signal.addEventListener('abort', () => told.push('taken back'))
      return promise
    }
  }
  return { asker: made, resolve, reject, told }
}

t.test('all are asked, the first answer counts, the others are taken back', async t => {
  for (const accepted of [true, false]) {
    const [caller, agent, notification] = [asker('caller'), asker('agent'), asker('notification', false)]
    const askers = await present([caller.asker, agent.asker, notification.asker])
    t.same(
      askers.map(a => a.name),
      ['caller', 'agent']
    )
    const answer = firstAnswer(askers, ASK, new AbortController().signal)
    agent.resolve(accepted)
    t.same(await answer, { accepted, by: 'agent' })
    caller.resolve(!accepted)
    t.same([caller.told, notification.told], [['asked', 'taken back'], []])
  }
})

t.test('no answer is no answer', async t => {
  const [one, other] = [asker('caller'), asker('agent')]
  const answer = firstAnswer([one.asker, other.asker], ASK, new AbortController().signal)
  one.resolve(undefined)
  other.resolve(true)
  t.same(await answer, { accepted: true, by: 'agent' }, 'of one that cannot be asked any more')

  const [gone, broken] = [asker('caller'), asker('agent')]
  gone.resolve(undefined)
  broken.reject(new Error('broken'))
  const { signal } = new AbortController()
  t.equal(await firstAnswer([gone.asker, broken.asker], ASK, signal), undefined)
  t.equal(await firstAnswer([], ASK, signal), undefined)
})

t.test('a question that is withdrawn', async t => {
  const waiting = asker('caller')
  const controller = new AbortController()
  const answer = firstAnswer([waiting.asker], ASK, controller.signal)
  controller.abort()
  t.equal(await answer, undefined)
  t.same(waiting.told, ['asked', 'taken back'])
  const late = asker('caller')
  late.resolve(true)
  t.equal(await firstAnswer([late.asker], ASK, controller.signal), undefined)
})

t.test('names of strangers', async t => {
  t.equal(bounded('tablet'), 'tablet')
  t.equal(bounded('a\nb\u202ec\x1b[2J'), 'a\ufffdb\ufffdc\ufffd[2J')
  t.equal([...bounded('☂'.repeat(1000))].length, 64)
  t.match(bounded('☂'.repeat(1000)), /^☂{63}…$/u)
})
