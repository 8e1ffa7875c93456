import t from 'tap'
import { judge, keptApart } from '../../src/daemon/network/separation.ts'
import type { Neighbour, Neighbours } from '../../src/host/neighbours.ts'

const entry = (
  n: number,
  state: Neighbour['state'],
  mac = `02:00:00:00:00:0${n}`,
  confirmedS = 1
): Neighbour => ({
  interface: 'wlan0',
  address: `10.0.0.${n}`,
  mac: state === 'there' || state === 'old' ? mac : '',
  state,
  confirmedS
})
const gateways = [{ interface: 'wlan0', address: '10.0.0.1' }]
const spot = { interface: 'wlan0', address: '10.0.0.9', silentMs: 20_000 }
const net = (...neighbours: Neighbour[]): Neighbours => ({ neighbours, gateways })

t.test('by one look', async t => {
  t.equal(judge(net(entry(1, 'there'), entry(9, 'silent')), spot), 'apart')
  t.equal(judge(net(entry(1, 'old'), entry(9, 'asked')), spot), 'apart')
  t.equal(judge(net(entry(1, 'there'), entry(9, 'there')), spot), 'together', 'a firewall, then')
  t.equal(
    judge(net(entry(1, 'there'), entry(9, 'there', '02:00:00:00:00:09', 25)), spot),
    'unclear',
    'before'
  )
  t.equal(judge(net(entry(1, 'there'), entry(9, 'old')), spot), 'unclear')
  t.equal(judge(net(entry(1, 'there'), entry(9, 'there', entry(1, 'there').mac)), spot), 'apart', 'a proxy')
  t.equal(judge(net(entry(1, 'there')), spot), 'unclear', 'it was not asked')
  t.equal(judge(net(entry(1, 'silent'), entry(9, 'silent')), spot), 'unclear', 'we are cut off ourselves')
  t.equal(judge({ neighbours: [entry(9, 'silent')], gateways: [] }, spot), 'unclear', 'no gateway')
  t.equal(judge(net(entry(1, 'there'), entry(9, 'silent')), { ...spot, interface: 'eth0' }), 'unclear')
  t.equal(judge(net(entry(1, 'there')), { ...spot, address: '10.0.0.1' }), 'unclear', 'it is the gateway')
})

t.test('looks until it is clear', async t => {
  const looks = [net(entry(9, 'silent')), net(entry(1, 'there'), entry(9, 'silent'))]
  const woken: string[] = []
  t.equal(
    await keptApart(
      spot,
      async () => looks.shift()!,
      address => woken.push(address),
      async () => {}
    ),
    'apart'
  )
  t.same(woken, ['10.0.0.1'], 'the gateway was asked')
  t.equal(
    await keptApart(spot, async () => ({ neighbours: [], gateways: [] })),
    'unclear',
    'nobody to compare with'
  )
})
