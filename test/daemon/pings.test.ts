import { mock } from 'node:test'
import t from 'tap'
import { Pings } from '../../src/daemon/sessions/pings.ts'

const { signal } = new AbortController()
const late = () => new Error('late')

t.test('each answer goes to the one who asked', async t => {
  const pings = new Pings()
  const tokens: number[] = []
  const ask = () => pings.wait(token => tokens.push(token), 1_000, late, signal)
  const [one, two] = [ask(), ask()]
  t.equal(new Set(tokens).size, 2)
  pings.answered(tokens[1]!, 22)
  pings.answered(tokens[0]!, 11)
  pings.answered(tokens[0]!, 99)
  pings.answered(12345, 1)
  t.same(await Promise.all([one, two]), [11, 22])
})

t.test('an answer that comes before send returns counts', async t => {
  const pings = new Pings()
  t.equal(await pings.wait(token => pings.answered(token, 5), 1_000, late, signal), 5)
})

t.test('no answer in time, and an answer after it', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const pings = new Pings()
  let token = 0
  const answer = pings.wait(
    given => {
      token = given
    },
    4_000,
    late,
    signal
  )
  mock.timers.tick(4_000)
  await t.rejects(answer, { message: 'late' })
  t.doesNotThrow(() => pings.answered(token, 1))
})

t.test('the caller goes away, during or before', async t => {
  const pings = new Pings()
  const abort = new AbortController()
  const answer = pings.wait(() => {}, 4_000, late, abort.signal)
  abort.abort(new Error('gone'))
  await t.rejects(answer, { message: 'gone' })
  await t.rejects(
    pings.wait(() => t.fail('nothing is sent'), 4_000, late, abort.signal),
    { message: 'gone' }
  )
})
