import t from 'tap'
import { nobleAead } from '../../src/crypto/noble-aead.ts'
import { nodeAead, sodiumAead } from '../../src/crypto/provider.ts'
import { REKEY_BYTES, REKEY_MS, REKEY_RECORDS, RecordCipher } from '../../src/crypto/record.ts'
import { frozen, hexOf } from '../frozen.ts'
import { bytes, crossed, keys, record } from './record-bytes.ts'

const ping = [[1, new Uint8Array(8)]] as const
const body = (bytes: Uint8Array) => bytes.subarray(2)

t.test('the bytes are those that were frozen', async t => {
  const committed = frozen('record')
  const now = bytes()
  t.same(Object.keys(now), Object.keys(committed))
  for (const [name, value] of Object.entries(now)) t.equal(hexOf(value), committed[name], name)
})

t.test('all implementations read each other', async t => {
  const sodium = sodiumAead()
  const aeads = [nodeAead, nobleAead, ...(sodium ? [sodium] : [])]
  for (const writer of aeads) {
    for (const reader of aeads) {
      const from = new RecordCipher(keys, writer)
      const to = new RecordCipher(crossed, reader)
      for (let index = 0; index < 3; index++) t.ok(to.open(body(record(from, ping))))
      from.rekeySend()
      to.rekeyReceive()
      t.ok(to.open(body(record(from, ping))), `${writer.name} to ${reader.name}`)
    }
  }
})

t.test('nothing opens that was changed, cut, repeated, reordered or sent back', async t => {
  const from = new RecordCipher(keys)
  const [first, second] = [record(from, ping), record(from, ping)]
  const fresh = () => new RecordCipher(crossed)
  for (let bit = 0; bit < body(first).length * 8; bit++) {
    const changed = body(first).slice()
    changed[bit >> 3]! ^= 1 << (bit & 7)
    if (fresh().open(changed)) t.fail(`bit ${bit}`)
  }
  for (let length = 0; length < body(first).length; length++) {
    if (fresh().open(body(first).slice(0, length))) t.fail(`${length} bytes`)
  }
  t.equal(fresh().open(body(second)), undefined)
  const to = fresh()
  t.ok(to.open(body(first)))
  t.equal(to.open(body(first)), undefined)
  t.equal(new RecordCipher(keys).open(body(first)), undefined)
})

t.test('a key is due for change by count, by bytes, by age in use', async t => {
  const counted = new RecordCipher(keys)
  for (let index = 0; index < REKEY_RECORDS - 1; index++) {
    if (counted.due(0)) t.fail(`due after ${index}`)
    record(counted, [[3, new Uint8Array(0)]])
  }
  t.ok(counted.due(0))
  counted.rekeySend()
  t.notOk(counted.due(0))

  const long = new RecordCipher(keys)
  const buffer = new Uint8Array(65_537)
  let records = 0
  for (; !long.due(0); records++) long.seal(0, buffer, 65_519)
  t.equal(records, Math.floor(REKEY_BYTES / 65_519) - 1, 'with room for one more of any length')

  const aged = new RecordCipher(keys)
  t.notOk(aged.due(REKEY_MS * 9), 'an unused key does not age')
  aged.seal(1000, buffer, 64)
  t.notOk(aged.due(1000 + REKEY_MS - 1))
  t.ok(aged.due(1000 + REKEY_MS))
})

t.test('a sender that does not change its key is not heard for long', async t => {
  const from = new RecordCipher(keys)
  const to = new RecordCipher(crossed)
  for (let index = 0; index < REKEY_RECORDS; index++) {
    if (!to.open(body(record(from, ping)))) t.fail(`record ${index}`)
  }
  t.equal(to.open(body(record(from, ping))), undefined)
})
