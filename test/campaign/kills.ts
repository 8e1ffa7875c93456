/**
 * Two daemons that send each other messages without a pause, and are killed at random moments. Each client writes down
 * what its daemon accepted, each handler which message it ran for; in the end the two must agree.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Computer } from '../integration/daemon.ts'
import { within } from '../lab/deadline.ts'
import type { Lab } from '../lab/lab.ts'
import { count, figure, type Series } from './figures.ts'
import { couple, handler, ONLY_CABLE, Pipeline } from './post.ts'

/** Sent and not handled, at most, of one side. */
const OPEN = 50
/** Tags, and for how long their handlers run, seconds. */
const TAGS = { quick: '', slow: 'sleep 0.08', late: 'sleep 0.02' }
type Tag = keyof typeof TAGS
const NUMBER = 8
/** Of a line that a handler writes: 26 of a base32 id of any length would do, as this is only for pacing. */
const LINE = 30
/** Until nothing is open any more, after the last kill. */
const SETTLED_MS = 180_000

export interface Account {
  kills: number
  accepted: number
  handled: number
  /** Shown as dead letters, and of these those whose handler ran all the same. */
  dead: number
  lost: string[]
  twice: string[]
  /** Ran after one that was sent later, without being a dead letter. */
  disordered: string[]
  /** Dead for another reason than that nobody knows how its run ended. */
  strange: string[]
}

class Side {
  readonly computer: Computer
  readonly to: Computer
  readonly accepted = new Map<string, string>()
  readonly #file: string
  #stopped = false
  #numbers = 0
  #sent = 0

  constructor(computer: Computer, to: Computer) {
    this.computer = computer
    this.to = to
    this.#file = join(to.directory, 'handled')
  }

  async prepare(): Promise<void> {
    for (const [tag, pause] of Object.entries(TAGS))
      await handler(
        this.to,
        `message/${tag}`,
        `#!/bin/sh\nread -r body\n${pause}\necho "$COTERIE_ID $body" >> ${this.#file}\n`
      )
  }

  /** Sends as long as it is not stopped; over and over to the daemon that there is. */
  async load(random: () => number): Promise<void> {
    while (!this.#stopped) {
      const line = await Pipeline.open(this.computer.socket).catch(() => undefined)
      if (line === undefined) {
        await delay(10)
        continue
      }
      let open = true
      while (open && !this.#stopped) {
        const batch = 1 + Math.floor(random() * 12)
        for (let i = 0; i < batch && this.#open < OPEN; i++) {
          const tag = pick(Object.keys(TAGS) as Tag[], random)
          const body = `${tag} ${String(++this.#numbers).padStart(NUMBER, '0')}`
          this.#sent++
          line
            .call('Send', { Peers: [this.to.name], Tag: tag, Body: `${body}\n` })
            .then(({ Messages: [message] }) => this.accepted.set(message!.Id, body))
            .catch(() => {
              this.#sent--
              open = false
            })
        }
        await delay(random() * 40)
      }
      line.close()
    }
  }

  stop(): void {
    this.#stopped = true
  }

  /** Sent, and not handled yet, more or less. */
  get #open(): number {
    return this.#sent - (existsSync(this.#file) ? statSync(this.#file).size / LINE : 0)
  }

  get handled(): string[] {
    return existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n').filter(Boolean) : []
  }

  /** Waits until all is done or dead; gives the dead letters with their reasons. */
  async settled(): Promise<Map<string, string>> {
    const until = performance.now() + SETTLED_MS
    for (;;) {
      const { Messages } = await this.computer.aside('Outbox')
      const open = Messages.filter(({ State }) => State !== 'dead')
      if (open.length === 0) return new Map(Messages.map(({ Id, Reason }) => [Id, Reason]))
      if (performance.now() > until)
        throw new Error(
          `${open.length} messages of ${this.computer.name} are open still: ${JSON.stringify(open.slice(0, 3))}\n` +
            `${this.computer.story()}\n${this.to.story()}`
        )
      await delay(100)
    }
  }

  async audit(into: Account): Promise<void> {
    const dead = await this.settled()
    const runs = new Map<string, number>()
    const last = new Map<string, string>()
    for (const line of this.handled) {
      const [id = '', tag = '', number = ''] = line.split(' ')
      runs.set(id, (runs.get(id) ?? 0) + 1)
      if (dead.has(id)) continue
      if (number < (last.get(tag) ?? '')) into.disordered.push(line)
      last.set(tag, number)
      const body = this.accepted.get(id)
      if (body !== undefined && body !== `${tag} ${number}`) into.strange.push(`${line} was sent as ${body}`)
    }
    into.accepted += this.accepted.size
    into.handled += runs.size
    into.dead += dead.size
    for (const [id, times] of runs) if (times > 1) into.twice.push(`${id} ${times}`)
    for (const [id, body] of this.accepted)
      if (!runs.has(id) && !dead.has(id)) into.lost.push(`${id} ${body}`)
    for (const [id, reason] of dead) if (reason !== 'unknown') into.strange.push(`${id} ${reason}`)
  }
}

/** Kills one of them so many times, or both at once; they run and see each other before and afterwards. */
export async function killed(
  one: Computer,
  other: Computer,
  kills: number,
  args: readonly string[],
  random: () => number = Math.random
): Promise<Account> {
  const sides = [new Side(one, other), new Side(other, one)]
  for (const side of sides) await side.prepare()
  const loads = sides.map(side => side.load(random))
  const together = () => Promise.all([see(one, other), see(other, one)])
  let done = 0
  while (done < kills) {
    // at any moment of their life: while they start, meet, catch up, and later
    if (random() < 0.6) await together()
    await delay(random() ** 2 * 700)
    const victims = random() < 0.1 ? [one, other] : [pick([one, other], random)]
    await Promise.all(
      victims.map(async victim => {
        await victim.kill()
        if (random() < 0.3) await delay(random() * 300)
        await victim.start(args)
      })
    )
    done += victims.length
  }
  for (const side of sides) side.stop()
  await Promise.all(loads)
  await together()
  const account: Account = {
    kills: done,
    accepted: 0,
    handled: 0,
    dead: 0,
    lost: [],
    twice: [],
    disordered: [],
    strange: []
  }
  for (const side of sides) await side.audit(account)
  return account
}

/** Looks every so often: events are mostly of messages. */
async function see(one: Computer, other: Computer): Promise<void> {
  const look = async () => {
    for (; ; await delay(50))
      if ((await one.aside('Status')).Peers.some(({ Name, Reachable }) => Name === other.name && Reachable))
        return
  }
  await within(60_000, `${one.name} sees ${other.name}`, look(), () => `${one.story()}\n${other.story()}`)
}

const pick = <T>(of: readonly T[], random: () => number): T => of[Math.floor(random() * of.length)]!

/** A repetition is a hundred kills. */
const KILLS = 100

export async function kills(lab: Lab, times: number): Promise<Series[]> {
  const undo: (() => unknown)[] = []
  const number = figure('`kill -9` of sender or receiver under load, messages both ways: kills', 'count')
  const accepted = figure('… messages accepted', 'count')
  const dead = figure('… dead letters, as nobody knows how their run ended', 'count')
  const wrong = {
    lost: count('… accepted, and neither handled nor a dead letter', 0),
    twice: count('… handled twice', 0),
    disordered: count('… handled after one that was sent later', 0),
    strange: count('… with another body, or dead for another reason', 0)
  }
  try {
    const [one, other] = await couple({ teardown: fn => undo.push(fn) }, lab)
    const account = await killed(one, other, times * KILLS, ONLY_CABLE)
    number.values.push(account.kills)
    accepted.values.push(account.accepted)
    dead.values.push(account.dead)
    for (const [name, series] of Object.entries(wrong)) {
      const found = account[name as keyof typeof wrong]
      series.values.push(found.length)
      if (found.length > 0) console.error(`${series.what}:\n${found.slice(0, 10).join('\n')}`)
    }
    return [number, accepted, dead, ...Object.values(wrong)]
  } finally {
    for (const fn of undo.reverse()) await fn()
  }
}
