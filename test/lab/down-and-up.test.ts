/** An interface is taken down with nmcli, and up again. */
import { scenario } from './scenario.ts'

scenario('nmcli con down, nmcli con up', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  await h1.listens('10.77.1.11')

  t.comment('down: the listener is gone, here and on D-Bus, and both know that they are apart')
  await h1.nmcli('con down lan')
  await h1.listens('10.77.1.11', false)
  t.notOk((await h1.listening()).some(address => address.startsWith('10.77.1.11:')))
  t.notOk((await h1.managed()).some(o => o['Address'] === '10.77.1.11'))
  await h1.sees('h2', 'unreachable')
  await h2.sees('h1', 'unreachable')
  t.ok(Number(h2.daemon.peer('h1')!['LastSeenUSec']) > 0)

  t.comment('up: it listens again, and both see each other')
  await h1.nmcli('con up lan')
  await h1.listens('10.77.1.11')
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  t.ok((await h1.listening()).includes('10.77.1.11:24747'))
  t.equal(h2.daemon.peer('h1')!['LastSeenUSec'], 0)
})
