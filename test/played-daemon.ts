/**
 * The daemon as panels see it on D-Bus, played where more is to happen than a real one has to tell: devices that come,
 * go, change state, name and latency.
 */
import { INTERFACE, ROOT } from '../src/api/api.ts'
import { interfaces } from '../src/api/introspection.ts'
import { toBus } from '../src/daemon/surfaces/bus-values.ts'
import { Bus } from '../src/host/bus.ts'
import { ids, readyStatus } from './implementation.ts'

const STATES = ['reachable', 'suspect', 'asleep', 'unreachable']

export class PlayedDaemon {
  readonly #bus: Bus
  readonly #subscribers = new Map<string, string>()
  #paths = 0
  #asked = () => {}
  /** What Status tells. */
  status = readyStatus()
  /** Callers whose agent is registered. */
  readonly agents = new Set<string>()

  private constructor(address: string) {
    this.#bus = new Bus({ kind: 'session', address, log: () => {} })
    const { in: _in, out } = interfaces.Daemon.methods['Status']!
    const nothing = { signature: '', body: [] }
    this.#bus.serve(async ({ member, sender, path }) => {
      switch (member) {
        case 'Status': {
          setImmediate(() => this.#asked())
          const body = out.map(a => toBus(a.type!, this.status[a.name as keyof typeof this.status]))
          return { signature: out.map(a => a.signature).join(''), body }
        }
        case 'Subscribe': {
          const made = `${ROOT}/subscription/${++this.#paths}`
          this.#subscribers.set(made, sender)
          return { signature: 'o', body: [made] }
        }
        case 'Cancel':
          this.#subscribers.delete(path)
          return nothing
        case 'RegisterAgent':
          this.agents.add(sender)
          return nothing
        case 'UnregisterAgent':
          this.agents.delete(sender)
          return nothing
        case 'RequestDefaultAgent':
          return nothing
        default:
          return undefined
      }
    })
  }

  /** Owns the daemon's name when it resolves; `own.close` gives it up. */
  static async up(address: string): Promise<PlayedDaemon> {
    const played = new PlayedDaemon(address)
    const up = new Promise<void>(resolve => played.#bus.onUp(resolve))
    played.#bus.start()
    await up
    await played.#bus.requestName(INTERFACE)
    return played
  }

  get subscriptions(): number {
    return this.#subscribers.size
  }

  /** The next picture, number `n`, is there; resolves when it has been asked for. */
  async tell(n: number, devices = 12): Promise<void> {
    const base = readyStatus().Peers[0]!
    const peer = (slot: number) => {
      const State = STATES[(n + slot) % STATES.length]!
      const away = State !== 'reachable'
      // one of them is another one each time, one has another name
      const Id = slot === n % devices ? `${ids.phone}${n}` : `${ids.phone}s${slot}`
      const Name = slot === (n + 1) % devices ? `renamed ${n}` : `device ${slot}`
      const Reason = away ? 'timeout' : ''
      const facts = { LatencyUSec: away ? 0 : 1000 * n, LastSeenUSec: away ? Date.now() * 1000 - 1e6 * n : 0 }
      return { ...base, Id, Name, State, Reason, Reachable: !away, ...facts }
    }
    const Peers = Array.from({ length: devices }, (_, slot) => peer(slot))
    this.status = { ...this.status, Peers, Summary: `home: picture ${n}` }
    const asked = new Promise<void>(resolve => {
      this.#asked = resolve
    })
    for (const [path, destination] of this.#subscribers)
      this.#bus.emit({
        path,
        interface: `${INTERFACE}.Subscription`,
        member: 'Changed',
        signature: 'aa{sv}as',
        body: [[], []],
        destination
      })
    await asked
  }

  close(): Promise<void> {
    return this.#bus.close()
  }
}
