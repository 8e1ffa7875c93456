/** What happens to laptops, how all is put to rights again, and what must hold then. */
import type { World } from './world.ts'

const LANS = ['home', 'attic', 'office']

type Event = (world: World, name: string, other: string) => void

/** Each may be tried at any time. */
export const EVENTS: Record<string, Event> = {
  start: (world, name) => {
    if (world.device(name).reading) world.start(name)
  },
  stop: (world, name) => {
    if (world.device(name).reading) world.device(name).stop()
  },
  kill: (world, name) => world.device(name).kill(),
  sleep: (world, name) => {
    if (world.device(name).awake) world.device(name).sleep()
  },
  suspend: (world, name) => {
    if (world.device(name).reading) world.device(name).suspend()
  },
  resume: (world, name) => world.device(name).resume(),
  wake: (world, name) => {
    if (!world.device(name).awake) world.device(name).wake()
  },
  freeze: (world, name) => world.device(name).freeze(),
  thaw: (world, name) => {
    if (world.device(name).frozen) world.device(name).thaw()
  },
  unplug: (world, name) => world.unplug(name),
  plug: (world, name) => world.plug(LANS[Math.floor(world.random() * LANS.length)]!, name),
  move: (world, name) => world.move(name, LANS[Math.floor(world.random() * LANS.length)]!),
  renumber: (world, name) => world.plug('home', name),
  cut: (world, name, other) => world.cut(name, other),
  heal: (world, name, other) => world.heal(name, other),
  announce: (world, name) => world.announce(name),
  network: (world, name) => world.device(name).tell((mesh, now) => mesh.network(now)),
  ping: (world, name, other) =>
    world.device(name).tell((mesh, now) => mesh.ping(now, world.device(other).id, 1)),
  garbage: (world, name) => {
    const device = world.device(name)
    const session = [...device.ends.keys()][0]
    const body = Uint8Array.from({ length: Math.floor(world.random() * 60) }, () => world.random() * 256)
    if (session === undefined) return
    device.tell((mesh, now) => mesh.receive(now, session, Math.floor(world.random() * 12), body))
  }
}

/** Puts all to rights: everybody runs, at home, and nothing is cut. */
export function mend(world: World, names: readonly string[]): void {
  for (const name of names) {
    const device = world.device(name)
    device.resume()
    world.start(name)
    for (const other of names) world.heal(name, other)
    for (const lan of LANS.slice(1)) world.unplug(name, lan)
    if (!device.addresses.has('home')) world.plug('home', name)
  }
}

/** That all see all over one link a pair, both ends agree which, and nothing is left over. */
export function settled(world: World, names: readonly string[]): string {
  const pairs = (names.length * (names.length - 1)) / 2
  if (!world.all(...names)) return `not all see all\n${world.transcript.slice(-40).join('\n')}`
  if (world.network.links !== pairs) return `${world.network.links} links for ${pairs} pairs`
  for (const name of names) {
    const device = world.device(name)
    if (device.dials.size > 0) return `${name} has ${device.dials.size} attempts under way`
    if (device.ends.size !== names.length - 1) return `${name} has ${device.ends.size} sessions`
    for (const other of names) {
      if (other === name) continue
      const there = world.device(other)
      const end = device.ends.get(device.mesh!.session(there.id)!)
      if (end?.other !== there.ends.get(there.mesh!.session(device.id)!)) return `${name} and ${other} differ`
      const view = device.mesh!.peers().get(there.id)!
      if (!there.addresses.get('home')!.startsWith(view.addresses[0]!)) {
        return `${name} shows ${other} at ${view.addresses[0]}`
      }
    }
  }
  return ''
}
