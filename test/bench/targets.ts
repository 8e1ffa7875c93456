/** What was measured, held against the targets of the design: a table for docs/performance.md. */
import type { Calls } from './calls.ts'
import type { Changes } from './changes.ts'
import type { Idle } from './fleet.ts'
import { type Figure, ratio as paired } from './ratio.ts'
import type { Resolving } from './resolving.ts'
import type { Benchmark } from './session.ts'
import type { Start } from './start.ts'

export interface Results {
  sessions: readonly Benchmark[]
  changes?: Changes
  calls?: Calls
  start?: Start
  resolving?: Resolving
  idle: { form: string; all: Idle; onBus: Idle; onBattery: Idle }[]
  /** Why the competitors are missing, or ''. */
  absent: string
}

interface Line {
  readonly what: string
  readonly target: string
  readonly measured: string
  /** The figure the target speaks of. */
  readonly ratio: string
  readonly met: boolean | undefined
}

export function verdicts(results: Results): string {
  const lines = [...sessionLines(results), ...localLines(results), ...idleLines(results)]
  const rows = lines.map(({ what, target, measured, ratio, met }) => {
    const verdict = met === undefined ? '–' : met ? 'met' : '**missed**'
    return `| ${what} | ${target} | ${measured} | ${ratio} | ${verdict} |`
  })
  return ['| what | target | measured | ratio | verdict |', '|---|---|---|---|---|', ...rows].join('\n')
}

const number = (value: number) =>
  value >= 1e6
    ? `${(value / 1e6).toFixed(2)} M`
    : value >= 1000
      ? Math.round(value).toLocaleString('en')
      : value.toPrecision(3)
const times = (value: number) => `${value.toFixed(2)}×`

/** `least`: more is better; otherwise less is. */
function line(
  what: string,
  [mine, other]: readonly [Figure | undefined, Figure | undefined],
  target: number,
  unit: string,
  least = false
): Line[] {
  if (mine === undefined || other === undefined) return []
  const ratio = paired(mine.values, other.values)
  const cpu =
    mine.cpuUSec !== undefined && other.cpuUSec !== undefined
      ? `; CPU ${number(mine.cpuUSec)} / ${number(other.cpuUSec)} µs`
      : ''
  return [
    {
      what: `${what} / ${other.name}`,
      target: `${least ? '≥' : '≤'} ${target}`,
      measured: `${number(mine.median)} / ${number(other.median)} ${unit}${cpu}`,
      ratio: times(ratio),
      met: least ? ratio >= target : ratio <= target
    }
  ]
}

function sessionLines({ sessions, absent }: Results): Line[] {
  const pick = (title: string, ours: string, other: string) => {
    const figures = sessions.find(benchmark => benchmark.title.startsWith(title))?.figures ?? []
    const named = (name: string) => figures.find(figure => figure.name.startsWith(name))
    return [named(ours), named(other)] as const
  }
  const best = 'session'
  const memory = pick('memory', best, 'raw')[0]
  const all = [
    ...line('encrypted round trip, 64 B', pick('round', best, 'raw'), 1.7, 'µs'),
    ...line('encrypted round trip, 64 B', pick('round', best, 'hyperswarm'), 1, 'µs').map(untargeted),
    ...line('encrypted round trip, 64 B', pick('round', best, 'libp2p'), 1, 'µs').map(untargeted),
    ...line('one-way messages, 64 B', pick('messages', best, 'raw'), 0.15, '/s', true),
    ...line('one-way messages, 64 B', pick('messages', best, 'hyperswarm'), 7, '/s', true),
    ...line('bulk', pick('bulk', best, 'raw'), 0.5, 'MB/s', true),
    ...line('bulk', pick('bulk', best, 'node:tls'), 0.9, 'MB/s', true),
    ...line('bulk', pick('bulk', best, 'hyperswarm'), 1, 'MB/s', true).map(untargeted),
    ...line('bulk', pick('bulk', best, 'libp2p'), 1, 'MB/s', true).map(untargeted),
    ...line('handshakes', pick('handshakes', best, 'node:tls'), 1.05, '/s', true),
    ...line('handshakes', pick('handshakes', best, 'hyperswarm'), 1, '/s', true).map(untargeted),
    ...line('handshakes', pick('handshakes', best, 'libp2p'), 1, '/s', true).map(untargeted)
  ]
  if (memory)
    all.push({
      what: 'memory of a live session, of the first 1,000',
      target: '≤ 24 KiB',
      measured: `${number(memory.median)} KiB`,
      ratio: '',
      met: memory.median <= 24
    })
  if (absent)
    all.push({
      what: 'secret-stream, libp2p',
      target: '',
      measured: 'not installed',
      ratio: '',
      met: undefined
    })
  return all
}

function localLines({ changes, calls, start, resolving }: Results): Line[] {
  const lines: Line[] = []
  if (resolving)
    lines.push({
      what: '2,000 membership operations, in batches',
      target: '≤ 50 ms',
      measured: `${resolving.all.toFixed(1)} ms; one more ${resolving.one.toFixed(2)} ms`,
      ratio: '',
      met: resolving.all <= 50
    })
  if (changes) {
    lines.push(...line('status change → D-Bus client', [changes.bus[1], changes.bus[0]], 2.5, 'µs'))
    lines.push(
      ...line('status change → socket reader', [changes.socket[1], changes.socket[0]], 2, 'µs').map(
        untargeted
      )
    )
  }
  if (calls) {
    const { one, many, clients } = calls
    for (const [mine, raw] of [
      [1, 0],
      [3, 2]
    ] as const) {
      lines.push(...line(`UNIX socket call ${one[mine]?.name}`, [one[mine], one[raw]], 1.3, 'µs'))
      lines.push({
        what: `${many[mine]?.name}, 32 on their way / one`,
        target: '',
        measured: `${number(many[mine]!.median)} / ${number(1e6 / one[mine]!.median)} /s`,
        ratio: times((many[mine]!.median * one[mine]!.median) / 1e6),
        met: undefined
      })
    }
    lines.push({
      what: `${clients.clients.toLocaleString('en')} socket clients at once`,
      target: '0 errors',
      measured: `${clients.answered.toLocaleString('en')} answers, ${clients.errors} errors`,
      ratio: '',
      met: clients.errors === 0
    })
  }
  const [bare, modules, checkout, bundle] = start?.cpu ?? []
  lines.push(...line('start → READY=1, main thread: bundle', [bundle, bare], 1.5, 'ms'))
  lines.push(...line('start → READY=1, main thread: bundle', [bundle, modules], 1.5, 'ms').map(untargeted))
  lines.push(...line('start → READY=1, main thread: checkout', [checkout, bare], 1.5, 'ms').map(untargeted))
  const [once, fromCheckout, bundled] = start?.wall ?? []
  lines.push(...line('start → READY=1, by the clock: bundle', [bundled, once], 1.5, 'ms').map(untargeted))
  lines.push(
    ...line('start → READY=1, by the clock: checkout', [fromCheckout, once], 1.5, 'ms').map(untargeted)
  )
  return lines
}

const untargeted = (one: Line): Line => ({ ...one, target: '', met: undefined })

function idleLines({ idle }: Results): Line[] {
  return idle.flatMap(({ form, all, onBus, onBattery }) => {
    const aim = form === 'bundle'
    const one = (what: string, of: keyof Idle, unit: string, limit: number): Line => ({
      what: `idle with 10 peers, ${form}: ${what}`,
      target: aim ? `≤ ${limit} ${unit}` : '',
      measured: `${number(all[of])} ${unit}; with both buses ${number(onBus[of])}`,
      ratio: '',
      met: aim ? all[of] <= limit && onBus[of] <= limit : undefined
    })
    return [
      one('RSS', 'rss', 'MB', 80),
      one('of that not shared with files', 'anon', 'MB', 80),
      one('CPU', 'cpu', 'ms/s', 1),
      one('wake-ups, all threads', 'wakeUps', '/s', 2),
      {
        what: `idle with 10 peers, ${form}: wake-ups on battery, its peers on mains`,
        target: aim ? '≤ 0.5 /s' : '',
        measured: `${number(onBattery.wakeUps)} /s`,
        ratio: '',
        met: aim ? onBattery.wakeUps <= 0.5 : undefined
      },
      one('bytes a peer', 'bytes', 'B/s', 60)
    ].map(row => (row.what.includes('not shared') ? untargeted(row) : row))
  })
}
