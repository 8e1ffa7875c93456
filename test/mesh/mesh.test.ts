/** What people see, as transcripts in simulated time. */
import t from 'tap'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { World } from '../sim/world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

/** a, b and c on one LAN, reachable to each other; nothing of how they got there is left in the transcript. */
function trio(options: { seed?: number; discovery?: boolean } = {}): World {
  const world = new World({ seed: 1, ...options })
  world.add('a', 'b', 'c').plug('home', 'a', 'b', 'c').start('a', 'b', 'c')
  for (const one of ['a', 'b', 'c']) for (const other of ['a', 'b', 'c']) world.offer(one, other, 'static')
  world.until(() => world.all('a', 'b', 'c'))
  world.run(5 * SECOND)
  world.told()
  return world
}

/** Without the times. */
const said = (world: World): string[] => world.told().map(line => line.replace(/^\S+ /, ''))

t.test('three meet by announcement', async t => {
  const world = new World({ seed: 3 })
  world.add('a', 'b', 'c').plug('home', 'a', 'b', 'c').start('a', 'b')
  world.until(() => world.all('a', 'b'), 20)
  t.equal(world.sees('a', 'c'), 'unreachable no-address')
  world.start('c')
  t.ok(world.until(() => world.all('a', 'b', 'c'), 20) < 20)
  const view = world.mesh('a').peers().get(world.device('b').id)!
  t.same(view.addresses, [...world.device('b').addresses.values()])
  t.ok(view.latencyUSec > 0)
  t.equal(view.path, 'direct')
  t.equal(view.unreachableSince, 0)
  t.same([...world.device('a').known.keys()].sort(), [world.device('b').id, world.device('c').id].sort())
})

t.test('a learns the address of c from b, and from nobody else', async t => {
  const world = new World({ seed: 3, discovery: false })
  world.add('a', 'b', 'c').plug('home', 'a', 'b', 'c').start('a', 'b', 'c')
  world.offer('a', 'b', 'static')
  world.offer('b', 'c', 'static')
  world.device('c').tell((mesh, now) => mesh.setMembers(now, [world.device('b').id]))
  world.until(() => world.all('b', 'c') && world.all('a', 'b'))
  // longer than the least time between two digests on one session
  world.run(6 * SECOND)
  t.same(world.mesh('a').peers().get(world.device('c').id)?.addresses, [
    ...world.device('c').addresses.values()
  ])
  world.device('c').setMembers(['a', 'b', 'c'].map(name => world.device(name).id))
  t.ok(world.until(() => world.all('a', 'b', 'c'), 20) < 20, 'and c hears of a at once')
})

t.test('both dial at the same moment: one session stays, and every frame written is read', async t => {
  for (let seed = 0; seed < 50; seed++) {
    const world = new World({ seed, discovery: false, latencyMs: 1 + (seed % 5) * 40, jitterMs: seed % 3 })
    world.add('a', 'b').plug('home', 'a', 'b').start('a', 'b')
    world.offer('a', 'b', 'static').offer('b', 'a', 'static')
    const [a, b] = [world.device('a'), world.device('b')]
    const sent: number[] = []
    const read: number[] = []
    world.onFrame = (device, end, kind) => {
      if (kind === Kind.Message && device.ends.has(end.session)) read.push(world.clock.now)
    }
    world.until(() => world.all('a', 'b'))
    for (let i = 0; i < 5_000; i++) {
      for (const [from, to] of [
        [a, b],
        [b, a]
      ] as const) {
        const session = from.mesh?.session(to.id)
        from.ends.get(session!)?.write({ kind: Kind.Message, body: Uint8Array.of(1) })
        sent.push(world.clock.now)
      }
      world.run(1)
    }
    world.run(15 * SECOND)
    t.equal(world.network.links, 1, `seed ${seed}: one link`)
    t.equal(a.ends.size, 1)
    t.equal(read.length, sent.length, 'nothing lost')
    const [one, other] = [a.ends.get(a.mesh!.session(b.id)!), b.ends.get(b.mesh!.session(a.id)!)]
    t.equal(one?.other, other, 'both write to the same one')
  }
})

t.test('a clean stop is seen at once, and the return too', async t => {
  const world = trio()
  world.device('b').stop()
  world.run(10)
  t.same(said(world).sort(), [
    'a: b unreachable stopped',
    'b: a unreachable closed',
    'b: c unreachable closed',
    'c: b unreachable stopped'
  ])
  const view = world.mesh('a').peers().get(world.device('b').id)!
  t.ok(world.device('a').now - view.unreachableSince <= 10)
  world.run(MINUTE)
  t.same(said(world), [], 'it stays stopped however often it refuses')
  world.start('b')
  t.ok(world.until(() => world.all('a', 'b', 'c')) < 20)
})

t.test('a process that was killed is seen at once', async t => {
  const world = trio()
  world.device('b').kill()
  world.run(10)
  t.same(said(world).sort(), ['a: b unreachable closed', 'c: b unreachable closed'])
})

t.test('a silent death is seen within 5 seconds', async t => {
  const world = trio({ discovery: false })
  world.device('b').sleep()
  const took = world.until(
    () => ['a', 'c'].every(name => world.sees(name, 'b') === 'unreachable timeout'),
    5 * SECOND
  )
  t.ok(took > SECOND && took < 5 * SECOND, `${took} ms`)
  t.same(world.sees('a', 'c'), 'reachable')
  world.device('b').wake()
  t.ok(world.until(() => world.all('a', 'b', 'c'), 61_000))
})

t.test('a process that was stopped for a minute accuses nobody', async t => {
  const world = trio({ discovery: false })
  world.device('b').freeze()
  world.run(12 * SECOND)
  world.device('b').thaw()
  world.run(30 * SECOND)
  // the others gave it up, and it heard that; it blames nobody
  const lost = said(world).filter(line => /^b: . (?!reachable|unreachable closed)/.test(line))
  t.same(lost, [])
  t.ok(world.all('a', 'b', 'c'))
  const sleeper = trio({ discovery: false })
  // nobody can tell: all of them sleep
  for (const name of ['a', 'b', 'c']) sleeper.device(name).freeze()
  sleeper.run(MINUTE)
  for (const name of ['a', 'b', 'c']) sleeper.device(name).thaw()
  sleeper.run(MINUTE)
  t.same(said(sleeper), [])
})

t.test('a new address on the same LAN: unreachable for a moment at most', async t => {
  const world = trio()
  world.plug('home', 'b')
  const address = [...world.device('b').addresses.values()]
  t.ok(world.until(() => world.mesh('a').peers().get(world.device('b').id)?.addresses[0] === address[0]) < 50)
  world.run(MINUTE)
  t.same(
    said(world).filter(line => !line.includes('reachable')),
    []
  )
  t.ok(world.all('a', 'b', 'c'))
  t.equal(world.network.links, 3, 'the sessions over the old address are gone')
})

t.test('to the other LAN and back; a third device is on both', async t => {
  const world = trio()
  world.plug('attic', 'c')
  world.run(SECOND)
  world.told()
  world.move('b', 'attic')
  // c reaches it still
  const lost = world.until(() => world.sees('a', 'b') === 'unreachable path', 20_000)
  t.ok(lost < 19_000, `a notices after ${lost} ms`)
  t.ok(world.all('b', 'c'))
  world.move('b', 'home')
  t.ok(world.until(() => world.all('a', 'b', 'c')) < 50)
})

t.test('without a network, and with one again', async t => {
  const world = trio()
  world.unplug('b')
  world.until(() => [world.sees('b', 'a'), world.sees('a', 'b')].every(it => /^unreachable/.test(it)), 20_000)
  t.equal(world.sees('b', 'a'), 'unreachable no-network')
  t.equal(world.sees('a', 'b'), 'unreachable timeout')
  world.plug('home', 'b')
  t.ok(world.until(() => world.all('a', 'b', 'c')) < 50)
})

t.test('a removed device is dropped at once and never dialled again', async t => {
  const world = trio()
  const b = world.device('b').id
  const dialled: string[] = []
  const closed: number[] = []
  world.onOutput = (device, output) => {
    if (output.type === 'dial' && output.peer === b) dialled.push(device.name)
    if (output.type === 'close' && output.reason === CloseReason.Removed) closed.push(output.session)
  }
  world.remove('b')
  t.equal(closed.length, 2)
  t.equal(world.mesh('a').peers().has(b), false)
  t.equal(world.mesh('a').session(b), undefined)
  world.offer('a', 'b', 'announcement').offer('a', 'b', 'static')
  world.plug('home', 'b', 'a')
  world.run(10 * MINUTE)
  t.same(dialled, [])
  t.ok(world.all('a', 'c'))
  t.equal(world.network.links, 1)
})

t.test('after a removal those who stay make fresh handshakes', async t => {
  const world = trio()
  let dials = 0
  world.onOutput = (device, output) => {
    if (output.type === 'dial' && device.name !== 'b') dials++
  }
  world.remove('b')
  world.run(15 * SECOND)
  t.equal(dials, 1)
  t.same(
    said(world).filter(line => /^[ac]: [ac]/.test(line)),
    [],
    'nobody saw anything'
  )
})

t.test('sessions are renewed every hour, and nobody sees it', async t => {
  const world = trio({ discovery: false })
  world.run(56 * MINUTE)
  const before = world.outputs.get('dial')!
  world.run(60 * MINUTE + 11 * MINUTE)
  const renewals = world.outputs.get('dial')! - before
  t.ok(renewals >= 3 && renewals <= 6, `${renewals} renewals`)
  t.same(said(world), [])
  t.equal(world.network.links, 3)
})

t.test('two devices with one identity are told of, and do not fight', async t => {
  const world = new World({ seed: 5 })
  world.add('a', 'b').plug('home', 'a', 'b').start('a', 'b')
  world.until(() => world.all('a', 'b'))
  world.run(5 * SECOND)
  world.clone('b2', 'b')
  world.plug('home', 'b2')
  const clones: string[] = []
  world.onOutput = (device, output) => {
    if (output.type === 'clone') clones.push(device.name)
  }
  world.start('b2')
  world.run(5 * SECOND)
  t.same(clones, ['a'])
  t.equal(world.network.links, 2, 'both are kept')
  const dials = world.outputs.get('dial')!
  const signed = world.outputs.get('sign')!
  world.run(50 * MINUTE)
  t.equal(world.network.links, 2)
  t.ok(world.outputs.get('dial')! - dials < 5, 'no ping-pong of sessions')
  t.ok(world.outputs.get('sign')! - signed < 20, 'nor of incarnations')
  t.equal(world.sees('a', 'b'), 'reachable')
})

t.test('a restart is no clone', async t => {
  const world = trio()
  let clones = 0
  world.onOutput = (_device, output) => {
    if (output.type === 'clone') clones++
  }
  for (let i = 0; i < 10; i++) {
    // nobody hears of its end
    world.cut('a', 'b').cut('b', 'c')
    world.device('b').kill()
    world.run(2)
    world.heal('a', 'b').heal('b', 'c')
    world.start('b')
    world.until(() => world.all('a', 'b', 'c'))
    world.run(20 * SECOND)
  }
  t.equal(clones, 0)
  t.equal(world.network.links, 3)
})

t.test('an interface that flaps 1,000 times leaves nothing behind', async t => {
  const world = trio()
  for (let i = 0; i < 1_000; i++) {
    world.unplug('b')
    world.run(world.random() * 40)
    world.plug('home', 'b')
    world.run(world.random() * 40)
  }
  world.until(() => world.all('a', 'b', 'c'), 2 * SECOND)
  world.run(MINUTE)
  t.ok(world.all('a', 'b', 'c'))
  t.equal(world.network.links, 3)
  for (const name of ['a', 'b', 'c']) {
    t.equal(world.device(name).dials.size, 0, 'no attempt is left')
    t.equal(world.device(name).ends.size, 2)
    const { addresses } = world
      .mesh(name)
      .peers()
      .get(world.device(name === 'b' ? 'a' : 'b').id)!
    t.ok(addresses.length <= 16)
  }
  // a tenth of a second each way, 4 restarts a second and up to 6 attempts in each
  t.ok(world.outputs.get('dial')! < 4_000, `${world.outputs.get('dial')} attempts`)
  t.ok(world.outputs.get('sign')! < 150, `${world.outputs.get('sign')} own records`)
})

t.test('the user pings', async t => {
  const world = trio()
  const pongs: { token: number; roundTripUSec: number }[] = []
  world.onOutput = (_device, output) => {
    if (output.type === 'pong') pongs.push(output)
  }
  const b = world.device('b').id
  world.device('a').tell((mesh, now) => t.equal(mesh.ping(now, b, 42), true))
  world.run(10)
  t.match(pongs, [{ token: 42 }])
  t.ok(pongs[0]!.roundTripUSec >= 400 && pongs[0]!.roundTripUSec <= 800)
  world.device('b').kill()
  world.run(10)
  world.device('a').tell((mesh, now) => t.equal(mesh.ping(now, b, 43), true, 'it may be on its way back'))
  world.run(2 * SECOND)
  world.device('a').tell((mesh, now) => t.equal(mesh.ping(now, b, 44), false))
  world.start('b')
  world.run(5 * SECOND)
  t.same(
    pongs.map(({ token }) => token),
    [42, 43]
  )
})

t.test('same seed, same history', async t => {
  const history = (seed: number): string => {
    const world = new World({ seed, loss: 0.05, jitterMs: 5, skew: 1e-4 })
    const names = ['a', 'b', 'c', 'd', 'e']
    world
      .add(...names)
      .plug('home', ...names)
      .start(...names)
    world.run(MINUTE)
    world.device('c').kill()
    world.move('d', 'attic')
    world.run(10 * MINUTE)
    world.start('c').move('d', 'home')
    world.run(10 * MINUTE)
    return world.digest()
  }
  t.equal(history(7), history(7))
  t.not(history(7), history(8))
})
