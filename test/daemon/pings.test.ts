import { mock } from 'node:test'
import t from 'tap'
import { Pings } from '../../src/daemon/sessions/pings.ts'

const { signal } = new AbortController()
const late = () => new Error('late')

t.test('each answer goes to the one who asked', async t => {
  const pings = new Pings(() => {})
  const tokens: number[] = []
  const ask = () => pings.wait(token => tokens.push(token) > 0, 1_000, late, signal)
  const [one, two] = [ask(), ask()]
  t.equal(new Set(tokens).size, 2)
  pings.answered(tokens[1]!, 22)
  pings.answered(tokens[0]!, 11)
  pings.answered(tokens[0]!, 99)
  pings.answered(12345, 1)
  t.same(await Promise.all([one, two]), [11, 22])
})

t.test('an answer that comes before send returns counts', async t => {
  const pings = new Pings(() => {})
  const send = (token: number) => {
    pings.answered(token, 5)
    return true
  }
  t.equal(await pings.wait(send, 1_000, late, signal), 5)
})

t.test('no answer in time, and an answer after it', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const forgotten: number[] = []
  const pings = new Pings(one => forgotten.push(one))
  let token = 0
  const answer = pings.wait(
    given => {
      token = given
      return true
    },
    4_000,
    late,
    signal
  )
  mock.timers.tick(4_000)
  await t.rejects(answer, { message: 'late' })
  t.same(forgotten, [token])
  t.doesNotThrow(() => pings.answered(token, 1))
})

t.test('nobody can be asked', async t => {
  const forgotten: number[] = []
  const pings = new Pings(one => forgotten.push(one))
  await t.rejects(
    pings.wait(() => false, 4_000, late, signal),
    { message: 'late' }
  )
  t.equal(forgotten.length, 1)
})

t.test('the caller goes away, during or before', async t => {
  const pings = new Pings(() => {})
  const abort = new AbortController()
  const answer = pings.wait(() => true, 4_000, late, abort.signal)
  abort.abort(new Error('gone'))
  await t.rejects(answer, { message: 'gone' })
  await t.rejects(
    pings.wait(() => t.fail('nothing is sent') as boolean, 4_000, late, abort.signal),
    { message: 'gone' }
  )
})
