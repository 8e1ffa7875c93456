/** What the daemon stands on goes away and comes back: NetworkManager, the session bus, the system bus. */
import { scenario } from './scenario.ts'

scenario('NetworkManager and the buses restart', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  const source = (name: string) =>
    h1.daemon.until(`takes the network from ${name}`, () => h1.daemon.self['NetworkSource'] === name)
  const bus = (state: string) =>
    h1.daemon.until(`finds D-Bus ${state}`, () => h1.daemon.self['DBus'] === state)
  // a peer that is new begins as unreachable; one that is lost becomes so
  const lost = () =>
    h2.daemon.events.filter(e => e.Type === 'Changed' && e.Properties['State'] === 'unreachable').length

  t.comment('NetworkManager restarts: nobody notices')
  await h1.end('NetworkManager')
  await h1.networkManager()
  await source('NetworkManager')
  await h1.coterie('ping h2')
  t.ok(h1.daemon.listeners.some(l => l['Address'] === '10.77.1.11'))
  t.equal(lost(), 0, 'h2 never missed it')

  t.comment('the new NetworkManager is listened to')
  await h1.nmcli('con up lan')
  await h1.listens('10.77.1.11')
  await h1.plug('b', 'eth1')
  await h1.listens('10.77.2.21')
  await h1.unplug('eth1')
  await h1.listens('10.77.2.21', false)

  t.comment('it stays away: the network is read otherwise')
  await h1.end('NetworkManager')
  await h1.daemon.until(
    'reads the network otherwise',
    () => h1.daemon.self['NetworkSource'] !== 'NetworkManager'
  )
  await h1.networkManager()
  await source('NetworkManager')

  t.comment('the session bus restarts: the name is owned again')
  await h1.end('session bus')
  await bus('absent')
  t.equal((await h1.coterie('status --json')).DBus, 'absent')
  await h1.coterie('ping h2')
  await h1.bus('session')
  await bus('owned')
  t.ok((await h1.managed()).some(o => o['Name'] === 'h2'))
})
