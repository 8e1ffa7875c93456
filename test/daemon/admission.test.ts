import t from 'tap'
import { Admission, sourceOf } from '../../src/daemon/sessions/admission.ts'
import { Seen } from '../../src/daemon/sessions/seen.ts'

/** How many of `tries` evenly spread over `ms` are let through. */
function allowed(
  admission: Admission,
  from: number,
  ms: number,
  tries: number,
  source: (index: number) => string
) {
  let count = 0
  for (let index = 0; index < tries; index++) {
    if (admission.allow(from + (index * ms) / tries, source(index))) count++
  }
  return count
}

t.test('one source: 4 at once, then one in 20 ms', async t => {
  const admission = new Admission()
  t.equal(
    allowed(admission, 0, 1, 100, () => 'a'),
    4
  )
  t.equal(
    allowed(admission, 1, 1000, 1000, () => 'a'),
    50
  )
  t.equal(
    allowed(admission, 60_000, 1, 100, () => 'a'),
    4,
    'rested, it has no more than at first'
  )
})

t.test('all sources together: 100 at once, then 50 a second, a flood or not', async t => {
  const admission = new Admission()
  t.equal(allowed(admission, 0, 0.001, 10_000, String), 100)
  const flood = allowed(admission, 1, 10_000, 100_000, String)
  t.ok(flood >= 499 && flood <= 501, `${flood}`)
  t.ok(admission.size <= 110, `${admission.size} sources are remembered`)
})

t.test('a source is an address, or a whole IPv6 network of 64 bits', async t => {
  const same = (one: string, other: string) => sourceOf(one) === sourceOf(other)
  t.ok(same('tcp://192.0.2.1:1000', 'tcp://192.0.2.1:2000'))
  t.notOk(same('tcp://192.0.2.1:1000', 'tcp://192.0.2.2:1000'))
  t.ok(same('tcp://[2001:db8::1]:1', 'tcp://[2001:db8::ffff:1]:1'))
  t.notOk(same('tcp://[2001:db8::1]:1', 'tcp://[2001:db8:0:1::1]:1'))
  t.notOk(same('tcp://[fe80::1%25eth0]:1', 'tcp://[fe80::2%25eth0]:1'), 'a LAN shares one link-local prefix')
})

t.test('ephemeral keys are remembered for 10 minutes, and not without bound', async t => {
  const seen = new Seen()
  const key = (index: number) => new Uint8Array(new Uint32Array([index, 0, 0, 0, 0, 0, 0, 0]).buffer)
  t.notOk(seen.repeated(0, key(1)))
  t.ok(seen.repeated(1, key(1)))
  t.notOk(seen.repeated(599_999, key(2)))
  t.ok(seen.repeated(1_199_998, key(2)))
  t.notOk(seen.repeated(3_000_000, key(3)))
  t.notOk(seen.repeated(3_600_001, key(1)), 'forgotten')
  for (let index = 10; index < 20_000; index++) seen.repeated(3_700_000, key(index))
  t.notOk(seen.repeated(3_700_000, key(10)), 'many push the oldest out')
  t.ok(seen.repeated(3_700_000, key(19_999)))
})
