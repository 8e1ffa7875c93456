/** Several circles on one device: each is shown, named, left by itself, and knows nothing of the others. */
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('a device in two circles', async t => {
    const [anna, ben, cleo] = await Promise.all(
      ['anna', 'ben', 'cleo'].map(name => new Computer(t, name).start())
    )
    const home = (await anna!.founds('home')).Circle
    const work = (await cleo!.founds('work')).Circle
    await ben!.joins(await anna!.ticket())
    await ben!.joins(await cleo!.ticket())
    const { Peers } = await ben!.until(
      'reaches both',
      ({ Peers }) => Peers.filter(p => p.Reachable).length === 2
    )
    t.same(
      new Set(Peers.map(p => [p.Circle, p.Name])),
      new Set([
        [home, 'anna'],
        [work, 'cleo']
      ])
    )

    t.comment('each has an identity and devices of its own')
    const inHome = await ben!.call('Status')
    const inWork = await ben!.call('Status', { Circle: 'work' })
    t.not(inHome.Device.Id, inWork.Device.Id, 'two identities')
    t.equal(inHome.Circle.Id, home, 'the first is the default one')
    t.strictSame(
      inWork.Peers.map(p => p.Name),
      ['cleo']
    )
    t.strictSame((await ben!.call('Devices', { Circle: work })).Devices.map(d => d.Name).sort(), [
      'ben',
      'cleo'
    ])
    for (const [one, other] of [
      [anna!, [inWork.Device.Id, work, 'cleo']],
      [cleo!, [inHome.Device.Id, home, 'anna']]
    ] as const) {
      const known = [
        JSON.stringify([await one.status(), await one.call('Devices')]),
        one.log.join('\n'),
        readFileSync(one.database, 'latin1')
      ].join('\n')
      for (const word of other)
        t.notOk(known.includes(word), `${one.name} knows nothing of ${word.slice(0, 12)}`)
    }

    t.comment('which one is meant')
    t.match(await ben!.coterie('circle list'), { code: 0, out: /home .*default\n.*work/s })
    t.match(await ben!.coterie('circle use work'), { code: 0, out: 'work is the default circle now.\n' })
    t.equal((await ben!.status()).Device.Id, inWork.Device.Id)
    t.match(await ben!.coterie('circle use nowhere'), { code: 1, err: /no circle "nowhere"/ })
    await ben!.stop()
    await ben!.start()
    t.equal((await ben!.status()).Circle.Id, work, 'also after a restart')
    t.match(await ben!.coterie('devices --circle home'), { code: 0, out: /anna/ })

    t.comment('no circle twice, no name twice')
    t.match(await failure(ben!.joins(await anna!.ticket())), /^CircleExists: .*"home" already/)
    t.match(await ben!.coterie('init'), { code: 1, err: /coterie circle create NAME/ })
    t.match(await ben!.coterie('circle create work'), { code: 1, err: /called "work" already/ })
    const dora = await new Computer(t, 'dora').start()
    await dora.founds('home')
    t.equal((await ben!.joins(await dora.ticket())).Name, 'home 2', 'another home has another name here')

    t.comment('leaving one leaves the others')
    t.match(await ben!.coterie('leave --circle work --yes'), { code: 0 })
    await cleo!.until('ben is gone', ({ Peers }) => Peers.length === 0)
    const left = await ben!.status()
    t.strictSame(
      left.Circles.map(c => c.Name),
      ['home', 'home 2']
    )
    t.equal(left.Device.State, 'ready')
    await ben!.sees('anna')
  })

  t.test('sixteen, and no more', async t => {
    const anna = await new Computer(t, 'anna').start()
    await anna.founds('c1')
    for (let n = 2; n <= 16; n++) await anna.call('Init', { Name: `c${n}`, Another: true })
    t.match(await failure(anna.call('Init', { Name: 'c17', Another: true })), /^NotAllowed: .*16 circles/)
    t.equal((await anna.status()).Circles.length, 16)
    await anna.stop()
    await anna.start()
    t.equal((await anna.status()).Circles.length, 16)
  })

  t.test('erased: all circles are left, and nothing is kept', async t => {
    const [anna, ben] = await Promise.all(['anna', 'ben'].map(name => new Computer(t, name).start()))
    await anna!.founds('home')
    await ben!.joins(await anna!.ticket())
    await ben!.sees('anna')
    await ben!.coterie('circle create own')
    const said = await ben!.coterie('leave --erase --yes')
    t.match(said, { code: 0, out: /are erased; 1 other device knows\./ })
    t.match(await ben!.status(), { Device: { State: 'new' }, Circles: [], Peers: [], Listeners: [] })
    for (const path of [ben!.key, `${ben!.key}-store`, ben!.database]) t.notOk(existsSync(path), path)
    t.match((await anna!.call('Devices')).Devices, [{ Name: 'anna' }], 'the other one knows')
    await ben!.joins(await anna!.ticket())
    await ben!.sees('anna')
    await ben!.stop()
    await ben!.start()
    await ben!.sees('anna')
  })
}
