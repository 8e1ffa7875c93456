/** What others' programs make of the same events, in the same run: serf and syncthing, as Debian has them. */
import { type ChildProcess, execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lab } from '../lab/lab.ts'
import type { Plain } from '../lab/plain.ts'
import { figure, NEVER, type Series } from './figures.ts'

interface Line {
  readonly at: number
  readonly text: string
}

/** A program on a computer, and what it says. */
class Told {
  readonly plain: Plain
  readonly lines: Line[] = []
  readonly #child: ChildProcess
  #wake: (() => void)[] = []

  constructor(plain: Plain, command: readonly string[]) {
    this.plain = plain
    this.#child = plain.space.spawn(command, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      createInterface(stream).on('line', text => {
        this.lines.push({ at: performance.now(), text })
        for (const wake of this.#wake.splice(0)) wake()
      })
  }

  /** When it said, after that moment, what fits; Infinity when it did not in time, counted from then. */
  async says(pattern: RegExp, after: number, milliseconds: number, from = after): Promise<number> {
    const stop = new AbortController()
    const left = Math.max(0, from + milliseconds - performance.now())
    const late = delay(left, true, { signal: stop.signal })
    late.catch(() => {})
    try {
      for (;;) {
        const line = this.lines.find(({ at, text }) => at >= after && pattern.test(text))
        if (line) return line.at
        const woken = new Promise<void>(resolve => this.#wake.push(resolve))
        if (await Promise.race([woken, late])) return NEVER
      }
    } finally {
      stop.abort()
    }
  }
  /** It has said it, or says it from now on in time. */
  async must(pattern: RegExp, milliseconds: number): Promise<void> {
    if ((await this.says(pattern, 0, milliseconds, performance.now())) < NEVER) return
    const end = this.lines.slice(-15).map(({ text }) => text)
    throw new Error(`${this.plain.name} did not say ${pattern}\n${end.join('\n')}`)
  }
}

const sometime = (most: number) => delay(Math.random() * most)
const CIRCLES = 4

/** Circles of three; each does its share. */
export async function serf(lab: Lab, times: number): Promise<Series[]> {
  const version = execFileSync('serf', ['version'], { encoding: 'utf8' }).split('\n')[0]
  const cut = figure(`serf ${version}: cable cut → failed at both others`, 'ms')
  const back = figure('serf: link returns → alive, all ways', 'ms')
  const moved = figure('serf: own address changes → alive at the new one at both others (60 s waited)', 'ms')
  const each = Math.ceil(times / CIRCLES)
  const circle = async (number: number): Promise<void> => {
    const plains = await Promise.all([0, 1, 2].map(n => lab.plain(number + n)))
    const join = [`-retry-join=${plains[0]!.address}`, '-retry-interval=1s']
    const agents = plains.map(
      (plain, n) => new Told(plain, ['serf', 'agent', `-node=${plain.name}`, ...(n > 0 ? join : [])])
    )
    const ways = agents.flatMap(one =>
      plains.filter(p => p !== one.plain).map(other => ({ one, name: other.name }))
    )
    await Promise.all(ways.map(({ one, name }) => one.must(new RegExp(`EventMemberJoin: ${name} `), 60_000)))
    const [first, second, last] = agents as [Told, Told, Told]
    const name = last.plain.name
    const others = [first, second]
    const alive = async (after: number) => {
      const own = plains.filter(plain => plain !== last.plain)
      const seen = [
        ...others.map(one => one.says(new RegExp(`EventMemberJoin: ${name} `), after, 90_000)),
        ...own.map(plain => last.says(new RegExp(`EventMemberJoin: ${plain.name} `), after, 90_000))
      ]
      return Math.max(...(await Promise.all(seen)))
    }
    for (let n = 0; n < each; n++) {
      await delay(2_000)
      await sometime(2_000)
      const began = performance.now()
      await lab.wires.cut(last.plain)
      const failed = others.map(one => one.says(new RegExp(`EventMemberFailed: ${name} `), began, 60_000))
      cut.values.push(Math.max(...(await Promise.all(failed))) - began)
      const own = plains.filter(plain => plain !== last.plain)
      await Promise.all(own.map(p => last.says(new RegExp(`EventMemberFailed: ${p.name} `), began, 30_000)))
      await sometime(2_000)
      const mended = performance.now()
      await lab.wires.cut(last.plain, false)
      back.values.push((await alive(mended)) - mended)
    }
    for (let n = 0; n < each; n++) {
      await delay(2_000)
      const before = last.plain.address
      const next = `10.77.1.${230 + (number % 20)}`
      const began = performance.now()
      await last.plain.readdress(next)
      const there = others.map(one =>
        one.says(
          new RegExp(`EventMember(Join|Update): ${name} ${next.replaceAll('.', '\\.')}`),
          began,
          60_000
        )
      )
      moved.values.push(Math.max(...(await Promise.all(there))) - began)
      const returned = performance.now()
      await last.plain.readdress(before)
      await Promise.all(
        others.map(one => one.says(new RegExp(`EventMemberJoin: ${name} `), returned, 30_000))
      )
    }
  }
  await Promise.all(Array.from({ length: CIRCLES }, (_, n) => circle(10 + 3 * n)))
  return [cut, back, moved]
}

/** One with a folder of settings in which nothing asks outside; returns its id. */
function settled(plain: Plain): { home: string; id: string } {
  const home = `${plain.folder}/syncthing`
  execFileSync('syncthing', ['generate', `--home=${home}`, '--no-default-folder', '--skip-port-probing'], {
    stdio: 'ignore'
  })
  const id = execFileSync('syncthing', ['--device-id', `--home=${home}`], { encoding: 'utf8' }).trim()
  return { home, id }
}

function knowing(home: string, ids: readonly string[]): void {
  const file = `${home}/config.xml`
  const off = [
    'globalAnnounceEnabled',
    'relaysEnabled',
    'natEnabled',
    'startBrowser',
    'crashReportingEnabled'
  ]
  let text = readFileSync(file, 'utf8')
  for (const name of off) text = text.replace(`<${name}>true<`, `<${name}>false<`)
  text = text.replace('<urAccepted>0<', '<urAccepted>-1<')
  text = text.replace(/<autoUpgradeIntervalH>\d+</, '<autoUpgradeIntervalH>0<')
  const devices = ids.map(
    id => `<device id="${id}" compression="metadata"><address>dynamic</address></device>`
  )
  writeFileSync(file, text.replace('<gui ', `${devices.join('\n')}\n<gui `))
}

const SYNCTHINGS = 8

/**
 * One that knows sixteen others: eight of them lose their cables and get them back, eight get another address,
 * each at another moment. It takes 300 s to miss one, so there are no repetitions after each other.
 */
export async function syncthing(lab: Lab): Promise<Series[]> {
  const version = execFileSync('syncthing', ['--version'], { encoding: 'utf8' }).split(' ')[1]
  const cut = figure(`syncthing ${version}: cable cut → connection closed at the other`, 'ms')
  const back = figure('syncthing: link returns → connected', 'ms')
  const moved = figure('syncthing: own address changes → connected at the new one (600 s waited)', 'ms')
  const center = await lab.plain(40)
  const others = await Promise.all(Array.from({ length: 2 * SYNCTHINGS }, (_, n) => lab.plain(41 + n)))
  const hub = settled(center)
  const homes = others.map(settled)
  knowing(
    hub.home,
    homes.map(({ id }) => id)
  )
  for (const { home } of homes) knowing(home, [hub.id])
  const run = (plain: Plain, home: string) =>
    new Told(plain, ['syncthing', '--no-browser', '--no-upgrade', `--home=${home}`])
  const one = run(center, hub.home)
  const theirs = others.map((plain, n) => run(plain, homes[n]!.home))
  await Promise.all(
    homes.map(({ id }) => one.must(new RegExp(`Established secure connection to ${id}`), 180_000))
  )
  await Promise.all(theirs.map(of => of.must(/Established secure connection/, 180_000)))
  await delay(10_000)
  const losing = async (n: number) => {
    const { id } = homes[n]!
    await sometime(30_000)
    const began = performance.now()
    await lab.wires.cut(others[n]!)
    cut.values.push((await one.says(new RegExp(`Connection to ${id} .*closed`), began, 600_000)) - began)
    await theirs[n]!.says(/Connection to .*closed/, began, 200_000)
    const mended = performance.now()
    await lab.wires.cut(others[n]!, false)
    const connected = new RegExp(`Established secure connection to ${id}`)
    back.values.push((await one.says(connected, mended, 180_000)) - mended)
  }
  const moving = async (n: number) => {
    const { id } = homes[n]!
    await sometime(30_000)
    const began = performance.now()
    const next = `10.77.1.${60 + n}`
    await others[n]!.readdress(next)
    const connected = new RegExp(`Established secure connection to ${id}.*${next.replaceAll('.', '\\.')}:`)
    moved.values.push((await one.says(connected, began, 600_000)) - began)
  }
  await Promise.all(others.map((_, n) => (n < SYNCTHINGS ? losing(n) : moving(n))))
  return [cut, back, moved]
}
