import t from 'tap'
import { Inviters } from '../../src/daemon/joining/inviters.ts'

t.test('the latest heard first; with all its addresses', async t => {
  const inviters = new Inviters()
  t.equal(inviters.next(0), undefined)
  t.notOk(inviters.hopeful)
  inviters.heard('a', 'tcp://192.0.2.1:1')
  inviters.heard('b', 'tcp://192.0.2.2:1')
  t.equal(inviters.next(0)?.name, 'b')
  inviters.heard('a', 'tcp://[fe80::1]:1')
  t.same(inviters.next(0), { name: 'a', addresses: ['tcp://192.0.2.1:1', 'tcp://[fe80::1]:1'] })
})

t.test('a silent one is asked again after a second, one with another code never', async t => {
  const inviters = new Inviters()
  inviters.given(['first', 'second'])
  t.equal(inviters.next(0)?.name, 'first', 'in the order given')
  const first = inviters.next(0)!
  inviters.asked(first)
  t.equal(inviters.next(0)?.name, 'second', 'while the first is asked')
  t.equal(inviters.next(9_000)?.name, 'second')
  inviters.silent(first, 0)
  t.equal(inviters.next(0)?.name, 'second')
  inviters.wrong(inviters.next(0)!)
  t.equal(inviters.next(999), undefined)
  t.ok(inviters.hopeful)
  t.equal(inviters.next(1_000)?.name, 'first')
  inviters.wrong(inviters.next(1_000)!)
  t.notOk(inviters.hopeful)
  inviters.heard('second', 'second')
  t.equal(inviters.next(9_000), undefined)
})
