/** A computer goes to sleep and wakes up, with real NetworkManager and a logind that is played. */
import { PATIENCE_MS, within } from './deadline.ts'
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

scenario('asleep, and awake again', { h1: 'a', h2: 'a', h3: 'a' }, async (t, lab) => {
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2, h3] = hosts
  t.comment('without a logind all goes on')
  await lab.circle(...hosts)
  const states = (at: Host, since: number) =>
    at.daemon.events
      .slice(since)
      .filter(({ Object: path }) => path.endsWith(String(h3.daemon.self['Id'])))
      .flatMap(({ Properties: { State } }) => (State === undefined ? [] : [String(State)]))
  const right = () =>
    Promise.all([h1, h2].flatMap(host => [host.sees('h3', 'reachable'), h3.sees(host.name, 'reachable')]))
  /** Until something of ours delays sleep there, or nothing does any more. */
  const delays = async (yes: boolean) => {
    const ours = async () => (await h3.inhibitors()).some(who => /coterie/i.test(who))
    const event = (async () => {
      while ((await ours()) !== yes);
    })()
    await within(PATIENCE_MS, `${yes ? '' : 'no '}delay of sleep`, event, h3.story)
  }

  t.comment('it comes later: then it is asked to wait for us')
  await h3.logind()
  await delays(true)

  const before = [h1, h2].map(({ daemon }) => daemon.events.length)
  await h3.prepareForSleep(true)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'asleep')))
  await delays(false)
  for (const [n, host] of [h1, h2].entries()) {
    t.same(states(host, before[n]!), ['asleep'], 'that at once, and nothing else')
    t.match(host.daemon.peer('h3'), { Reachable: false, Reason: 'asleep' })
    t.ok(Number(host.daemon.peer('h3')!['AsleepSinceUSec']) > 0)
  }
  t.equal((await h1.tryCoterie('ping h3')).code, 4)
  h3.daemon.signal('SIGSTOP')
  await lab.wires.cut(h3)
  await h1.coterie('ping h2')
  t.equal(h1.daemon.peer('h3')!['State'], 'asleep', 'it said so, and nobody knows better')

  await lab.wires.cut(h3, false)
  h3.daemon.signal('SIGCONT')
  await h3.prepareForSleep(false)
  await right()
  t.match(h1.daemon.peer('h3'), { AsleepSinceUSec: 0, Reason: '' })
  await delays(true)

  t.comment('asleep again, and nobody says when it is awake')
  await h3.prepareForSleep(true)
  await Promise.all([h1, h2].map(host => host.sees('h3', 'asleep')))
  await h3.end('logind')
  await right()
})
