import t from 'tap'
import { type Address, formatAddress, parseAddress } from '../../src/wire/address.ts'
import { type Card, decodeExtra, encodeExtra } from '../../src/wire/extra.ts'
import { decodeRecord, signedRecord, unsignedRecord } from '../../src/wire/gossip.ts'

const address = (n: number): Address => parseAddress(`tcp://192.0.2.${n}:24747`)!
const addresses = [address(1), address(2), parseAddress('tcp://[2001:db8::1]:24747')!]
const mac = (...bytes: number[]) => Uint8Array.from(bytes)
const told = (cards: readonly Card[]) =>
  cards.map(card => `${formatAddress(card.address)} ${Buffer.from(card.mac).toString('hex')}`)

t.test('cards go with the place of their address in the record', async t => {
  const cards = [
    { address: addresses[2]!, mac: mac(2, 0x77, 0, 0, 0, 3) },
    { address: parseAddress('tcp://192.0.2.1:1')!, mac: mac(2, 0x77, 0, 0, 0, 1) },
    { address: address(9), mac: mac(2, 0x77, 0, 0, 0, 9) }
  ]
  const extra = encodeExtra(addresses, cards)
  t.equal(Buffer.from(extra).toString('hex'), '010e02027700000003000277000000'.concat('01'))
  t.same(told(decodeExtra(addresses, extra)), [
    'tcp://[2001:db8::1]:24747 027700000003',
    'tcp://192.0.2.1:24747 027700000001'
  ])
  t.same(encodeExtra(addresses, []), mac(), 'nothing takes no room')
})

t.test('other types are skipped, and signed and passed on with the rest', async t => {
  const extra = Uint8Array.of(9, 2, 1, 1, 1, 7, 1, 2, 0x77, 0, 0, 0, 2, 200, 0)
  t.same(told(decodeExtra(addresses, extra)), ['tcp://192.0.2.2:24747 027700000002'])
  const record = signedRecord(
    unsignedRecord(mac(...Array(32).fill(7)), 5, addresses, { extra }),
    mac(...Array(64))
  )
  t.same(decodeRecord(record!.bytes)!.extra, extra)
})

t.test('what makes no sense says nothing', async t => {
  const one = [1, 2, 0x77, 0, 0, 0, 2]
  const bad: { [why: string]: number[] } = {
    'cut in a header': [1],
    'cut in a body': [1, 7, ...one.slice(1)],
    'not whole entries': [1, 6, ...one.slice(1)],
    'a type twice': [1, 7, ...one, 1, 7, ...one],
    'something half behind it': [1, 7, ...one, 3, 9, 0],
    'an address that is not there': [1, 7, 3, ...one.slice(1)],
    'a group address': [1, 7, 1, 3, 0x77, 0, 0, 0, 2],
    'no address': [1, 7, 1, 0, 0, 0, 0, 0, 0]
  }
  for (const [why, bytes] of Object.entries(bad)) {
    t.same(decodeExtra(addresses, Uint8Array.from(bytes)), [], why)
    t.ok(
      signedRecord(
        unsignedRecord(mac(...Array(32).fill(7)), 5, addresses, { extra: mac(...bytes) }),
        mac(...Array(64))
      ),
      `${why}: the record is one all the same`
    )
  }
  const group = { address: address(1), mac: mac(0xff, 0xff, 0xff, 0xff, 0xff, 0xff) }
  t.same(encodeExtra(addresses, [group]), mac(), 'nor is it written')
})

t.test('anything at all', async t => {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647)
  for (let i = 0; i < 2_000; i++) {
    const extra = Uint8Array.from({ length: random() % 60 }, () => random() % (i % 2 ? 256 : 9))
    for (const card of decodeExtra(addresses, extra)) t.ok(addresses.includes(card.address))
  }
  t.pass()
})
