/** Devices that see each other, and what tests of presence ask of them. */
import { World, type WorldOptions } from './world.ts'

/** `before` they start. All on one LAN, each told where the others are; settled for a while, and nothing told yet. */
export function home(
  names: readonly string[],
  options: WorldOptions,
  settleMs = 20_000,
  before: (world: World) => void = () => {}
): World {
  const world = new World({ discovery: false, ...options })
  world.add(...names).plug('home', ...names)
  before(world)
  world.start(...names)
  for (const one of names) for (const other of names) if (one !== other) world.offer(one, other, 'static')
  world.until(() => world.all(...names), 60_000)
  world.run(settleMs)
  world.told()
  return world
}

export function onBattery(world: World, ...names: string[]): void {
  for (const name of names) world.device(name).tell((mesh, now) => mesh.setOnBattery(now, true))
}

/** No UDP to or from them. */
export function barred(world: World, ...names: string[]): void {
  for (const name of names) world.device(name).barred = true
}

/** Until none of `by` shows it as there. */
export const unseen = (world: World, by: readonly string[], name: string, limitMs = 90_000): number =>
  world.until(() => by.every(one => world.sees(one, name).startsWith('unreachable')), limitMs)

export const except = (names: readonly string[], ...without: string[]): string[] =>
  names.filter(name => !without.includes(name))

/** The p-th part of them is not greater. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!
}

/** Calls `each` when a probe of another device comes to `name`. */
export function whenProbed(world: World, name: string, each: (by: string) => void): void {
  const mesh = world.mesh(name)
  const alive = mesh.alive.bind(mesh)
  mesh.alive = (now, id, address) => {
    each(id)
    alive(now, id, address)
  }
}
