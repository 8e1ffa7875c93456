/** A network card is put in and pulled out again while the daemon runs. */
import { scenario } from './scenario.ts'

scenario('a second card comes and goes', { h1: 'a', h2: 'b' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  const before = h2.daemon.events.length

  await h1.plug('b', 'eth1')
  await h1.listens('10.77.2.21')
  t.match(
    h1.daemon.listeners.find(l => l['Address'] === '10.77.2.21'),
    { Interface: 'eth1', Port: 24747, Policy: 'announce' }
  )
  t.comment('h2 learns of the new address')
  await h2.daemon.until('knows 10.77.2.21', () => {
    const addresses = h2.daemon.peer('h1')?.['Addresses'] as string[] | undefined
    return addresses?.includes('tcp://10.77.2.21:24747') ?? false
  })

  await h1.unplug('eth1')
  await h1.listens('10.77.2.21', false)
  t.notOk((await h1.listening()).some(address => address.startsWith('10.77.2.21:')))
  t.ok(
    h1.daemon.listeners.some(l => l['Address'] === '10.77.1.11'),
    'the first card goes on'
  )
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  await h1.coterie('ping h2')
  t.ok(h2.daemon.events.length > before)
})
