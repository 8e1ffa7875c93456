/** The ways to go: stop, kill, leave, be removed. */
import { scenario } from './scenario.ts'

scenario('stop, kill -9, leave, remove', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await lab.circle(h1, h2, h3)

  t.comment('a clean stop is seen at once, and said to be one')
  t.equal(await h2.daemon.stop(), 0)
  await Promise.all([h1.sees('h2', 'unreachable'), h3.sees('h2', 'unreachable')])
  t.equal(h1.daemon.peer('h2')?.['Reason'], 'stopped')
  await h2.start()
  await Promise.all([h1.sees('h2', 'reachable'), h3.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])

  t.comment('kill -9 is seen, and is no obstacle to the next start')
  h2.daemon.signal('SIGKILL')
  await Promise.all([h1.sees('h2', 'unreachable'), h3.sees('h2', 'unreachable')])
  t.not(h1.daemon.peer('h2')?.['Reason'], 'stopped')
  await h2.start()
  await Promise.all([h1.sees('h2', 'reachable'), h3.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])

  t.comment('a second daemon on the same data does not start')
  const second = await h2.space.try([`${new URL('../..', import.meta.url).pathname}bin/coteried`])
  t.not(second.code, 0)
  t.match(second.stderr + second.stdout, /already|running|lock/i)
  t.equal((await h2.coterie('status --json')).Device.State, 'ready')

  t.comment('h2 leaves: the others forget it, and it begins anew')
  await h2.coterie('leave --yes')
  await Promise.all([h1.sees('h2', 'gone'), h3.sees('h2', 'gone')])
  const left = await h2.coterie('status --json')
  t.equal(left.Device.State, 'new')
  t.same(left.Peers, [])
  t.equal((await h1.coterie('status --json')).Circle.Members, 2)

  t.comment('it may come back, as somebody new')
  await h2.coterie('join - --yes', await h1.coterie('invite --ticket'))
  await Promise.all([h1.sees('h2', 'reachable'), h3.sees('h2', 'reachable')])

  t.comment('h3 is removed: at once it is nobody to the others, for ever')
  const { Id } = (await h3.coterie('status --json')).Device
  await h1.coterie(`remove ${Id} --yes`)
  await Promise.all([h1.sees('h3', 'gone'), h2.sees('h3', 'gone')])
  await h3.daemon.until('sees no one reachable', () => !h3.daemon.peers.some(p => p['Reachable']))
  await h3.daemon.stop()
  await h3.start()
  await h2.coterie('ping h1')
  t.notOk(h2.daemon.peer('h3'))
  t.notOk(h3.daemon.peers.some(p => p['Reachable']))
})
