/** `coterie status --energy`: what the daemon does to the battery. Pure. */
import type { Result } from '../api/api.ts'
import { aligned, type Look } from './print.ts'
import { bytes, count, number, span } from './words.ts'

type Energy = Result<'Energy'>
type Activity = Energy['Total']

const MINUTE = 60_000_000

/** What is shown of it; sent before heard. */
const ROWS: readonly [string, (activity: Activity) => number, 'count' | 'bytes'][] = [
  ['wake-ups', a => a.WakeUps, 'count'],
  ['of them by own timer', a => a.TimerFires, 'count'],
  ['packets to peers', a => a.LinkWrites, 'count'],
  ['packets from peers', a => a.LinkReads, 'count'],
  ['bytes to peers', a => a.LinkBytesSent, 'bytes'],
  ['bytes from peers', a => a.LinkBytesReceived, 'bytes'],
  ['UDP sent', a => a.DatagramsSent, 'count'],
  ['UDP received', a => a.DatagramsReceived, 'count'],
  ['UDP bytes sent', a => a.DatagramBytesSent, 'bytes'],
  ['UDP bytes received', a => a.DatagramBytesReceived, 'bytes'],
  ['multicast sent', a => a.MulticastSent, 'count'],
  ['multicast heard', a => a.MulticastHeard, 'count'],
  ['multicast bytes sent', a => a.MulticastBytesSent, 'bytes'],
  ['multicast bytes heard', a => a.MulticastBytesHeard, 'bytes'],
  ['D-Bus signals sent', a => a.Signals, 'count']
]

export function energyLines(energy: Energy, look: Look): string[] {
  const { Lately, LatelyUSec, Total, UpUSec } = energy
  // in the first minute it is what there was: a start says nothing about a minute
  const perMinute = (n: number) => (n * MINUTE) / Math.max(LatelyUSec, MINUTE)
  const rows = ROWS.map(([name, of, unit]) => {
    const show = unit === 'bytes' ? bytes : number
    return [name, show(perMinute(of(Lately))), show(of(Total))]
  })
  const heading = ['', 'A MINUTE', 'SINCE START']
  const widths = [1, 2].map(i => Math.max(...[heading, ...rows].map(row => row[i]!.length)))
  const cells = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell : cell.padStart(widths[i - 1]!)))
  const table = rows.map(row => {
    const [name = '', minute = '', start = ''] = cells(row)
    return [name, look.bold(minute), look.dim(start)]
  })
  const head = look.terminal ? [cells(heading).map(look.dim)] : []
  const times = `a minute: of the last ${lasted(LatelyUSec)}; since start: ${lasted(UpUSec)} ago`
  return [
    powerLine(energy, look),
    linksLine(energy),
    '',
    ...aligned([...head, ...table], '  '),
    '',
    look.dim(times)
  ]
}

function powerLine({ Power, PowerSource, Metered, KeepaliveUSec }: Energy, look: Look): string {
  const where = Power === 'battery' ? look.yellow('On battery') : look.green('On mains')
  const by = PowerSource === '' ? 'nobody says otherwise' : `by ${PowerSource}`
  const network = Metered ? `, ${look.yellow('on metered networks')}` : ''
  return `${where} (${by})${network}: a silent link is asked after ${span(KeepaliveUSec)}.`
}

function linksLine({ Links, SlowLinks, FarLinks, FarKeepaliveUSec, Power, Metered }: Energy): string {
  const own = Power === 'battery' || Metered
  const slow = own || SlowLinks === 0 ? '' : `, ${SlowLinks} of them to a device that saves energy or bytes`
  const far =
    FarLinks === 0 ? '' : `, ${FarLinks} to other networks, asked after ${span(FarKeepaliveUSec)} at most`
  return `${count(Links, 'link')} to other devices${slow}${far}.`
}

function lasted(usec: number): string {
  const [size, unit] =
    usec < 2 * MINUTE ? [1e6, 's'] : usec < 120 * MINUTE ? [MINUTE, 'min'] : [60 * MINUTE, 'h']
  return `${number(usec / size)} ${unit}`
}
