import { deepStrictEqual } from 'node:assert'
import t from 'tap'
import { add, remove, rename } from '../../src/circle/author.ts'
import { hex } from '../../src/wire/bytes.ts'
import { fc } from '../draws.ts'
import { type Device, generator, joining, World } from './world.ts'

const NAMES = ['A', 'B', 'C', 'D', 'E']

/** What happens: an operation, or a session that begins or ends. */
const event = fc.record({
  kind: fc.constantFrom('add', 'remove', 'name', 'name', 'connect', 'disconnect', 'run'),
  by: fc.nat(NAMES.length - 1),
  other: fc.nat(NAMES.length - 1),
  level: fc.integer({ min: 2, max: 11 })
})

t.test('whatever was done apart, devices that meet come to one log and one list of members', async t => {
  let operations = 0
  const property = fc.property(
    fc.array(event, { minLength: 20, maxLength: 60 }),
    fc.nat(),
    (events, seed) => {
      const world = new World()
      const devices = world.circle(...NAMES)
      const [first] = devices as [Device]
      for (const [n, name] of ['B', 'C', 'D'].entries())
        world.append(first, add(first.keys, first.place(), joining(name, [2, 3, 10][n])))
      for (const d of devices) if (d !== first) world.connect(first, d)
      world.run()
      for (const d of devices) if (d !== first) world.disconnect(first, d)
      const random = generator(seed)
      let serial = 0
      for (const { kind, by, other, level } of events) {
        const [a, b] = [devices[by]!, devices[other]!]
        if (a === b && kind !== 'name') continue
        if (kind === 'connect') world.connect(a, b)
        else if (kind === 'disconnect') world.disconnect(a, b)
        else if (kind === 'run') world.run(random)
        else act(world, a, b, kind, level, ++serial)
      }
      for (const a of devices) for (const b of devices) if (a.name < b.name) world.connect(a, b)
      world.run(random)
      operations += first.log.size - 4
      for (const d of devices) {
        deepStrictEqual(hex(d.log.headDigest), hex(first.log.headDigest))
        deepStrictEqual(sorted(d), sorted(first))
        for (const other of devices) if (other !== d) deepStrictEqual(d.log.synced(other.id), true)
        deepStrictEqual(d.records.length, d.log.size - 1, 'all but the genesis went to disk, once')
      }
    }
  )
  fc.assert(property, { numRuns: 100 })
  t.ok(operations > 200, `${operations} operations`)
})

/** Only what the device may by what it knows. */
function act(world: World, a: Device, b: Device, kind: string, level: number, serial: number): void {
  const me = a.log.members.get(a.id)
  if (me === undefined) return
  const them = a.log.members.get(b.id)
  if (kind === 'name') world.append(a, rename(a.keys, a.place(), { serial, name: `${a.name}${serial}` }))
  else if (kind === 'add' && level > me.level) world.append(a, add(a.keys, a.place(), joining(b.name, level)))
  else if (kind === 'remove' && them && them.level > me.level)
    world.append(a, remove(a.keys, a.place(), { target: b.keys.publicKey, lost: false, cut: undefined }))
}

function sorted(device: Device) {
  return [...device.log.members].sort(([a], [b]) => (a < b ? -1 : 1))
}
