/**
 * What a person who does not look is told by notifications, as the configuration wants it: who joined, what came to
 * nothing, who is out of sight. What comes together is told together; one call of the service at a time, and what
 * comes meanwhile waits, little of it: one that hangs, or is not there, costs nothing.
 */
import { deadReason, reason } from '../api/words.ts'
import type { Bus } from '../host/bus.ts'
import { type Notice, Notifications } from '../host/notifications.ts'
import type { PeerEvent } from '../messages/naming.ts'
import type { Config } from './config.ts'
import type { PeerFacts } from './messages/environment.ts'
import type { Sender } from './messages/handlers.ts'
import type { EventRecord } from './surfaces/events.ts'
import type { Publisher } from './surfaces/publisher.ts'
import { afterMs } from './timer.ts'

type Kind = keyof Config['notifications']
interface Line {
  /** Of the device. */
  readonly name: string
  readonly text: string
}

/** For what comes in the same moment: a switch that fails takes several away. */
const SETTLE_MS = 1_000
/** To be told at once; what is more is counted. */
const MOST = 50
const SHOWN = 5
/** It is this device that is away, or the other one said that it would go. */
const EXPECTED = ['stopped', 'no-network', 'asleep']
/** The person did that. */
const WANTED = ['cancelled', 'removed']
const KINDS: readonly Kind[] = ['joined', 'failed', 'lost']

const TITLES: {
  readonly [K in Kind]: { readonly one: (name: string) => string; readonly many: (n: number) => string }
} = {
  joined: { one: name => `${name} has joined`, many: n => `${n} devices have joined` },
  failed: { one: name => `Not done on ${name}`, many: n => `${n} messages came to nothing` },
  lost: { one: name => `${name} is out of sight`, many: n => `${n} devices are out of sight` }
}

/** Tells of what is published; what comes back is to be called when something happens to a member. */
export function tellingNotices(
  config: () => Config['notifications'],
  bus: Bus,
  publisher: Publisher
): Notices['peer'] {
  const notifications = new Notifications(bus)
  const notices = new Notices({ config, tell: notice => notifications.tell(notice), after: afterMs })
  publisher.subscribe(events => notices.events(events))
  return (...happened) => notices.peer(...happened)
}

export class Notices {
  readonly #config: () => Config['notifications']
  readonly #tell: (notice: Notice) => Promise<unknown>
  readonly #after: (ms: number, act: () => void) => () => void
  readonly #waiting: { readonly [K in Kind]: Map<string, Line> } = {
    joined: new Map(),
    failed: new Map(),
    lost: new Map()
  }
  /** A timer runs, or the service has been asked. */
  #busy = false

  /** `tell` ends, one way or the other. */
  constructor(options: {
    config: () => Config['notifications']
    tell: (notice: Notice) => Promise<unknown>
    after: (ms: number, act: () => void) => () => void
  }) {
    this.#config = options.config
    this.#tell = options.tell
    this.#after = options.after
  }

  /** Something happened to a member. */
  peer(
    event: PeerEvent,
    { id, name, circle }: Pick<Sender, 'id' | 'name' | 'circle'>,
    facts: PeerFacts
  ): void {
    if (event === 'joined') this.#add('joined', id, { name, text: `It belongs to ${plain(circle)} now.` })
    else if (event === 'unreachable' && !EXPECTED.includes(facts.reason))
      this.#add('lost', id, { name, text: sentence(reason(facts.reason)) })
    else if (event === 'reachable' || event === 'left') this.#waiting.lost.delete(id)
  }

  events(events: readonly EventRecord[]): void {
    if (!this.#config().failed) return
    for (const { Type, Properties: p } of events)
      if (Type === 'ReceiptChanged' && p['State'] === 'dead' && !WANTED.includes(String(p['Reason']))) {
        const tag = String(p['Tag'])
        const why = deadReason(String(p['Reason']), tag, Number(p['Exit']))
        this.#add('failed', String(p['Id']), { name: String(p['Name']), text: `${tag}: ${why}` })
      }
  }

  #add(kind: Kind, key: string, line: Line): void {
    if (!this.#config()[kind] || this.#waiting[kind].size >= MOST) return
    this.#waiting[kind].set(key, line)
    this.#soon()
  }

  #soon(): void {
    if (this.#busy || KINDS.every(kind => this.#waiting[kind].size === 0)) return
    this.#busy = true
    this.#after(SETTLE_MS, () => void this.#all())
  }

  /** Never rejects. */
  async #all(): Promise<void> {
    for (const kind of KINDS) {
      const lines = [...this.#waiting[kind].values()]
      this.#waiting[kind].clear()
      if (lines.length > 0) await this.#tell(noticeOf(kind, lines)).catch(() => {})
    }
    this.#busy = false
    this.#soon()
  }
}

function noticeOf(kind: Kind, lines: readonly Line[]): Notice {
  const { one, many } = TITLES[kind]
  const [first] = lines
  if (first && lines.length === 1) return { summary: one(plain(first.name)), body: first.text }
  const shown = lines.slice(0, SHOWN).map(({ name, text }) => `${plain(name)}: ${text}`)
  const more = lines.length > SHOWN ? [`and ${lines.length - SHOWN} more`] : []
  return { summary: many(lines.length), body: [...shown, ...more].join('\n') }
}

const sentence = (words: string) => `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
/** Names are others' words: on one line, and in one direction. */
const plain = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd')
