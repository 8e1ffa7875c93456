/** Recovery and lost devices with real daemons, over the loopback interface. */
import t from 'tap'
import { inside, type Teardown } from '../namespace.ts'
import { Stalls } from '../stalls.ts'
import { Computer } from './daemon.ts'
import { rows } from './kept.ts'

async function three(t: Teardown) {
  const [anna, ben, cleo] = (await Promise.all(
    ['anna', 'ben', 'cleo'].map(name => new Computer(t, name).start())
  )) as [Computer, Computer, Computer]
  const { RecoveryCode: code } = await anna.founds()
  await ben.joins(await anna.ticket())
  await cleo.joins(await anna.ticket())
  await anna.until('sees both', status => status.Peers.filter(peer => peer.Reachable).length === 2)
  await ben.sees('cleo')
  return { anna, ben, cleo, code }
}

if (inside(t, import.meta.url)) {
  t.test('the first device is stolen: a member takes over, and it locks itself', async t => {
    const { anna, ben, cleo, code } = await three(t)
    t.match(await ben.coterie('recovery verify', code), { code: 0, out: /recovery code of the circle home/ })
    t.match(await ben.coterie('recovery verify', code.replace(/^..../, '0000')), { code: 1, err: /mistyped/ })
    const used = await ben.coterie('recovery use --remove anna --lost --yes', code)
    t.match(used, {
      code: 0,
      out: /anna .*is removed, for ever[\s\S]*ben .*becomes first device \(was member\)/
    })

    const took = new Stalls(t).watch()
    const locked = await anna.until('locks', ({ Device }) => Device.State === 'locked')
    t.ok(took() < 2_000, `locked ${Math.round(took())} ms after the command ended`)
    t.match(locked.Notes.join('\n'), /removed as lost from the circle home.*coterie recovery unlock/)
    t.match(locked.Circles, [{ Name: 'home', Level: 0 }])
    t.match(locked.Device.Name, 'anna')
    t.strictSame(locked.Listeners, [], 'no network')
    t.match(
      (await anna.coterie('status')).out,
      /^anna was removed as lost from the circle home and is locked\./
    )
    t.match((await anna.coterie('devices')).err, /its keys are locked/)
    await cleo.until('knows', ({ Circle }) => Circle.Members === 2)
    await cleo.sees('ben')
    t.equal((await ben.status()).Circle.Level, 1)
    t.match((await ben.coterie('invite --ticket')).out, /^coterie1:/)

    t.comment('started anew it is locked, and no key is on its disk')
    await anna.stop()
    const emptied = () => [
      ...rows(anna, 'circle').flatMap(row => [row['seed'], row['secret']]),
      ...rows(anna, 'discovery').map(row => row['key'])
    ]
    t.ok(emptied().length >= 3)
    t.ok(emptied().every(key => (key as Uint8Array).length === 0))
    await anna.start()
    t.equal((await anna.status()).Device.State, 'locked')

    t.comment('found again')
    t.match(await anna.coterie('recovery unlock', code.slice(5)), { code: 1, err: /too short/ })
    t.match(await anna.coterie('recovery unlock', code), { code: 0, out: /stays removed, for ever/ })
    const open = await anna.status()
    t.match(open, { Device: { State: 'ready' }, Circle: { Name: 'home', Level: 0 } })
    t.match(open.Notes.join('\n'), /was removed from the circle home/)
    t.match(await anna.coterie('leave --yes'), { code: 0 })
    await anna.joins(await ben.ticket())
    await anna.sees('ben')
    t.equal((await anna.status()).Circle.Level, 10)
  })

  t.test('the code in shares: one is lost with its device, two make the code', async t => {
    const { anna, ben, cleo, code } = await three(t)
    t.match(await ben.coterie('recovery share'), { code: 1, err: /holds no share/ })
    t.match(await anna.coterie('recovery split anna ben cleo', code), {
      code: 0,
      out: /Any two of them make/
    })
    const shares = await Promise.all([ben, cleo].map(async pc => (await pc.coterie('recovery share')).out))
    t.match(shares, [/^([0-9A-Z]{4}-){10}[0-9A-Z]{4}\n$/, /^([0-9A-Z]{4}-){10}[0-9A-Z]{4}\n$/])
    await anna.kill()
    t.match(await ben.coterie('recovery verify', shares.join('')), { code: 0 })
    t.match(await ben.coterie('recovery use --remove anna --yes', shares.join('')), { code: 0 })
    await cleo.until('knows', ({ Circle }) => Circle.Members === 2)
    const { Notes } = await cleo.status()
    t.match(
      Notes.join('\n'),
      /share of the recovery code of home is on a device that is no member any more \(anna\)/
    )
    t.match(await ben.coterie('recovery split anna ben cleo', code), {
      code: 1,
      err: /no member is called "anna"/
    })
    t.equal((await ben.status()).Circle.Level, 1)
  })

  t.test('a lost device that was away locks at the first that it meets', async t => {
    const { anna, ben, cleo } = await three(t)
    await ben.kill()
    t.match(await anna.coterie('remove ben --lost --yes'), { code: 0 })
    await cleo.until('knows', ({ Circle }) => Circle.Members === 2)
    await anna.kill()
    await ben.start()
    await ben.until('locks', ({ Device }) => Device.State === 'locked')
    t.match(await ben.coterie('leave --yes'), { code: 0 }, 'it can be cleared away')
    t.equal((await ben.status()).Device.State, 'new')
    await ben.stop()
    t.notOk(rows(ben, 'circle').length)
  })
}
