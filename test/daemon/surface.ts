/** The D-Bus surface on a bus of its own, with the example's objects, and a client. */

import { type Implementation, INTERFACE, ROOT } from '../../src/api/api.ts'
import { Agents } from '../../src/daemon/joining/agents.ts'
import { type BusState, DBusSurface } from '../../src/daemon/surfaces/dbus.ts'
import { type Clock, realClock } from '../../src/daemon/surfaces/pace.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { Bus } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import { implement, publishExample } from './example.ts'

interface Test {
  teardown(fn: () => Promise<void>): void
}

/** Values as they come, to be waited for in order. */
export class Inbox<T> {
  readonly seen: T[] = []
  #taken = 0
  #wake = () => {}

  put(item: T): void {
    this.seen.push(item)
    this.#wake()
  }

  /** The next one. */
  async next(): Promise<T> {
    while (this.seen.length <= this.#taken)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    return this.seen[this.#taken++] as T
  }

  /** The next one that fits; those before it are passed over. */
  async until(fits: (item: T) => boolean): Promise<T> {
    for (;;) {
      const item = await this.next()
      if (fits(item)) return item
    }
  }
}

export async function client(t: Test, address: string): Promise<Bus> {
  const bus = new Bus({ kind: 'session', address, log: () => {} })
  t.teardown(() => bus.close())
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  bus.start()
  await up
  return bus
}

export class Surface {
  readonly daemon: TestBus
  readonly bus: Bus
  readonly publisher = new Publisher({ boot: 'boot' })
  readonly states = new Inbox<BusState>()
  readonly logged: string[] = []
  readonly surface: DBusSurface
  readonly agents: Agents
  control = true

  constructor(t: Test, daemon: TestBus, given: Partial<Implementation>, clock: Clock = realClock) {
    this.daemon = daemon
    const log = (level: string, text: string) => void this.logged.push(`${level} ${text}`)
    this.bus = new Bus({ kind: 'session', address: daemon.address, log })
    publishExample(this.publisher)
    this.agents = new Agents({ bus: this.bus, allowed: () => this.control, log })
    this.surface = new DBusSurface({
      bus: this.bus,
      publisher: this.publisher,
      implementation: implement(given),
      agents: this.agents,
      control: () => this.control,
      clock,
      log,
      onState: state => this.states.put(state)
    })
    t.teardown(async () => {
      await this.surface.stop()
      await this.bus.close()
    })
  }

  start(): void {
    this.surface.start()
    this.bus.start()
  }

  /** On a running bus, with the name owned. */
  static async up(t: Test, given: Partial<Implementation> = {}, clock?: Clock): Promise<Surface> {
    const surface = new Surface(t, await TestBus.up(t), given, clock)
    surface.start()
    const state = await surface.states.next()
    if (state !== 'owned') throw new Error(`the name is ${state}`)
    return surface
  }
}

/** A call to the daemon's object `path` below ROOT, in its own interface unless another is given. */
export const call = (
  bus: Bus,
  member: string,
  signature = '',
  body: unknown[] = [],
  path = '',
  interfaceName = INTERFACE
) =>
  bus.call({
    destination: INTERFACE,
    path: ROOT + path,
    interface: interfaceName,
    member,
    signature,
    body,
    timeoutMs: PATIENCE_MS
  })
