/** Real daemons on one computer: logind says that it sleeps, or nobody says anything and it is stopped. */
import t from 'tap'
import { TestBus } from '../bus.ts'
import { Logind, missing } from '../logind.ts'
import { inside } from '../namespace.ts'
import { Stalls } from '../stalls.ts'
import { Computer } from './daemon.ts'

if (inside(t, import.meta.url)) {
  const pair = async (t: Parameters<typeof TestBus.up>[0], env: { [name: string]: string } = {}) => {
    const anna = new Computer(t, 'anna', { env })
    const ben = new Computer(t, 'ben')
    await Promise.all([anna.start(), ben.start()])
    await ben.founds()
    await anna.joins(await ben.ticket())
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    return { anna, ben }
  }
  const state = (computer: Computer, name: string, is: string) =>
    computer.until(`sees ${name} ${is}`, ({ Peers }) =>
      Peers.some(peer => peer.Name === name && peer.State === is)
    )

  t.test('logind says so', { skip: missing }, async t => {
    const { address } = await TestBus.up(t, 'system')
    const logind = await Logind.up(t, address)
    const { anna, ben } = await pair(t, { DBUS_SYSTEM_BUS_ADDRESS: address })
    await logind.until(all => all.length === 1)
    const before = Date.now() * 1_000
    const passed = new Stalls(t).watch()
    await logind.sleep(true)
    const { Peers } = await state(ben, 'anna', 'asleep')
    t.comment(`asleep at the other one after ${Math.round(passed())} ms`)
    const [peer] = Peers
    t.match(peer, { Reachable: false, Reason: 'asleep', LatencyUSec: 0, Path: '' })
    t.ok(peer!.AsleepSinceUSec >= before && peer!.AsleepSinceUSec <= Date.now() * 1_000)
    t.ok(peer!.Addresses.length > 0)
    await logind.until(all => all.length === 0)
    t.ok(passed() < 5_000, 'it is let sleep')
    t.match(await anna.status(), { Peers: [{ State: 'unreachable', Reason: 'asleep' }] })
    t.match((await ben.coterie('status')).out, /anna +.*asleep/)

    const resumed = performance.now()
    await logind.sleep(false)
    const [after] = (await ben.sees('anna')) ? (await ben.status()).Peers : []
    await anna.sees('ben')
    t.comment(`both see each other ${Math.round(performance.now() - resumed)} ms after it woke`)
    t.equal(after!.AsleepSinceUSec, 0)
    await logind.until(all => all.length === 1)

    t.comment('it dies in its sleep, and stays asleep')
    await logind.sleep(true)
    await state(ben, 'anna', 'asleep')
    await anna.kill()
    await logind.until(all => all.length === 0)
    t.match((await ben.status()).Peers, [{ State: 'asleep' }])
    await anna.start()
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    t.match(
      (await anna.call('Doctor')).Checks.find(({ Name }) => Name === 'sleep'),
      { State: 'ok' }
    )
  })

  t.test('nobody says anything: SIGSTOP, SIGCONT', async t => {
    const { anna, ben } = await pair(t)
    const from = anna.log.length
    anna.signal('SIGSTOP')
    // it is not heard of; by and by the other one notices
    await new Promise(resolve => setTimeout(resolve, 4_000))
    anna.signal('SIGCONT')
    await anna.logs(/awake/, from)
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    t.notOk(
      anna.log.slice(from).some(line => /internal error/.test(line)),
      'both see each other'
    )
    t.match(
      (await anna.call('Doctor')).Checks.find(({ Name }) => Name === 'sleep'),
      { Text: /^There is no logind/ }
    )
  })
}
