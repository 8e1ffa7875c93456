/**
 * A handler as a plain process: in a session of its own, the body on stdin, stdout kept up to a length, ended when it
 * takes too long. When it ends all that is left in its process group is killed; what gave itself another session is
 * not seen (a systemd unit would see it).
 */
import { type ChildProcess, spawn } from 'node:child_process'

/** Between TERM and KILL, milliseconds; and for output that is still on its way when it has ended. */
const PATIENCE = 5_000
const REST = 500
/** Of stderr, for the log. */
const COMPLAINT = 4_096

export interface HandlerRun {
  /** Absolute. */
  readonly file: string
  readonly directory: string
  /** All of it: nothing is inherited. */
  readonly environment: { readonly [name: string]: string }
  readonly body: Uint8Array
  readonly timeoutMs: number
  /** Of stdout that is kept, bytes. */
  readonly output: number
}

export type HandlerEnd = {
  readonly output: Uint8Array
  /** The end of what it wrote to stderr. */
  readonly complaint: string
} & (
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'signal'; readonly signal: string }
  | { readonly type: 'timeout' }
  | { readonly type: 'not-started'; readonly why: string }
)

/** Never rejects. Aborting ends it like a timeout. */
export function runHandler(run: HandlerRun, signal?: AbortSignal): Promise<HandlerEnd> {
  return new Promise(resolve => {
    const child = spawn(run.file, [], {
      cwd: run.directory,
      env: { ...run.environment },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe']
    })
    const output = new Head(run.output)
    let complaint = ''
    let late = false
    let kill: NodeJS.Timeout | undefined
    const end = () => {
      late = true
      group(child, 'SIGTERM')
      kill = setTimeout(() => group(child, 'SIGKILL'), PATIENCE)
    }
    const limit = setTimeout(end, run.timeoutMs)
    signal?.addEventListener('abort', end, { once: true })
    const settle = (how: DistributiveOmit<HandlerEnd, 'output' | 'complaint'>) => {
      clearTimeout(limit)
      clearTimeout(kill)
      signal?.removeEventListener('abort', end)
      resolve({ ...how, output: output.bytes, complaint: complaint.trim() } as HandlerEnd)
    }
    child.once('error', error => settle({ type: 'not-started', why: error.message }))
    child.stdout.on('data', chunk => output.add(chunk))
    child.stderr.setEncoding('utf8').on('data', text => {
      complaint = (complaint + text).slice(-COMPLAINT)
    })
    // it may end without reading what it was given
    child.stdin.on('error', () => {})
    child.stdin.end(run.body)
    child.once('exit', (code, name) => {
      group(child, 'SIGKILL')
      const rest = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, REST)
      child.once('close', () => {
        clearTimeout(rest)
        if (late) settle({ type: 'timeout' })
        else if (code !== null) settle({ type: 'exit', code })
        else settle({ type: 'signal', signal: name ?? '' })
      })
    })
  })
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** The first bytes of a stream; the rest is read and forgotten. */
class Head {
  readonly #room: number
  readonly #parts: Uint8Array[] = []
  #length = 0
  constructor(room: number) {
    this.#room = room
  }
  add(chunk: Uint8Array): void {
    const part = chunk.subarray(0, this.#room - this.#length)
    if (part.length > 0) this.#parts.push(part.slice())
    this.#length += part.length
  }
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

function group({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal)
  } catch {
    // all of it has ended
  }
}
