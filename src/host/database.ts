/**
 * The encrypted database as the main thread sees it; the file itself is used in a thread of its own, so that
 * fsync never blocks the loop. Commits that wait while one is being written share the next transaction and
 * its fsync. The order of calls is the order on disk.
 */
import { Worker } from 'node:worker_threads'
import { DatabaseError, type DatabaseErrorCode } from './database-error.ts'
import type { Row, Write } from './rows.ts'
import type { OpenOptions } from './sqlite.ts'

export { DatabaseError, type DatabaseErrorCode } from './database-error.ts'
export type { Row, Write } from './rows.ts'

/** Between the threads; questions are answered in order. */
export type Question =
  | { type: 'open'; options: OpenOptions }
  | { type: 'load' }
  | { type: 'commit'; batches: readonly (readonly Write[])[] }
  | { type: 'scrub' }
  | { type: 'close' }
export type Answer =
  | { type: 'done' }
  | { type: 'rows'; rows: Row[] }
  | { type: 'committed'; errors: (string | undefined)[] }
  | { type: 'failed'; code: DatabaseErrorCode | undefined; message: string }

export interface DatabaseOptions extends OpenOptions {
  readonly log: (level: 'info' | 'warn' | 'error', text: string, facts?: object) => void
  /** Entry of the thread; a bundle gives its own. */
  readonly worker?: URL
}

/** Rows in one transaction; more wait for the next, so that one answer does not wait for all. */
const GROUP = 1024
/** The thread holds statements, one page cache and the rows in flight. */
const HEAP = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4 }

interface Waiting {
  readonly writes: readonly Write[]
  resolve(): void
  reject(error: Error): void
}

export class Database {
  readonly #worker: Worker
  readonly #path: string
  readonly #log: DatabaseOptions['log']
  readonly #queue: Waiting[] = []
  #asked: { resolve(answer: Answer): void; reject(error: Error): void } | undefined
  /** Settled when the question before has been answered. */
  #turn: Promise<unknown> = Promise.resolve()
  #pumping = false
  #over: DatabaseError | undefined

  /** Opens, or with `create` makes, the database. Rejects with DatabaseError. */
  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options)
    const { path, key, fingerprint, create } = options
    try {
      await database.#ask({
        type: 'open',
        options: { path, key: exact(key), fingerprint: exact(fingerprint), create }
      })
      return database
    } catch (error) {
      await database.close()
      throw error
    }
  }

  private constructor({ path, log, worker }: DatabaseOptions) {
    this.#path = path
    this.#log = log
    this.#worker = new Worker(worker ?? entry(), { execArgv: [], resourceLimits: HEAP })
    this.#worker.on('message', (answer: Answer) => {
      const asked = this.#asked
      this.#asked = undefined
      asked?.resolve(answer)
    })
    this.#worker.on('error', error => this.#end(`its thread failed: ${error.message}`))
    this.#worker.on('exit', () => this.#end('it is closed'))
  }

  /** All rows as of all commits made before. */
  async load(): Promise<Row[]> {
    await this.commit([])
    const answer = await this.#ask({ type: 'load' })
    return answer.type === 'rows' ? answer.rows : []
  }

  /**
   * Resolves when all writes are on disk. On a full disk it rejects with DatabaseError no-space and nothing
   * is changed; a later commit may do.
   */
  commit(writes: readonly Write[]): Promise<void> {
    if (this.#over) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes: writes.map(copied), resolve, reject })
      if (this.#pumping) return
      this.#pumping = true
      // what others commit in this tick goes with it
      queueMicrotask(() => this.#pump())
    })
  }

  /** What was deleted or emptied before is in no file any more when it resolves. Rejects with DatabaseError. */
  async scrub(): Promise<void> {
    await this.commit([])
    await this.#ask({ type: 'scrub' })
  }

  /** After the commits that were made. The thread is gone when it resolves. */
  async close(): Promise<void> {
    if (!this.#over) {
      await this.commit([]).catch(() => undefined)
      await this.#ask({ type: 'close' }).catch(() => undefined)
      this.#over ??= new DatabaseError('io', `${this.#path} is closed`)
    }
    await this.#worker.terminate()
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      let rows = 0
      let take = 0
      while (take < this.#queue.length && (take === 0 || rows < GROUP))
        rows += this.#queue[take++]!.writes.length
      const group = this.#queue.splice(0, take)
      await this.#write(group)
    }
    this.#pumping = false
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    try {
      if (group.some(waiting => waiting.writes.length > 0)) {
        const answer = await this.#ask({ type: 'commit', batches: group.map(waiting => waiting.writes) })
        const errors = answer.type === 'committed' ? answer.errors : []
        for (const [n, waiting] of group.entries()) {
          const error = errors[n]
          if (error === undefined) waiting.resolve()
          else waiting.reject(new Error(`a row does not fit the database: ${error}`))
        }
      } else for (const waiting of group) waiting.resolve()
    } catch (error) {
      const { code, message } = error as DatabaseError
      this.#log(code === 'no-space' ? 'warn' : 'error', 'database: commit failed', { error: message })
      for (const waiting of group) waiting.reject(error as Error)
    }
  }

  /** One question at a time, in the order asked. */
  #ask(question: Question): Promise<Answer> {
    const turn = this.#turn.then(
      () =>
        new Promise<Answer>((resolve, reject) => {
          if (this.#over) return reject(this.#over)
          this.#asked = { resolve, reject }
          this.#worker.postMessage(question)
        })
    )
    this.#turn = turn.catch(() => undefined)
    return turn.then(answer => {
      if (answer.type !== 'failed') return answer
      throw new DatabaseError(answer.code ?? 'io', answer.message)
    })
  }

  #end(why: string): void {
    this.#over ??= new DatabaseError('io', `${this.#path} cannot be used: ${why}`)
    this.#asked?.reject(this.#over)
    this.#asked = undefined
  }
}

/** From a checkout the source; a bundle has worker.js beside it. */
const entry = () =>
  new URL(import.meta.url.endsWith('.ts') ? '../daemon/worker.ts' : './worker.js', import.meta.url)

/** Posting a view sends the whole memory behind it. */
const exact = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength && !Buffer.isBuffer(bytes) ? bytes : new Uint8Array(bytes)

const copied = (write: Write): Write => {
  const fields = 'put' in write ? write.put : write
  const copy: { [name: string]: unknown } = { ...fields }
  for (const name in copy) {
    const value = copy[name]
    if (value instanceof Uint8Array) copy[name] = exact(value)
  }
  return ('put' in write ? { put: copy } : copy) as unknown as Write
}
