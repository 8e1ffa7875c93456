/** What goes on for long: an interface that flaps, days of nothing to do, a network that loses packets. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { usage } from '../bench/program.ts'
import type { Daemon } from '../lab/daemon.ts'
import { flap } from '../lab/flapping.ts'
import type { Host } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { count, figure, NEVER, type Series } from './figures.ts'

/** Fifty flaps for each repetition. */
const FLAPS = 50
/** From the peers' last change on; compilation and first announcements are over. */
const SETTLE_MS = 60_000
/** The daemon keeps so many events for readers that come back; one takes about so much. */
const EVENTS_KEPT = 8_192
const EVENT_BYTES = 700
/** As long as a keepalive of 15 s takes to come round. */
const IDLE_MS = 15_000
const PEERS = 10
const ALARM_MS = 90_000

/** The interface of h2 goes down and up; looked at every 50 times. */
export async function flaps(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2] = lab.all('h1', 'h2')
  const hosts = [h1, h2]
  const right = count(`${FLAPS} times down and up: pictures not right 2 s after the last address event`, 0)
  // a listener for IPv6, with what it needs for discovery, may be there or not be there yet
  const descriptors = count('… descriptors more than before', 10)
  const timers = count('… timers more than before', 8)
  const heap = figure(
    '… heap after a collection, without the events kept for readers, its slope',
    'B a flap',
    200
  )
  const resident = figure('… resident memory, its slope', 'B a flap')
  await h1.start()
  await h2.startCounted()
  await h1.coterie('init --name home')
  await h1.dialable()
  await h2.coterie('join - --yes', await h1.coterie('invite --ticket --level 5'))
  const fine = () => hosts.every(host => host.daemon.peers.every(({ State }) => State === 'reachable'))
  // what is made at the first few changes is no leak
  await flap(h2, FLAPS)
  await back(hosts)
  await delay(5_000)
  const first = await h2.counters()
  const points: { readonly n: number; readonly heap: number; readonly resident: number }[] = []
  for (let n = 1; n <= times; n++) {
    await flap(h2, FLAPS)
    await h2.addressed(h2.address('a'))
    await delay(2_000)
    right.values.push(fine() ? 0 : 1)
    await back(hosts)
    // sessions that were replaced have ended
    await delay(6_000)
    const now = await h2.counters()
    const heap = now.heap - EVENT_BYTES * Math.min(h2.daemon.events.length, EVENTS_KEPT)
    points.push({ n: n * FLAPS, heap, resident: now.resident })
    descriptors.values.push(now.descriptors - first.descriptors)
    timers.values.push(now.timers - first.timers)
  }
  const later = points.slice(Math.floor(points.length / 4))
  heap.values.push(slope(later.map(({ n, heap }) => [n, heap])))
  resident.values.push(slope(later.map(({ n, resident }) => [n, resident])))
  return [right, descriptors, timers, heap, resident]
}

async function back(hosts: readonly [Host, Host] | readonly Host[]): Promise<void> {
  const [one, other] = hosts as [Host, Host]
  await Promise.all([one.sees(other.name, 'reachable', 90_000), other.sees(one.name, 'reachable', 90_000)])
}

/** Of the line nearest to these points. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

/** h1 with NetworkManager, UPower and both buses, and ten others of its circle; nothing happens. */
const idle = (power: 'mains' | 'battery', wakeUps: number) =>
  async function idle(lab: Lab, times: number): Promise<Series[]> {
    const on = `idle with ${PEERS} peers, on ${power}`
    const cpu = figure(`${on}: CPU`, 'ms/s', 1)
    const woken = figure(`${on}: wake-ups, all threads`, '/s', wakeUps)
    const bytes = figure(`${on}: bytes of links and probes, both ways, a peer`, 'B/s', 60)
    const carried = figure(`${on}: bytes on the cable, multicast and headers and all, a peer`, 'B/s')
    const resident = figure(`${on}: resident memory, from a checkout`, 'bytes')
    const h1 = lab.host('h1')
    if (power === 'battery') await h1.battery()
    await h1.start()
    await h1.coterie('init --name home')
    await h1.dialable()
    const daemons: Daemon[] = []
    for (let n = 0; n < PEERS; n++) {
      const plain = await lab.plain(10 + n)
      daemons.push(await plain.start())
      const client = await plain.client()
      await client.call('Join', { Ticket: await h1.coterie('invite --ticket'), Device: plain.name })
      client.close()
    }
    const whole = () => h1.daemon.peers.filter(({ State }) => State === 'reachable').length === PEERS
    await h1.daemon.until(`sees ${PEERS}`, whole, 60_000)
    await delay(SETTLE_MS)
    const client = await h1.client()
    const cable = () =>
      ['rx_bytes', 'tx_bytes']
        .map(name =>
          Number(readFileSync(`/proc/${h1.daemon.pid}/root/sys/class/net/eth0/statistics/${name}`, 'utf8'))
        )
        .reduce((a, b) => a + b)
    const sample = async () => {
      const { Total } = await client.call('Energy', {})
      const { cpu, rss, wakeUps } = usage(h1.daemon.pid)
      const links = Total.LinkBytesSent + Total.LinkBytesReceived
      const bytes = links + Total.DatagramBytesSent + Total.DatagramBytesReceived
      return { at: performance.now(), bytes, cpu, rss, wakeUps, cable: cable() }
    }
    let before = await sample()
    for (let n = 0; n < times; n++) {
      await delay(power === 'battery' ? 2 * IDLE_MS : IDLE_MS)
      const after = await sample()
      const seconds = (after.at - before.at) / 1000
      cpu.values.push((after.cpu - before.cpu) / seconds)
      woken.values.push((after.wakeUps - before.wakeUps) / seconds)
      bytes.values.push((after.bytes - before.bytes) / seconds / PEERS)
      carried.values.push((after.cable - before.cable) / seconds / PEERS)
      resident.values.push(Math.round(after.rss * 2 ** 20))
      before = after
    }
    client.close()
    if (!whole()) throw new Error(`not all were reachable\n${h1.story()}`)
    return [cpu, woken, bytes, carried, resident]
  }
export const idleOnMains = idle('mains', 2)
export const idleOnBattery = idle('battery', 0.5)

/** Four computers whose cables lose 5 % of what they send and delay it 50 ± 20 ms; a repetition is 90 s of it. */
export async function alarms(lab: Lab, times: number): Promise<Series[]> {
  const minutes = (times * ALARM_MS) / 60_000
  const over = `in ${minutes} minutes at 5 % loss and 50 ± 20 ms each way`
  const alarms = count(`false \`unreachable\` ${over}, of 12 pictures`, 0)
  const suspicions = figure(`\`suspect\` shown ${over}`, 'count')
  const latency = figure('latency shown there', 'ms')
  const hosts = lab.all('h1', 'h2', 'h3', 'h4')
  await lab.circle(...hosts)
  for (const host of hosts) await lab.wires.noise(host, 0.05, 50, 20)
  await delay(10_000)
  await Promise.all(
    hosts.flatMap(one => hosts.filter(h => h !== one).map(h => one.sees(h.name, 'reachable', 60_000)))
  )
  const from = hosts.map(({ daemon }) => daemon.events.length)
  await delay(times * ALARM_MS)
  const states = hosts.flatMap(({ daemon }, n) =>
    daemon.events
      .slice(from[n])
      .flatMap(({ Kind, Properties }) => (Kind === 'Peer' ? [Properties['State']] : []))
  )
  alarms.values.push(states.filter(state => state === 'unreachable').length)
  suspicions.values.push(states.filter(state => state === 'suspect').length)
  for (const { daemon } of hosts)
    for (const { LatencyUSec } of daemon.peers) latency.values.push(Number(LatencyUSec) / 1000 || NEVER)
  return [alarms, suspicions, latency]
}
