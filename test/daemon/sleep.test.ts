import t, { type Test } from 'tap'
import { Sleep } from '../../src/daemon/sleep.ts'
import { Bus } from '../../src/host/bus.ts'
import { ClockJump } from '../../src/host/clock-jump.ts'
import { TestBus } from '../bus.ts'
import { client, Inbox } from './surface.ts'

const NAME = 'org.freedesktop.login1'
const driver = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus'
}

async function sleeper(t: Test, { logind = true } = {}) {
  const { address } = await TestBus.up(t, 'system')
  const told = new Inbox<string>()
  const clocks = { mono: 1_000, slept: 0 }
  const now = () => clocks.mono
  let bus = new Bus({ kind: 'system', address: 'unix:path=/nonexistent', log: () => {} })
  const say = logind
    ? await client(t, address).then(async mock => {
        await mock.requestName(NAME)
        return (value: boolean, member = 'PrepareForSleep') =>
          mock.emit({
            path: '/org/freedesktop/login1',
            interface: `${NAME}.Manager`,
            member,
            signature: 'b',
            body: [value]
          })
      })
    : () => {}
  if (logind) bus = await client(t, address)
  const held = Promise.withResolvers<void>()
  const sleep = new Sleep({
    bus,
    log: () => {},
    now,
    circles: () => [{ rest: phase => told.put(phase) }],
    network: () => ({ rotate: () => {}, refresh: () => told.put('refresh') }),
    onChange: () => sleep.logind.inhibition === 'held' && held.resolve(),
    clock: new ClockJump({ now, uptime: () => clocks.mono + clocks.slept }),
    inhibit: ['cat']
  })
  t.teardown(() => sleep.stop())
  sleep.start()
  if (logind) await held.promise
  /** All that was said until now has been heard. */
  const heard = async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = bus.match({ interface: `${NAME}.Manager`, member: 'UserNew' }, () => resolve())
    await bus.call({ ...driver, member: 'GetId' })
    say(true, 'UserNew')
    await promise
    end()
  }
  return { sleep, told, clocks, say, heard }
}

t.test('by the word of logind', async t => {
  const { told, say, sleep, clocks } = await sleeper(t)
  say(true)
  t.equal(await told.next(), 'sleep')
  clocks.slept = 3_600_000
  say(false)
  t.same([await told.next(), await told.next()], ['wake', 'refresh'])
  sleep.look()
  t.equal(told.seen.length, 3, 'the clocks tell nothing new')
  say(false)
  say(true, 'PrepareForShutdown')
  t.equal(await told.next(), 'off')
})

t.test('by the clocks, before logind says it or without that', async t => {
  const { told, say, sleep, clocks } = await sleeper(t)
  say(true)
  t.equal(await told.next(), 'sleep')
  clocks.slept = 60_000
  sleep.look()
  t.same([await told.next(), await told.next()], ['wake', 'refresh'])
  say(false)
  clocks.slept += 60_000
  say(true, 'PrepareForShutdown')
  // nothing was told of the second `false`, and nobody asked the clocks but that
  t.same([await told.next(), await told.next(), await told.next()].sort(), ['off', 'refresh', 'wake'].sort())
})

t.test('without logind', async t => {
  const { told, sleep, clocks } = await sleeper(t, { logind: false })
  t.match(sleep.logind, { present: false })
  sleep.look(900)
  t.same(told.seen, [], 'a timer may be late')
  sleep.look(1_500)
  t.equal(await told.next(), 'grace')
  sleep.look(3_500)
  t.same([await told.next(), await told.next()], ['wake', 'refresh'])
  clocks.slept += 30_000
  sleep.look(2)
  t.same([await told.next(), await told.next()], ['wake', 'refresh'])
  t.equal(told.seen.length, 5)
})

t.test('SIGCONT: it was stopped, perhaps, since it last ran', async t => {
  const { told, sleep, clocks } = await sleeper(t, { logind: false })
  const before = process.listenerCount('SIGCONT')
  const cont = async () => {
    const seen = new Promise(resolve => process.once('SIGCONT', resolve))
    process.kill(process.pid, 'SIGCONT')
    const awake = setInterval(() => {}, 1_000)
    await seen
    clearInterval(awake)
  }
  clocks.mono += 500
  await cont()
  t.same(told.seen, [])
  clocks.mono += 10_000
  await cont()
  t.same([await told.next(), await told.next()], ['wake', 'refresh'])
  await cont()
  t.equal(told.seen.length, 2)
  sleep.stop()
  t.equal(process.listenerCount('SIGCONT'), before - 1)
})

t.test('words without end', async t => {
  const { told, say, heard } = await sleeper(t)
  for (let i = 0; i < 500; i++) for (const word of [true, false]) say(word)
  await heard()
  const sleeps = told.seen.filter(what => what === 'sleep').length
  t.ok(sleeps >= 1 && sleeps <= 6, `${sleeps} of 500 are followed`)
  t.equal(told.seen.filter(what => what === 'wake').length, sleeps)
})
