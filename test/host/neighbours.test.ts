import t from 'tap'
import { parseGateways, parseNeighbours, readNeighbours } from '../../src/host/neighbours.ts'

t.test('as iproute2 writes them', async t => {
  const text = JSON.stringify([
    { dst: '10.0.0.9', dev: 'e1', state: ['INCOMPLETE'] },
    { dst: '10.0.0.8', dev: 'e1', state: ['FAILED'] },
    { dst: '10.0.0.2', dev: 'e1', lladdr: '02:00:00:00:00:0A', state: ['REACHABLE'], confirmed: 2 },
    { dst: 'fe80::2', dev: 'e1', lladdr: '02:00:00:00:00:0a', router: null, state: ['STALE'] },
    { dst: 'ff02::1', dev: 'e1', lladdr: '33:33:00:00:00:01', state: ['NOARP'] },
    { dst: 7, dev: 'e1', state: ['REACHABLE'] },
    'nonsense'
  ])
  t.same(parseNeighbours(text), [
    { interface: 'e1', address: '10.0.0.9', mac: '', state: 'asked', confirmedS: Infinity },
    { interface: 'e1', address: '10.0.0.8', mac: '', state: 'silent', confirmedS: Infinity },
    { interface: 'e1', address: '10.0.0.2', mac: '02:00:00:00:00:0a', state: 'there', confirmedS: 2 },
    { interface: 'e1', address: 'fe80::2', mac: '02:00:00:00:00:0a', state: 'old', confirmedS: Infinity }
  ])
  t.same(
    parseGateways(
      '[{"dst":"default","gateway":"10.0.0.2","dev":"e1","flags":[]},{"dst":"default","dev":"tun0"}]'
    ),
    [{ interface: 'e1', address: '10.0.0.2' }]
  )
  for (const bad of ['', 'nonsense', '{}', 'null']) {
    t.same(parseNeighbours(bad), [])
    t.same(parseGateways(bad), [])
  }
})

t.test('of this computer, whatever it has', async t => {
  const { neighbours, gateways } = await readNeighbours()
  t.ok(Array.isArray(neighbours) && Array.isArray(gateways))
})
