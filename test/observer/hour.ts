/**
 * An hour in the life of a computer in two circles, with a friend beside it, an invitation, a new MAC address, a
 * removal, and a move to another network; and what an observer who keeps every payload has of it.
 */
import { SLOT_LENGTH } from '../../src/crypto/announcement.ts'
import { Computer, type Kept } from './computer.ts'
import { type Card, Kernel, type Seen } from './kernel.ts'

const MINUTE = 60_000
const SLOT = SLOT_LENGTH * 1000
/** The first slot has begun 4 minutes before. */
const START = Math.ceil(Date.UTC(2026, 10, 21) / SLOT) * SLOT + 4 * MINUTE
/** Rotations may come so much after the beginning of a slot. */
const GRACE = 20_000

export interface Hour {
  /** What the subject sent. */
  readonly seen: readonly Seen[]
  /** When new slots begin for it, the MAC address changes, a key changes, and it moves. */
  readonly turns: readonly { readonly at: number; readonly lans: readonly string[] }[]
  readonly moved: number
  /** Members' announcements that it heard. */
  readonly heard: number
}

export async function hour(seed: number, of: { kept?: Kept; port?: number } = {}): Promise<Hour> {
  const kernel = new Kernel(seed)
  const { clock } = kernel
  const byte = () => Math.floor(kernel.random() * 256)
  const mac = () => `02:${Array.from({ length: 5 }, () => byte().toString(16).padStart(2, '0')).join(':')}`
  const card = (host: string, name: string, lan: string, net: string): Card => {
    const six = `fe80::${Array.from({ length: 4 }, () => (4096 + byte() * 200).toString(16)).join(':')}`
    return { host, name, lan, mac: mac(), four: `${net}.${10 + (byte() % 200)}`, six }
  }
  const subject = new Computer(kernel, START, 'subject', of)
  const friend = new Computer(kernel, START, 'friend')
  const stranger = new Computer(kernel, START, 'stranger')
  tamper(kernel, of.kept ?? 'nothing')
  const key = () => Uint8Array.from({ length: 32 }, byte)
  const [home, work] = [1, 2].map(() => ({ key: key(), members: new Map<string, unknown>() }))
  const moved = 45 * MINUTE + 7 * 45
  const changes: { at: number; lans: string[] }[] = []
  const here = ['home', 'cafe']
  const all = [...here, 'yard']

  await kernel.during(START, async () => {
    for (const shared of [home!, work!]) subject.join(shared)
    friend.join(home!)
    const first = card('subject', 'eth0', 'home', '10.91.1')
    subject.plug(first, 'home')
    subject.plug(card('subject', 'wlan0', 'yard', '10.91.2'), 'yard')
    friend.plug(card('friend', 'eth1', 'home', '10.91.1'), 'home')
    stranger.plug(card('stranger', 'eth2', 'home', '10.91.1'), 'home')
    for (const computer of [friend, subject, stranger]) computer.start()
    const at = async (minute: number, act: () => unknown) => {
      // not at the same instant as something that happens every so many seconds
      await clock.settle(minute * MINUTE + 7 * minute)
      await act()
    }
    await at(5, () => subject.open.invite(true))
    const search = new AbortController()
    let found = 0
    await at(6, () => stranger.open.search(() => found++, search.signal))
    await at(7, () => search.abort())
    if (found === 0) throw new Error('the invitation was not found')
    await at(8, () => subject.open.invite(false))
    await at(12, () => friend.restart())
    await at(20, () => {
      changes.push({ at: clock.now, lans: here })
      subject.plug({ ...first, mac: mac() }, 'home')
      subject.changed()
    })
    await at(22, () => friend.restart())
    const own = new AbortController()
    await at(34, () => subject.open.search(() => {}, own.signal))
    await at(35, () => {
      changes.push({ at: clock.now, lans: all })
      home!.key = key()
      subject.rotate()
      friend.rotate()
    })
    await at(36, () => own.abort())
    await at(37, () => friend.restart())
    await at(45, () => {
      changes.push({ at: clock.now, lans: here })
      subject.plug(card('subject', 'eth0', 'cafe', '10.91.3'), 'cafe')
      subject.changed()
    })
    await at(60, () => {})
  })
  const slots = Array.from({ length: 5 }, (_, i) => i * SLOT - (START % SLOT)).filter(time => time > 0)
  const rotations = slots.map(slot => {
    const at = subject.rotated.find(time => time >= slot && time < slot + GRACE) ?? slot + GRACE
    return { at, lans: all }
  })
  const turns = [...rotations, ...changes].sort((a, b) => a.at - b.at)
  return { seen: kernel.seen.filter(({ host }) => host === 'subject'), turns, moved, heard: subject.heard }
}

/** What cannot be kept from inside is written into the packets as they leave. */
function tamper(kernel: Kernel, kept: Kept): void {
  const first = new Map<string, string>()
  const keep = (card: Card, text: string) => {
    if (!first.has(card.name)) first.set(card.name, text)
    return first.get(card.name)!
  }
  if (kept === 'the source port') {
    const { port } = kernel
    const ports = new Map<string, number>()
    kernel.port = card => {
      if (card.host !== 'subject') return port(card)
      if (!ports.has(card.name)) ports.set(card.name, port(card))
      return ports.get(card.name)!
    }
  }
  const change: { [K in Kept]?: (text: string, card: Card) => string } = {
    'mDNS names': (text, card) => text.replaceAll(/(?<=\x10)[0-9a-f]{16}/g, name => keep(card, name)),
    'the USN': (text, card) => text.replaceAll(/(?<=uuid:)[0-9a-f-]{36}/g, uuid => keep(card, uuid)),
    'a host name': text => text.replace('\r\n\r\n', '\r\nX-HOST: annas-laptop\r\n\r\n')
  }
  const act = change[kept]
  if (act === undefined) return
  kernel.leaves = (payload, card) =>
    card.host === 'subject' ? Buffer.from(act(payload.toString('latin1'), card), 'latin1') : payload
}
