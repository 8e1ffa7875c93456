/**
 * What the installed daemon takes, as the service of a user of Debian 12 and 13: to start, against the Node it
 * came with that does nothing; and idle with ten peers.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Box } from '../lab/box.ts'
import type { Lab } from '../lab/lab.ts'
import type { Suite } from '../lab/template.ts'
import { figure, type Series } from './figures.ts'
import { Agent, apt } from './installed.ts'
import { releases, THIS_DEB } from './releases.ts'

const PEERS = 10
/** After the last has joined: first announcements, compilation and garbage collection are over. */
const SETTLE_MS = 40_000
/** Rates are means over a sample. */
const IDLE_S = 120
const SAMPLES = 2

const NODE = '/usr/lib/coterie/node'
/** Its own time on a processor so far, the main thread's. */
const BARE = `console.log(require('node:fs').readFileSync('/proc/self/schedstat', 'utf8'))`
/** Written when systemd has READY=1, before it tells anybody. */
const POST = 'ExecStartPost=/bin/sh -c "cat /proc/$MAINPID/schedstat > %t/started"'
const milliseconds = (schedstat: string) => Number(schedstat.split(' ')[0]) / 1e6

/** A start of each on both releases is a repetition. */
export async function installed(lab: Lab, times: number): Promise<Series[]> {
  const undo: (() => unknown)[] = []
  try {
    const folder = releases({ teardown: fn => undo.push(fn) }, { next: false })
    const all: Series[] = []
    for (const [name, number, suite] of [
      ['b252', 8, 'bookworm'],
      ['b257', 9, 'trixie']
    ] as const)
      all.push(...(await ofRelease(await lab.box(name, number, suite, 'a', folder), suite, times)))
    return all
  } finally {
    for (const fn of undo) fn()
  }
}

async function ofRelease(box: Box, suite: Suite, times: number): Promise<Series[]> {
  const { code, said } = await apt(box, `install ${THIS_DEB}`)
  if (code !== 0) throw new Error(said)
  const agent = new Agent(box)
  await agent.sh(
    `mkdir -p .config/coterie .config/systemd/user/coterie.service.d
    printf '[network]\\nonly = ["lo"]\\nport = 0\\n' > .config/coterie/coterie.toml
    cat > .config/systemd/user/coterie.service.d/measured.conf
    systemctl --user daemon-reload; systemctl --user enable --now coterie; coterie init --name home --device first`,
    `[Service]\n${POST}\n`
  )
  const release = suite === 'bookworm' ? 'Debian 12' : 'Debian 13'
  const starts = await started(agent, release, times)
  return [...starts, ...(await idle(agent, release))]
}

async function started(agent: Agent, release: string, times: number): Promise<Series[]> {
  const ratio = figure(`${release}: start → READY=1, main thread, / bare Node`, '×', 1.5)
  const own = figure(`${release}: start → READY=1, main thread`, 'short')
  const bare = figure(`${release}: bare Node, main thread`, 'short')
  const clock = figure(`${release}: start → READY=1, by the clock`, 'short')
  // the first one compiles and keeps what was compiled
  await agent.systemctl('restart coterie')
  for (let n = 0; n < times; n++) {
    const node = milliseconds(await agent.sh(`${NODE} -e "${BARE}"`))
    await agent.systemctl('stop coterie.service')
    // a service that starts often is held back
    await agent.systemctl('reset-failed coterie.service')
    await agent.systemctl('start coterie')
    const daemon = milliseconds(await agent.sh('cat $XDG_RUNTIME_DIR/started'))
    const [began, ready] = await Promise.all(
      ['ExecMainStartTimestampMonotonic', 'ActiveEnterTimestampMonotonic'].map(p => agent.show(p))
    )
    bare.values.push(node)
    own.values.push(daemon)
    ratio.values.push(daemon / node)
    clock.values.push((Number(ready) - Number(began)) / 1_000)
  }
  return [ratio, own, bare, clock]
}

async function idle(agent: Agent, release: string): Promise<Series[]> {
  const what = `${release}: idle with ${PEERS} peers`
  const rss = figure(`${what}, RSS`, 'MB', 80)
  const anon = figure(`${what}, of that not shared with files`, 'MB')
  const cpu = figure(`${what}, CPU`, 'ms/s', 1)
  const wakeUps = figure(`${what}, wake-ups, all threads`, '/s', 2)
  for (let n = 1; n <= PEERS; n++) await another(agent, n)
  await agent.until('sees all', async () => {
    const { Peers } = await agent.status()
    return Peers.filter(({ State }) => State === 'reachable').length === PEERS
  })
  await delay(SETTLE_MS)
  const pid = await agent.pid()
  let before = await used(agent.box, pid)
  for (let n = 0; n < SAMPLES; n++) {
    const seconds = IDLE_S / SAMPLES
    await delay(seconds * 1_000)
    const now = await used(agent.box, pid)
    rss.values.push(now.rss)
    anon.values.push(now.anon)
    cpu.values.push((now.cpu - before.cpu) / seconds)
    wakeUps.values.push((now.wakeUps - before.wakeUps) / seconds)
    before = now
  }
  return [rss, anon, cpu, wakeUps]
}

/** A daemon of the package beside the unit, with folders of its own, joins its circle. */
async function another(agent: Agent, n: number): Promise<void> {
  const top = `/home/tester/peer-${n}`
  const variables = ['CONFIG', 'DATA', 'STATE', 'CACHE'].map(k => `XDG_${k}_HOME=${top}/${k.toLowerCase()}`)
  const nowhere = 'unix:path=/nonexistent/bus'
  const buses = [`DBUS_SESSION_BUS_ADDRESS=${nowhere}`, `DBUS_SYSTEM_BUS_ADDRESS=${nowhere}`]
  const env = ['env', ...variables, ...buses, `XDG_RUNTIME_DIR=${top}/run`]
  await agent.sh(
    `mkdir -p ${top}/config/coterie; mkdir -m 700 ${top}/run
    printf '[network]\\nport = 0\\n' > ${top}/config/coterie/coterie.toml`
  )
  const daemon = agent.box.start([...env, 'coteried', '--only', 'lo'], agent.owner)
  for (const stream of [daemon.stdout, daemon.stderr]) stream?.resume()
  const there = `${top}/run/coterie/coterie.sock`
  await agent.until('a peer runs', async () => (await agent.try(['test', '-S', there])).code === 0)
  const ticket = await agent.coterie('invite --ticket --yes')
  await agent.sh(`cat | ${env.join(' ')} coterie join - --device peer-${n}`, ticket)
}

async function used(box: Box, pid: number) {
  const text = await box.run([
    'sh',
    '-c',
    `cat /proc/${pid}/status; cat /proc/${pid}/task/*/status /proc/${pid}/task/*/schedstat`
  ])
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(match => Number(match[1]))
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  const [, ...threads] = all(/^voluntary_ctxt_switches:\s+(\d+)/gm)
  return {
    rss: all(/^VmRSS:\s+(\d+)/gm)[0]! / 1024,
    anon: all(/^RssAnon:\s+(\d+)/gm)[0]! / 1024,
    cpu: sum(all(/^(\d+) \d+ \d+$/gm)) / 1e6,
    wakeUps: sum(threads)
  }
}
