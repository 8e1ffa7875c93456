/**
 * `npm run pictures`: four computers on a LAN, each with a NetworkManager and a daemon of its own; what `coterie
 * status`, `watch` and `top` show on a terminal of the first one becomes the pictures of README. Needs root, for
 * network namespaces; takes two minutes, for what changes slowly is shown too.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import type { NetworkInterfaceInfo } from 'node:os'
import { join } from 'node:path'
import { nearness } from '../../src/cli/near.ts'
import { hostOf } from '../../src/cli/top-lines.ts'
import { SAMPLE_MS } from '../../src/cli/top-scene.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import type { Host } from '../lab/host.ts'
import { Lab } from '../lab/lab.ts'
import { labMissing } from '../lab/missing.ts'
import { Terminal } from '../terminal.ts'
import {
  COLUMNS,
  type Given,
  IMAGES,
  pictures,
  RECORD,
  type Seen,
  type StatusSeen,
  statusSeen,
  TIME_ZONE,
  TOP_ROWS,
  type TopSeen,
  topSeen,
  type WatchSeen,
  watchSeen
} from './scenes.ts'

process.env['TZ'] = TIME_ZONE
const program = new URL('../../bin/coterie', import.meta.url).pathname
const NAMES = { h1: 'desk', h2: 'laptop', h3: 'nas', h4: 'phone', h5: 'tablet' } as const

const ends: (() => unknown)[] = []
const t = { teardown: (fn: () => unknown) => ends.push(fn) }
async function main(): Promise<void> {
  const lab = await Lab.up(t, { h1: 'a', h2: 'a', h3: 'a', h4: 'a', h5: 'a' })
  const [desk, laptop, nas, phone, tablet] = lab.all('h1', 'h2', 'h3', 'h4', 'h5')
  await phone.logind()
  await lab.circle(desk, laptop, nas, phone, tablet)
  for (const host of lab.hosts.values())
    await host.coterie(`rename ${NAMES[host.name as keyof typeof NAMES]}`)
  const state = (name: string, wanted: string) =>
    until(desk, `${name} is ${wanted}`, peers => peers.some(p => p.Name === name && p.State === wanted))
  for (const name of ['laptop', 'nas', 'phone', 'tablet']) await state(name, 'reachable')
  await tablet.daemon.stop()
  await state('tablet', 'unreachable')
  // a laptop on bad Wi-Fi, and a computer that sleeps
  await lab.wires.noise(laptop, 0, 14, 12)
  await phone.prepareForSleep(true)
  await state('phone', 'asleep')
  phone.daemon.signal('SIGSTOP')
  await lab.wires.cut(phone)

  const top = topPicture(desk, async () => {
    await desk.coterie('send phone backup/start')
    await tablet.start()
    await state('tablet', 'reachable')
    await laptop.coterie('send desk notify dinner')
    await nas.daemon.stop()
    await state('nas', 'unreachable')
    await nas.start()
    await state('nas', 'reachable')
    await tablet.daemon.stop()
    await state('tablet', 'unreachable')
  })
  const seen: Seen = {
    top: await top,
    status: await statusPicture(desk),
    watch: await watchPicture(desk, async () => {
      await tablet.start()
      await state('tablet', 'reachable')
      await lab.wires.cut(phone, false)
      phone.daemon.signal('SIGCONT')
      await phone.prepareForSleep(false)
      await state('phone', 'reachable')
      await nas.daemon.stop()
      await state('nas', 'unreachable')
      await laptop.coterie('send desk notify dinner')
      await nas.start()
      await state('nas', 'reachable')
    })
  }
  writeFileSync(RECORD, `${JSON.stringify(seen, null, 1)}\n`)
  mkdirSync(IMAGES, { recursive: true })
  for (const [name, svg] of Object.entries(pictures(seen))) writeFileSync(join(IMAGES, name), svg)
}

/** What differs from moment to moment. */
const settled = (lines: readonly string[]): string =>
  lines
    .map(line => line.replace(/\x1b\[[\d;]*m/g, '').trimEnd())
    .join('\n')
    .replaceAll(/\d\d:\d\d:\d\d/g, 'TIME')
    .replaceAll(/\d+ (s|min) ago|just now/g, 'AGO')
    .replaceAll(/^Traffic.*$/gm, 'Traffic')
    .trimEnd()

async function on(host: Host, words: readonly string[], rows: number, columns: number): Promise<Terminal> {
  const environment = { ...host.space.environment, TERM: 'xterm', TZ: TIME_ZONE }
  return new Terminal(t, host.space.words([program, ...words]), { env: environment, rows, columns })
}

async function statusPicture(host: Host): Promise<StatusSeen> {
  for (;;) {
    const status = await (await host.client()).call('Status', {})
    const seen = { nowMs: Date.now(), status }
    const terminal = await on(host, ['status'], 40, COLUMNS.status)
    await terminal.ended()
    const shown = settled(terminal.display.styled).replace(/\n+ended [\s\S]*/, '')
    if (shown === settled(statusSeen(seen))) return seen
    console.error(`not the same:\n${shown}\n---\n${settled(statusSeen(seen))}`)
  }
}

async function watchPicture(host: Host, story: () => Promise<void>): Promise<WatchSeen> {
  const client = await host.client()
  const { Peers } = await client.call('Status', {})
  const terminal = await on(host, ['watch'], 60, COLUMNS.watch)
  await terminal.shows('what is there', /reachable/)
  const events: WatchSeen['events'][number][] = []
  const reading = (async () => {
    const other = await host.client()
    for await (const event of other.stream('Watch', { Since: '' })) events.push({ atMs: Date.now(), event })
  })()
  reading.catch(() => {})
  await story()
  await within(
    PATIENCE_MS,
    'the terminal has it all',
    (async () => {
      while (settled(terminal.display.styled) !== settled(watchSeen({ known: Peers, events })))
        await pause(200)
    })(),
    () => `${settled(terminal.display.styled)}\n---\n${settled(watchSeen({ known: Peers, events }))}`
  )
  terminal.signal('INT')
  return { known: Peers, events }
}

async function topPicture(host: Host, story: () => Promise<void>): Promise<TopSeen> {
  const calls = await host.client()
  const text = await host.space.run('ip -j address')
  const near = nearness(interfacesOf(text))
  const terminal = await on(host, ['top'], TOP_ROWS, COLUMNS.top)
  const status = await calls.call('Status', { All: true })
  const { Messages } = await calls.call('Outbox', {})
  const given: Given[] = []
  const watching = await host.client()
  const reading = (async () => {
    for await (const event of watching.stream('Watch', { Since: '' }))
      given.push({ type: 'event', atMs: Date.now(), event })
  })()
  reading.catch(() => {})
  await terminal.shows('the peers', /LATENCY[\s\S]*help/)
  const tick = async () => {
    given.push({ type: 'sample' })
    const { Total, UpUSec } = await calls.call('Energy', {})
    given.push({ type: 'count', energy: { Total, UpUSec } })
  }
  await tick()
  const ticking = setInterval(() => void tick(), SAMPLE_MS)
  ends.push(() => clearInterval(ticking))
  await pause(90_000) // the bars are its weather of the last minutes
  await story()
  await pause(15_000)
  terminal.type('j')
  given.push({ type: 'key', name: 'down' })
  for (;;) {
    await pause(1_000)
    const known = [
      ...new Set(given.flatMap(g => (g.type === 'event' ? [g.event.Properties['Addresses']] : [])).flat())
    ]
    const places = [...status.Peers.flatMap(p => p.Addresses), ...known.map(String)].map(hostOf)
    const seen: TopSeen = {
      nowMs: Date.now(),
      status,
      waiting: Messages,
      given: [...given],
      near: Object.fromEntries(places.map(place => [place, near(place)]))
    }
    const [shown, ours] = [settled(terminal.display.styled), settled(topSeen(seen))]
    if (shown === ours) {
      terminal.type('q')
      await terminal.ended()
      clearInterval(ticking)
      return seen
    }
    console.error(`not the same yet:\n${shown}\n---\n${ours}`)
  }
}

function interfacesOf(json: string): { [name: string]: NetworkInterfaceInfo[] } {
  const all = JSON.parse(json) as {
    ifname: string
    addr_info: { family: string; local: string; prefixlen: number }[]
  }[]
  return Object.fromEntries(
    all.map(({ ifname, addr_info }) => [
      ifname,
      addr_info.map(({ family, local, prefixlen }) => ({
        address: local,
        netmask: '',
        cidr: `${local}/${prefixlen}`,
        mac: '',
        internal: false,
        ...(family === 'inet' ? { family: 'IPv4' as const } : { family: 'IPv6' as const, scopeid: 0 })
      }))
    ])
  )
}

type Peers = StatusSeen['status']['Peers']
async function until(host: Host, what: string, holds: (peers: Peers) => boolean): Promise<void> {
  const [client, watching] = [await host.client(), await host.client()]
  const event = (async () => {
    for await (const _ of watching.stream('Watch', { Since: '' }))
      if (holds((await client.call('Status', {})).Peers)) return
  })()
  await within(PATIENCE_MS, what, event)
  client.close()
  watching.close()
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

const missing = labMissing()
if (missing) throw new Error(`the lab cannot be made here: ${missing}`)
try {
  await main()
} finally {
  for (const end of ends.reverse()) await end()
}
