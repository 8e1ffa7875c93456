/**
 * A delay inhibitor of logind: while it is held the computer waits, InhibitDelayMaxSec at most, before it sleeps.
 *
 * logind gives a file descriptor for it, which Node cannot receive over D-Bus (docs/decisions/0110); so
 * `systemd-inhibit` holds it, for as long as a `cat` under it reads from a pipe of ours. The pipe ends with this
 * process, however that ends, and with it `cat`, `systemd-inhibit` and the inhibitor.
 */
import { type ChildProcess, spawn } from 'node:child_process'

const COMMAND = [
  'systemd-inhibit',
  '--what=sleep',
  '--mode=delay',
  '--who=Coterie',
  '--why=telling the other devices that this one sleeps',
  'cat'
]
/** One that was let go but does not end is ended. */
const LET_GO_MS = 2_000
/** One that ended by itself is taken again after this, twice as long each time. */
const AGAIN_FIRST_MS = 5_000
const AGAIN_LAST_MS = 600_000

/** refused: logind does not give it. missing: there is no systemd-inhibit. */
export type Inhibition = 'none' | 'asked' | 'held' | 'refused' | 'missing'

export class Inhibitor {
  readonly #command: readonly string[]
  readonly #onChange: () => void
  #state: Inhibition = 'none'
  #why = ''
  #child: ChildProcess | undefined
  #again: NodeJS.Timeout | undefined
  #againMs = AGAIN_FIRST_MS

  /** onChange: `state` did. */
  constructor(onChange: () => void, command: readonly string[] = COMMAND) {
    this.#command = command
    this.#onChange = onChange
  }

  get state(): Inhibition {
    return this.#state
  }
  /** What was said when it was refused. */
  get why(): string {
    return this.#why
  }

  /** Asks for it, unless it is held or asked for already. */
  take(): void {
    if (this.#child !== undefined) return
    clearTimeout(this.#again)
    const [program = '', ...args] = this.#command
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1_024)
    })
    // it comes back once `cat` runs, which is when the inhibitor is held
    child.stdin!.on('error', () => {}).write('\n')
    child.stdout!.once('data', () => {
      if (this.#child !== child) return
      this.#againMs = AGAIN_FIRST_MS
      this.#is('held')
    })
    child.on('error', () => this.#ended(child, 'missing', ''))
    child.on('close', () => this.#ended(child, 'refused', said))
    child.unref()
    this.#is('asked')
  }

  /** Lets it go: within milliseconds. */
  release(): void {
    clearTimeout(this.#again)
    const child = this.#child
    this.#child = undefined
    if (child !== undefined) {
      child.stdin!.end()
      const limit = setTimeout(() => child.kill('SIGKILL'), LET_GO_MS)
      limit.unref()
      child.once('close', () => clearTimeout(limit))
      // one that still waits for its answer does not read
      if (this.#state === 'asked') child.kill()
    }
    this.#is('none')
  }

  #ended(child: ChildProcess, state: 'refused' | 'missing', said: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    const held = this.#state === 'held'
    this.#why = held ? '' : (said.trim().split('\n').at(-1) ?? '')
    this.#is(held ? 'none' : state)
    // it was let in before: whoever ended it may not have meant it
    if (!held) return
    this.#again = setTimeout(() => this.take(), this.#againMs)
    this.#again.unref()
    this.#againMs = Math.min(AGAIN_LAST_MS, this.#againMs * 2)
  }

  #is(state: Inhibition): void {
    if (this.#state === state) return
    this.#state = state
    this.#onChange()
  }
}
