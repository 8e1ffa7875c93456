/**
 * What logind says of sleep: that the computer is about to, and that it is awake again. A delay inhibitor gives us
 * the moment between the word and the sleep.
 *
 * Nothing here waits for logind: it may be missing, restarted, hang, or talk nonsense.
 */
import type { Bus } from './bus.ts'
import { plain } from './bus.ts'
import { type Inhibition, Inhibitor } from './inhibitor.ts'

const NAME = 'org.freedesktop.login1'
const PATH = '/org/freedesktop/login1'
const MANAGER = `${NAME}.Manager`
const ANSWER_MS = 2_000
/** The inhibitor is let go no later after the word, whoever is not done. */
const MOST_MS = 900

export interface LogindOptions {
  readonly bus: Bus
  /** The computer sleeps as soon as this is done, and at most a second later. */
  readonly onSleep: () => Promise<void>
  /** It is awake: after a sleep, or because there was none after all. */
  readonly onWake: () => void
  /** It is about to be switched off. */
  readonly onShutdown: () => void
  /** `state` changed. */
  readonly onChange: () => void
  readonly inhibit?: readonly string[]
}

export interface LogindState {
  /** There is one. */
  readonly present: boolean
  readonly inhibition: Inhibition
  /** What was said when it was refused. */
  readonly why: string
}

export class LogindWatcher {
  readonly #options: LogindOptions
  readonly #inhibitor: Inhibitor
  #ends: (() => void)[] = []
  #owner = ''
  #preparing = false
  /** Signals may be many: only the last one counts. */
  #turn = 0

  constructor(options: LogindOptions) {
    this.#options = options
    this.#inhibitor = new Inhibitor(options.onChange, options.inhibit)
  }

  get state(): LogindState {
    const { state, why } = this.#inhibitor
    return { present: this.#owner !== '', inhibition: state, why }
  }

  start(): void {
    const { bus, onShutdown } = this.#options
    const signal = (member: string, heard: (yes: boolean) => void) =>
      bus.match({ sender: NAME, path: PATH, interface: MANAGER, member }, ({ body }) => {
        if (typeof body[0] === 'boolean') heard(body[0])
      })
    this.#ends = [
      signal('PrepareForSleep', preparing => this.#prepare(preparing)),
      signal('PrepareForShutdown', preparing => preparing && onShutdown()),
      bus.watchName(NAME, owner => this.#appeared(owner))
    ]
  }

  stop(): void {
    for (const end of this.#ends) end()
    this.#ends = []
    this.#turn++
    this.#inhibitor.release()
  }

  /** What the watcher found out by another way: the computer did sleep, and is awake. */
  awake(): void {
    this.#preparing = false
    this.#turn++
    if (this.#owner !== '') this.#inhibitor.take()
  }

  /** A new logind keeps what the old one gave, a new bus does not: in any case what is held is taken afresh. */
  #appeared(owner: string): void {
    if (owner === this.#owner) return
    this.#owner = owner
    this.#inhibitor.release()
    if (owner !== '') {
      if (!this.#preparing) this.#inhibitor.take()
      void this.#ask(owner)
    }
    this.#options.onChange()
  }

  /** It may have spoken while nobody listened. */
  async #ask(owner: string): Promise<void> {
    const turn = this.#turn
    const call = {
      destination: NAME,
      path: PATH,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get'
    }
    const [answer] = await this.#options.bus
      .call({
        ...call,
        signature: 'ss',
        body: [MANAGER, 'PreparingForSleep'],
        timeoutMs: ANSWER_MS,
        autoStart: false
      })
      .catch(() => [])
    const preparing = plain(answer)
    // gone, or it has spoken since
    if (owner !== this.#owner || turn !== this.#turn || typeof preparing !== 'boolean') return
    if (preparing !== this.#preparing) this.#prepare(preparing)
  }

  #prepare(preparing: boolean): void {
    const turn = ++this.#turn
    if (!preparing) {
      this.awake()
      this.#options.onWake()
      return
    }
    if (this.#preparing) return
    this.#preparing = true
    const limit = new Promise<void>(resolve => setTimeout(resolve, MOST_MS).unref())
    void Promise.race([this.#options.onSleep(), limit]).finally(() => {
      if (turn === this.#turn) this.#inhibitor.release()
    })
  }
}
