import t from 'tap'
import { Unanswered } from '../../src/daemon/circle/unanswered.ts'

const MINUTE = 60_000
const own = ['tcp://192.168.1.5:24747']
const at = (host: string) => `tcp://${host}:24747`

t.test('two neighbours that take the connection and say nothing', async t => {
  const unanswered = new Unanswered()
  unanswered.silent(0, 'a', at('192.168.1.6'), own)
  t.notOk(unanswered.seems(0))
  unanswered.silent(10, 'a', at('192.168.1.7'), own)
  t.notOk(unanswered.seems(10), 'one of them has two addresses')
  unanswered.silent(20, 'b', at('192.168.1.8'), own)
  t.ok(unanswered.seems(20))
  unanswered.answered()
  t.notOk(unanswered.seems(30), 'somebody knows this device')
})

t.test('one alone, or far away where portals take any connection: only after long', async t => {
  const unanswered = new Unanswered()
  for (const host of ['10.1.1.1', '10.2.2.2', '10.3.3.3']) unanswered.silent(0, host, at(host), own)
  t.notOk(unanswered.seems(0))
  t.notOk(unanswered.seems(40 * MINUTE), 'asked once')
  for (let n = 1; n < 4; n++) unanswered.silent(n * 10 * MINUTE, '10.1.1.1', at('10.1.1.1'), own)
  t.notOk(unanswered.seems(29 * MINUTE))
  t.ok(unanswered.seems(30 * MINUTE))
})
