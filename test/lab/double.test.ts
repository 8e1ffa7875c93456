/** A disk is copied: two devices with one identity, on the same LAN at the same time. */
import { execFileSync } from 'node:child_process'
import { scenario } from './scenario.ts'

scenario('two devices with one identity', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await lab.circle(h1, h2)
  await h2.daemon.stop()
  execFileSync('cp', ['-a', `${h2.folder}/home/.local`, `${h3.folder}/home/`])
  await Promise.all([h2.start(), h3.start()])

  t.comment('who sees both says so, and both are told')
  const says = (host: typeof h1) =>
    host.daemon.until('says that one exists twice', () =>
      ((host.daemon.self['Notes'] ?? []) as string[]).some(note => note.includes('exists twice'))
    )
  await Promise.all([h1, h2, h3].map(says))
  const { Devices } = await h1.coterie('devices --json')
  t.match(
    Devices.find((d: { Name: string }) => d.Name === 'h2'),
    { Cloned: true }
  )
  await Promise.all([h2, h3].map(host => host.sees('h1', 'reachable')))
  await h1.sees('h2', 'reachable')

  t.comment('one of them goes: the other one is as reachable as ever')
  await h3.daemon.stop()
  await h1.coterie('ping h2')
  await h2.coterie('ping h1')
  t.equal(h1.daemon.peer('h2')?.['State'], 'reachable')
  await h3.start()
  await h3.sees('h1', 'reachable')

  t.comment('the identity is removed: both are out')
  await h1.coterie(`remove ${(await h2.coterie('status --json')).Device.Id} --yes`)
  await h1.sees('h2', 'gone')
  for (const host of [h2, h3])
    await host.daemon.until('sees nobody', () => !host.daemon.peers.some(peer => peer['Reachable']))
})
