/**
 * An observer who keeps every packet, and looks for whatever is in two of them and not in everybody's: four bytes
 * in a row, a name, a USN, a port. Texts that stand for bytes (hexadecimal, base64url) are read as bytes, since
 * four of their characters say less than four bytes.
 *
 * Of four bytes that overlap what everybody says, few are the device's own: `ab 00 00` and one of a salt are the
 * same in two of 256. Such a run is a link only where it comes back as no chance does: in WEAK turns or more.
 */
import type { Hour } from './hour.ts'
import type { Seen } from './kernel.ts'

const MDNS = 5353
const RUN = 4
const WEAK = 5
const TEXTS = /(?:a=|ORG: )([\w-]{64})|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|([0-9a-f]{16})/g

interface Runs {
  /** Each four bytes in a row, in hexadecimal, that do not overlap what everybody says. */
  readonly strong: Set<string>
  /** Those that do, but are not everybody's. */
  readonly weak: Set<string>
}

/** Of a payload; `common`: what everybody says; `without`: bytes at which it is cut. */
export function runs(payload: Buffer, common: ReadonlySet<string> = new Set(), without?: Buffer): Runs {
  const found: Runs = { strong: new Set(), weak: new Set() }
  const add = (bytes: Buffer) => {
    const windows = Array.from({ length: Math.max(0, bytes.length - RUN + 1) }, (_, i) =>
      bytes.toString('hex', i, i + RUN)
    )
    const covered = new Uint8Array(bytes.length)
    for (const [i, run] of windows.entries()) if (common.has(run)) covered.fill(1, i, i + RUN)
    for (const [i, run] of windows.entries())
      if (!common.has(run)) found[covered.subarray(i, i + RUN).includes(1) ? 'weak' : 'strong'].add(run)
  }
  const cut = (bytes: Buffer) => {
    let rest = bytes
    for (let at = 0; without !== undefined && (at = rest.indexOf(without)) >= 0; ) {
      add(rest.subarray(0, at))
      rest = rest.subarray(at + without.length)
    }
    add(rest)
  }
  const text = payload.toString('latin1')
  let last = 0
  for (const match of text.matchAll(TEXTS)) {
    cut(Buffer.from(text.slice(last, match.index), 'latin1'))
    last = match.index + match[0].length
    add(match[1] ? Buffer.from(match[1], 'base64url') : Buffer.from(match[0].replaceAll('-', ''), 'hex'))
  }
  cut(Buffer.from(text.slice(last), 'latin1'))
  return found
}

/** What two devices that have nothing to do with each other both say: it tells none from the other. */
export function constants(one: Hour, other: Hour): Set<string> {
  const all = ({ seen }: Hour) => new Set(seen.flatMap(({ payload }) => [...runs(payload).strong]))
  return new Set(both(all(one), all(other)))
}

/** What is everybody's, and what overlaps it in so few turns that it is chance. */
interface Known {
  readonly common: ReadonlySet<string>
  readonly chance: ReadonlySet<string>
}

/** What there is of it in these packets. */
function marks(packets: readonly Seen[], { common, chance }: Known, sameAddress: boolean): Set<string> {
  const marked = new Set<string>()
  for (const { payload, source, sourcePort, mac } of packets) {
    const { strong, weak } = runs(payload, common, sameAddress ? bytesOf(source) : undefined)
    for (const run of [...strong, ...[...weak].filter(run => !chance.has(run))]) marked.add(`bytes ${run}`)
    const text = payload.toString('latin1')
    if (sourcePort === MDNS) for (const [name] of text.matchAll(/[0-9a-f]{16}/g)) marked.add(`name ${name}`)
    else marked.add(`source port ${sourcePort}`)
    for (const [usn] of text.matchAll(/(?<=uuid:)[0-9a-f-]{36}/g)) marked.add(`USN ${usn}`)
    if (!sameAddress) for (const address of [source, mac]) marked.add(`address ${address}`)
  }
  return marked
}

/**
 * All that links a device with itself: from one of its turns to another on the same network (its addresses do
 * that by themselves, and are left out), before and after a move, and on two networks at once.
 */
export function links({ seen, turns, moved }: Hour, common: ReadonlySet<string>): string[] {
  const turn = ({ at, lan }: Seen) => turns.filter(of => of.at <= at && of.lans.includes(lan)).length
  const found: string[] = []
  const compare = (what: string, a: ReadonlySet<string>, b: ReadonlySet<string>) => {
    for (const mark of both(a, b)) found.push(`${what}: ${mark}`)
  }
  const lans = Map.groupBy(seen, ({ lan }) => lan)
  const spansOf = (packets: readonly Seen[]) => [...Map.groupBy(packets, turn)]
  const weak = [...lans.values()]
    .flatMap(spansOf)
    .flatMap(([, some]) => [...new Set(some.flatMap(({ payload }) => [...runs(payload, common).weak]))])
  const times = Map.groupBy(weak, run => run)
  const known = { common, chance: new Set(weak.filter(run => times.get(run)!.length < WEAK)) }
  const elsewhere = (packets: readonly Seen[]) => marks(packets, known, false)
  for (const [lan, packets] of lans) {
    const spans = spansOf(packets).map(([a, some]) => [a, marks(some, known, true)] as const)
    for (const [i, [a, some]] of spans.entries())
      for (const [b, others] of spans.slice(i + 1)) compare(`${lan}, turns ${a} and ${b}`, some, others)
  }
  const [home, yard, cafe] = ['home', 'yard', 'cafe'].map(lan => lans.get(lan) ?? [])
  compare('before and after the move', elsewhere(home!), elsewhere(cafe!))
  compare('on two networks', elsewhere([...home!, ...cafe!]), elsewhere(yard!))
  if (cafe!.some(({ at }) => at < moved)) found.push('in the café before it was there')
  return found
}

/** What two announcements in one packet have in common, and not with everybody's. */
export function linksInPackets({ seen }: Hour, common: ReadonlySet<string>): string[] {
  return seen.flatMap(({ payload }) => {
    const texts = payload.toString('latin1').matchAll(/(?:a=|ORG: )([\w-]{64})/g)
    const all = [...texts].map(([, text]) => runs(Buffer.from(text!, 'base64url'), common).strong)
    return all.flatMap((one, i) => all.slice(i + 1).flatMap(other => both(one, other)))
  })
}

const both = (one: ReadonlySet<string>, other: ReadonlySet<string>): string[] =>
  [...one].filter(item => other.has(item))

function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [head, tail] = address.split('::') as [string, string]
  const groups = [head, tail].map(part => (part === '' ? [] : part.split(':')))
  const zeros = Array<string>(8 - groups[0]!.length - groups[1]!.length).fill('0')
  return Buffer.from([...groups[0]!, ...zeros, ...groups[1]!].map(g => g.padStart(4, '0')).join(''), 'hex')
}
