/**
 * Devices that live a life over sessions which come, go and lose what is on its way, with real logs and
 * exchanges; some do not keep the rules. In the end all meet: then those that trust each other agree.
 */
import { add, rekey, remove, rename, shouldFinishLeaving } from '../../src/circle/author.ts'
import { step } from '../../src/circle/intake.ts'
import { identify } from '../../src/circle/signing.ts'
import { hex } from '../../src/wire/bytes.ts'
import { Dice } from './dice.ts'
import { hostileFrame } from './hostile.ts'
import { Violation } from './invariants.ts'
import { admissible, oracle } from './oracle.ts'
import { first, joiner, keyOf, Party, RECOVERY, rekeyed } from './party.ts'

const DEVICES = 7

interface Session {
  readonly name: string
  readonly ends: readonly [Party, Party]
  readonly frames: readonly [Uint8Array[], Uint8Array[]]
  /** What each had when it was opened. */
  readonly had: readonly (readonly Uint8Array[])[]
}

export class Meeting {
  readonly dice: Dice
  readonly parties: Party[] = []
  readonly hostile = new Set<Party>()
  /** All frames ever sent. */
  readonly seen: Uint8Array[] = []
  #sessions: Session[] = []
  #opened = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
    const founder = this.#party()
    founder.log.load([first.bytes])
    founder.disk.push(first.bytes)
    for (let events = this.dice.between(30, 250); events > 0; events--) this.#event()
    this.#heal()
  }

  get honest(): Party[] {
    return this.parties.filter(party => !this.hostile.has(party))
  }
  get operations(): number {
    return Math.max(...this.parties.map(({ log }) => log.size))
  }

  #party(): Party {
    const party = new Party(`d${this.parties.length}`, this.dice)
    this.parties.push(party)
    return party
  }

  #event(): void {
    const { dice } = this
    const party = dice.pick(this.parties)
    const kinds = { act: 4, open: 4, close: 1, run: 8, restart: 0.3, turn: 0.6, attack: 3 }
    switch (dice.among(kinds)) {
      case 'act':
        if (!this.hostile.has(party)) this.#act(party)
        break
      case 'open':
        this.#open(party, dice.pick(this.parties))
        break
      case 'close':
        if (this.#sessions.length > 0) this.#close(dice.pick(this.#sessions))
        break
      case 'run':
        for (let n = dice.nat(30); n > 0 && this.#step(); n--);
        break
      case 'restart':
        for (const session of this.#sessions.filter(({ ends }) => ends.includes(party))) this.#close(session)
        party.restart()
        break
      case 'turn':
        if (this.parties.length > 2 && this.hostile.size < 2 && party.level !== 1) this.hostile.add(party)
        break
      case 'attack':
        this.#attack()
    }
  }

  #act(party: Party): void {
    const { dice } = this
    const { level, log, keys } = party
    if (level === undefined) return
    const below = [...log.members.values()].filter(m => m.level > level)
    const append = (made: { bytes: Uint8Array }) => {
      log.append(0, made.bytes)
      this.#carry(party)
    }
    switch (dice.among({ add: 4, remove: 2, leave: 0.3, say: 3, recover: 0.2 })) {
      case 'add': {
        if (level >= 11 || this.parties.length >= DEVICES) return
        const joining = this.#party()
        const guest = level < 10 && dice.chance(0.2)
        const given = guest || dice.chance(0.3) ? Math.max(10, level + 1) : dice.between(level + 1, 11)
        append(add(keys, party.place(), joiner(joining.name, given, guest)))
        this.#open(joining, party)
        break
      }
      case 'remove': {
        if (below.length === 0) return
        const target = this.parties.find(({ id }) => id === dice.pick(below).id)
        if (target === undefined) return
        const place = party.place()
        const cut = dice.pick([undefined, undefined, place.prev, [], [dice.pick(this.#ids(party))]])
        append(remove(keys, place, { target: target.keys.publicKey, lost: dice.chance(0.3), cut }))
        break
      }
      case 'leave':
        append(remove(keys, party.place(), { target: keys.publicKey, lost: false, cut: undefined }))
        break
      case 'say': {
        const serial = ++party.serial
        const made = dice.chance(0.5)
          ? rename(keys, party.place(), { serial, name: `${party.name} ${serial}` })
          : rekey(keys, party.place(), rekeyed(party.name, serial))
        append(made)
        break
      }
      case 'recover':
        append(add(keyOf(RECOVERY), party.place(), joiner(party.name, 1)))
    }
  }

  #ids(party: Party): Uint8Array[] {
    return party.log.operations.map(bytes => identify(first.id, bytes)!.id)
  }

  #attack(): void {
    const attackers = [...this.hostile]
    if (attackers.length === 0) return
    const by = this.dice.pick(attackers)
    const session = this.#sessions.find(({ ends }) => ends.includes(by))
    if (session === undefined) return
    const frame = hostileFrame(this.dice, by, attackers, this.parties, this.seen)
    session.frames[session.ends[0] === by ? 0 : 1].push(frame)
  }

  // --- sessions

  /** As a handshake does: each knows the other, by its log or by what it presents. */
  #open(a: Party, b: Party): Session | undefined {
    if (a === b || this.#between(a, b)) return undefined
    for (const [one, other] of [
      [a, b],
      [b, a]
    ] as const) {
      if (one.log.size === 0) continue
      if (one.log.removed(other.id)) return undefined
      if (one.log.members.has(other.id)) continue
      one.log.admit(0, other.log.introduction(other.id))
      this.#settle(one)
      const [own] = other.log.members.get(other.id)?.statics ?? [joiner(other.name, 10).static]
      if (one.log.owner(own!) !== other.id) return undefined
    }
    const had = [a, b].map(party => party.log.operations)
    const session: Session = { name: `${++this.#opened}`, ends: [a, b], frames: [[], []], had }
    this.#sessions.push(session)
    for (const party of session.ends) party.log.greet(0, session.name)
    for (const party of session.ends) this.#carry(party)
    return session
  }

  #between(a: Party, b: Party): Session | undefined {
    return this.#sessions.find(({ ends }) => ends.includes(a) && ends.includes(b))
  }

  #close(session: Session): void {
    if (!this.#sessions.includes(session)) return
    this.#sessions = this.#sessions.filter(s => s !== session)
    for (const party of session.ends) party.log.closed(session.name)
  }

  /** One frame or one answer of a thread; false: there is none. */
  #step(): boolean {
    const open: (() => void)[] = []
    for (const { name, ends, frames } of this.#sessions)
      for (const from of [0, 1] as const) {
        const to = ends[1 - from]!
        if (frames[from].length > 0)
          open.push(() => {
            to.log.receive(0, name, frames[from].shift()!)
            this.#carry(to)
          })
      }
    for (const party of this.parties)
      if (party.checks.length > 0)
        open.push(() => {
          party.check()
          this.#carry(party)
        })
    if (open.length === 0) return false
    this.dice.pick(open)()
    return true
  }

  #settle(party: Party): void {
    this.#carry(party)
    while (party.checks.length > 0) {
      party.check()
      this.#carry(party)
    }
  }

  #carry(party: Party): void {
    for (let outputs = party.take(); outputs.length > 0; outputs = party.take())
      for (const output of outputs) {
        if (output.type === 'changed')
          for (const session of this.#sessions.filter(({ ends }) => ends.includes(party)))
            if (session.ends.some(({ id }) => output.removed.includes(id))) this.#close(session)
        const session = this.#sessions.find(({ name }) => 'peer' in output && name === output.peer)
        if (session === undefined) continue
        const other = session.ends[session.ends[0] === party ? 1 : 0]
        if (output.type === 'send') {
          session.frames[session.ends[0] === party ? 0 : 1].push(output.body)
          if (this.seen.length < 200) this.seen.push(output.body)
        } else if (output.type === 'misbehaves') this.#close(session)
        else if (output.type === 'synced') {
          this.#lookAtSynced(session, party, other)
          if (!party.log.members.has(other.id)) this.#close(session)
        }
      }
  }

  /** All that an honest one had has come, but for what others have too much of. */
  #lookAtSynced({ had, ends }: Session, party: Party, other: Party): void {
    if ([party, other].some(each => this.hostile.has(each))) return
    const excused = new Set([...this.hostile].map(({ keys }) => hex(keys.publicKey)))
    for (const bytes of had[ends.indexOf(other)]!) {
      const { author, id } = identify(first.id, bytes)!
      if (excused.has(author) || party.log.has(id)) continue
      throw new Violation('synced', `${party.name} is in sync with ${other.name} and lacks ${hex(id)}`)
    }
  }

  // --- the end

  /** All meet, what was left undone is finished, and those over a quota hear the others speak. */
  #heal(): void {
    for (const session of [...this.#sessions]) this.#close(session)
    for (let round = 0; round < 30; round++) {
      for (const a of this.honest)
        for (const b of this.honest) if (a.log.size > 0 && b.log.size > 0) this.#open(a, b)
      for (const a of this.honest) for (const b of this.honest) this.#open(a, b)
      let steps = 0
      while (this.#step())
        if (++steps > 200_000) throw new Violation('exchange', 'it does not come to an end')
      if (this.#agree() && !this.#finish() && this.#pairs().every(([a, b]) => this.#between(a, b))) {
        this.#look()
        return
      }
      if (round > 3) for (const party of this.honest) if (party.level !== undefined) this.#speak(party)
    }
    throw new Violation('replicas', `logs of those who trust each other do not become one\n${this.#story()}`)
  }

  #speak(party: Party): void {
    party.log.append(0, rename(party.keys, party.place(), { serial: ++party.serial, name: 'x' }).bytes)
    this.#carry(party)
  }

  #pairs(): [Party, Party][] {
    const { honest } = this
    return honest.flatMap(a =>
      honest
        .filter(b => a.name < b.name && a.log.members.has(b.id) && b.log.members.has(a.id))
        .map((b): [Party, Party] => [a, b])
    )
  }
  #agree(): boolean {
    return this.#pairs().every(([a, b]) => hex(a.log.headDigest) === hex(b.log.headDigest))
  }

  /** As upkeep does. Returns whether there was anything to do. */
  #finish(): boolean {
    let done = false
    for (const party of this.honest) {
      const { level, log, keys, id } = party
      if (level === undefined) continue
      const online = this.honest.filter(p => log.members.has(p.id)).map(p => log.members.get(p.id)!)
      for (const [leaver, its] of log.left) {
        if (!shouldFinishLeaving({ id, level }, online, its)) continue
        const target = this.parties.find(p => p.id === leaver)?.keys.publicKey
        if (target === undefined) continue
        const place = party.place()
        log.append(0, remove(keys, place, { target, lost: false, cut: place.prev }).bytes)
        this.#carry(party)
        done = true
      }
    }
    return done
  }

  #look(): void {
    for (const [a, b] of this.#pairs()) {
      const session = this.#between(a, b)
      const synced = session && a.log.synced(session.name) && b.log.synced(session.name)
      if (!synced) throw new Violation('exchange', `${a.name} and ${b.name} are not synced\n${this.#story()}`)
      const [one, other] = [a, b].map(stateOf)
      if (one !== other) throw new Violation('replicas', `${a.name}: ${one}\n${b.name}: ${other}`)
    }
    for (const party of this.parties) {
      if (party.log.size === 0) continue
      const steps = party.log.operations.map(bytes => step(identify(first.id, bytes)!))
      if (admissible(steps).length < steps.length) throw new Violation('intake', this.#story())
      const { levels, removed } = oracle(steps)
      for (const other of this.parties) {
        const key = hex(other.keys.publicKey)
        const found = party.log.members.get(other.id)?.level
        const wanted = removed.has(key) ? undefined : levels.get(key)
        if (found !== wanted)
          throw new Violation(
            'oracle',
            `${party.name} has ${other.name} at ${found}, not ${wanted}\n${party.log.size} ${this.#story()}`
          )
      }
      const again = new Party(party.name, this.dice)
      again.disk.push(...party.disk)
      again.restart()
      if (stateOf(again) !== stateOf(party)) throw new Violation('disk', `${party.name} after a restart`)
    }
  }

  #story(): string {
    return this.parties
      .map(
        p =>
          `${p.name}${this.hostile.has(p) ? ' hostile' : ''} ${hex(p.log.headDigest).slice(0, 8)} ${stateOf(p)}`
      )
      .join('\n')
  }
}

function stateOf({ log }: Party): string {
  const members = [...log.members.values()].map(
    m => `${m.id.slice(3, 9)} ${m.level} ${m.name} ${m.addedBy.slice(3, 9)} ${m.statics.map(hex)} ${m.flags}`
  )
  return [
    ...members.sort(),
    ...[...log.left].map(([id, level]) => `left ${id.slice(3, 9)} ${level}`).sort()
  ].join('; ')
}
