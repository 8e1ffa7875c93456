/** How long it takes until what is shown is what is: cables cut and mended, addresses changed, moves, sleep. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { count, NEVER, type Series, series } from './figures.ts'

/** When that becomes true, by performance.now(); Infinity when it does not within its time. */
async function when(event: Promise<unknown>): Promise<number> {
  try {
    await event
    return performance.now()
  } catch (error) {
    if (!/^not within/.test((error as Error).message)) throw error
    return NEVER
  }
}
const all = async (events: Promise<unknown>[]) => Math.max(...(await Promise.all(events.map(when))))
const pairs = (hosts: readonly Host[]): [Host, Host][] =>
  hosts.flatMap(one => hosts.filter(other => other !== one).map((other): [Host, Host] => [one, other]))
/** Each of these shows each other one so. */
const show = (between: readonly [Host, Host][], state: string, milliseconds: number) =>
  between.map(([one, other]) => one.sees(other.name, state, milliseconds))
const together = (hosts: readonly Host[]) => Promise.all(show(pairs(hosts), 'reachable', 90_000))
/** Things that happen every so often must not be in step with us. */
const sometime = (least: number, most: number) => delay(least + Math.random() * (most - least))

/** A peer that was lost so often, each time within a minute, is one that flaps, and shown and told of later. */
const LOSSES = 4
const FORGOTTEN_MS = 60_000
const unlikeFlaps = (n: number) => (n > 0 && n % LOSSES === 0 ? delay(FORGOTTEN_MS) : undefined)

/** The cable of the last one is silently cut and mended: no carrier is lost, no address goes. */
async function cutAndMend(lab: Lab, times: number, into: { cut: Series; back: Series }, pauseMs: number) {
  const hosts = [...lab.hosts.values()]
  const last = hosts.at(-1)!
  const others = hosts.slice(0, -1)
  for (let n = 0; n < times; n++) {
    await together(hosts)
    await unlikeFlaps(n)
    await sometime(1_000, pauseMs)
    const gone = all(
      show(
        others.map(other => [other, last]),
        'unreachable',
        120_000
      )
    )
    const alone = Promise.all(
      show(
        others.map(other => [last, other]),
        'unreachable',
        120_000
      )
    )
    const began = performance.now()
    await lab.wires.cut(last)
    into.cut.values.push((await gone) - began)
    await alone
    await sometime(0, 2_000)
    const back = all(show(pairs(hosts), 'reachable', 90_000))
    const mended = performance.now()
    await lab.wires.cut(last, false)
    into.back.values.push((await back) - mended)
  }
}

/** Three computers on mains: each has a watcher on mains. */
export async function cable(lab: Lab, times: number): Promise<Series[]> {
  const cut = series('cable silently cut → unreachable at both others, watcher on mains', 3000, 5000)
  const back = series('link returns → reachable, all ways', 500, 1500)
  await lab.circle(...lab.all('h1', 'h2', 'h3'))
  await cutAndMend(lab, times, { cut, back }, 5_000)
  return [cut, back]
}

export async function pair(lab: Lab, times: number): Promise<Series[]> {
  const cut = series('cable silently cut, two devices only', 3000, 5000)
  const back = series('link returns → reachable, two devices only', 500, 1500)
  await lab.circle(...lab.all('h1', 'h2'))
  await cutAndMend(lab, times, { cut, back }, 5_000)
  return [cut, back]
}

/** All on battery: nobody watches. */
export async function battery(lab: Lab, times: number): Promise<Series[]> {
  const cut = series('cable silently cut, all on battery: nobody watches, keepalive 60 s', 20_000, 65_000)
  const back = series('link returns → reachable, all on battery', 500, 1500)
  const hosts = lab.all('h1', 'h2', 'h3')
  await Promise.all(hosts.map(host => host.battery()))
  await lab.circle(...hosts)
  await cutAndMend(lab, times, { cut, back }, 60_000)
  return [cut, back]
}

/** What became of one ping. */
interface Sent {
  readonly began: number
  /** When it was answered, or not. */
  ended?: number
  failed?: string
  readonly refused?: boolean
}

/**
 * Pings without a pause, each on a connection of its own: an answer that is late holds up no other. What counts is
 * the answer over the session, which is told as progress; then the caller goes away, before addresses are measured.
 */
class Pinging {
  readonly sent: Sent[] = []
  readonly #going = new Set<Promise<void>>()
  readonly #from: Host
  readonly #to: Host
  readonly #timer: NodeJS.Timeout

  constructor(from: Host, to: Host) {
    this.#from = from
    this.#to = to
    this.#timer = setInterval(() => this.#ping(), 50)
  }

  #ping(): void {
    const sent: Sent = { began: performance.now() }
    this.sent.push(sent)
    const going = (async () => {
      const client = await this.#from.client()
      try {
        const answered = Promise.withResolvers<void>()
        const whole = client.call('Ping', { Peer: this.#to.name, Count: 1 }, sentence => {
          if (sentence.startsWith('1 of 1')) answered.resolve()
        })
        await Promise.race([
          answered.promise,
          whole.then(({ LatencyUSec }) => {
            if (LatencyUSec.length === 0) throw new Error('not over the session')
          })
        ])
      } catch (error) {
        sent.failed = (error as Error).message
      } finally {
        sent.ended = performance.now()
        client.close()
      }
    })()
    this.#going.add(going)
    void going.finally(() => this.#going.delete(going))
  }

  /** When the first ping that began after that moment was answered. */
  async usable(after: number, milliseconds: number): Promise<number> {
    const answered = () => this.sent.filter(s => s.began >= after && s.ended && !s.failed).map(s => s.ended!)
    for (; performance.now() < after + milliseconds; await delay(5)) {
      const [first] = answered().sort((a, b) => a - b)
      if (first !== undefined) return first
    }
    return NEVER
  }

  /** Ends it; how many of those that were accepted were not answered: one that was refused ended at once. */
  async stop(): Promise<number> {
    clearInterval(this.#timer)
    await Promise.all(this.#going)
    return this.sent.filter(({ failed, began, ended }) => failed && ended! - began > 200).length
  }
}

/** Its address is another one, in the same LAN. Nobody has IPv6, whose addresses would stay. */
export async function address(lab: Lab, times: number): Promise<Series[]> {
  const usable = series('own address changes on the same LAN → usable from both sides', 600, 2000)
  const lost = count('accepted pings of both sides lost by it', 0)
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2] = hosts
  await Promise.all(hosts.map(host => host.withoutIpv6()))
  await lab.circle(...hosts)
  for (let n = 0; n < times; n++) {
    await together(hosts)
    await sometime(500, 3_000)
    const pings = [new Pinging(h1, h2), new Pinging(h2, h1)]
    await Promise.all(pings.map(ping => ping.usable(0, 10_000)))
    const next = `10.77.1.${60 + (n % 40)}`
    const changed = await h2.awaits(next)
    await h2.readdress(next)
    const at = await changed.at
    const answered = await Promise.all(pings.map(ping => ping.usable(at, 60_000)))
    usable.values.push(Math.max(...answered) - at)
    const failures = await Promise.all(pings.map(ping => ping.stop()))
    lost.values.push(failures.reduce((sum, failed) => sum + failed, 0))
  }
  return [usable, lost]
}

/** h2 is carried to the LAN behind address translation, and back; h3 can be reached from both LANs. */
export async function moves(lab: Lab, times: number): Promise<Series[]> {
  const away = series('moved to the LAN behind NAT → usable with both others', 2000, 4000)
  const back = series('moved back → usable with both others', 2000, 4000)
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2, h3] = hosts
  await lab.translate()
  await lab.circle(...hosts)
  for (let n = 0; n < times; n++)
    for (const [lan, into] of [
      ['b', away],
      ['a', back]
    ] as const) {
      await together(hosts)
      await unlikeFlaps(lan === 'a' ? 0 : 2 * n)
      await sometime(500, 2_000)
      await h2.unplug()
      await sometime(0, 1_000)
      const addressed = await h2.awaits(h2.address(lan))
      await h2.plug(lan)
      const at = await addressed.at
      const ways = [h1, h3].flatMap(other => [new Pinging(h2, other), new Pinging(other, h2)])
      const answered = await Promise.all(ways.map(ping => ping.usable(at, 90_000)))
      into.values.push(Math.max(...answered) - at)
      await Promise.all(ways.map(ping => ping.stop()))
    }
  return [away, back]
}

/** logind says that h3 is about to sleep; it stops, loses the network, comes back. */
export async function sleep(lab: Lab, times: number): Promise<Series[]> {
  const asleep = series('PrepareForSleep → asleep at both others', 200, 200)
  const right = series('resume → all reachable, all ways', 1000, 3000)
  const hosts = lab.all('h1', 'h2', 'h3')
  const [h1, h2, h3] = hosts
  await h3.logind()
  await lab.circle(...hosts)
  for (let n = 0; n < times; n++) {
    await together(hosts)
    await unlikeFlaps(n)
    // a logind that says so more often is not believed
    await sometime(10_000, 12_000)
    const seen = all([h1, h2].map(host => host.sees('h3', 'asleep', 5_000)))
    const began = await h3.prepareForSleep(true)
    asleep.values.push((await seen) - began)
    h3.daemon.signal('SIGSTOP')
    await lab.wires.cut(h3)
    await sometime(1_000, 4_000)
    await lab.wires.cut(h3, false)
    h3.daemon.signal('SIGCONT')
    const resumed = performance.now()
    await h3.prepareForSleep(false)
    // who was never shown otherwise is not back yet
    const answered = await Promise.all(
      pairs(hosts).map(async ([one, other]) => {
        const ping = new Pinging(one, other)
        const at = await ping.usable(resumed, 60_000)
        await ping.stop()
        return Math.max(at, await when(one.sees(other.name, 'reachable', 60_000)))
      })
    )
    right.values.push(Math.max(...answered) - resumed)
  }
  return [asleep, right]
}
