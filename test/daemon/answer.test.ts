import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { invoke } from '../../src/daemon/surfaces/answer.ts'
import { fakeFacts, fakeImplementation } from '../implementation.ts'

const facts = fakeFacts()
const implementation = fakeImplementation(facts)
let log: unknown[][] = []
const call = (method: 'Ping' | 'Status' | 'Leave', params: unknown, signal = new AbortController().signal) =>
  invoke(implementation, method, params, { signal, progress: () => {} }, (...entry) => log.push(entry))

t.beforeEach(() => {
  log = []
  facts.fault = undefined
})

t.test('parameters are checked and filled in', async t => {
  await call('Ping', { Peer: 'desktop' })
  t.same(facts.calls.at(-1), { method: 'Ping', params: { Circle: '', Peer: 'desktop', Count: 0 } })
  for (const params of [undefined, null, [], 'x', {}, { Peer: 1 }, { Peer: 'desktop', Extra: 1 }]) {
    await t.rejects(call('Ping', params), { name: 'ApiError', code: 'InvalidValue' })
  }
})

t.test('errors', async t => {
  const own = new ApiError('NoSpace', 'the disk is full')
  facts.fault = own
  t.equal(await call('Status', {}).catch(error => error), own, 'the API’s own as it is')
  facts.fault = new RangeError('secret')
  await t.rejects(call('Status', {}), { name: 'ApiError', code: 'Internal', message: 'internal error' })
  t.match(log, [['error', /Status/, { error: /RangeError: secret[\s\S]*answer/ }]])
})

t.test('a cancelled call', async t => {
  facts.gate = new Promise(() => {})
  const controller = new AbortController()
  const ended = call('Leave', {}, controller.signal)
  controller.abort()
  await t.rejects(ended, { name: 'ApiError', code: 'Cancelled' })
  t.same(log, [])
})
