/** Entry of the database thread. One question at a time, each answered with its number. */
import { parentPort } from 'node:worker_threads'
import type { Answer, Question } from '../host/database.ts'
import { DatabaseError } from '../host/database-error.ts'
import { Sqlite } from '../host/sqlite.ts'

const port = parentPort!
let sqlite: Sqlite | undefined

function answer(question: Question): Answer {
  switch (question.type) {
    case 'open':
      sqlite = new Sqlite(question.options)
      return { type: 'done' }
    case 'load':
      return { type: 'rows', rows: sqlite!.load() }
    case 'commit':
      return { type: 'committed', errors: sqlite!.commit(question.batches).map(e => e?.message) }
    case 'scrub':
      sqlite!.scrub()
      return { type: 'done' }
    case 'close':
      sqlite?.close()
      sqlite = undefined
      return { type: 'done' }
  }
}

port.on('message', (question: Question) => {
  try {
    port.postMessage(answer(question))
  } catch (error) {
    const code = error instanceof DatabaseError ? error.code : undefined
    port.postMessage({ type: 'failed', code, message: (error as Error).message } satisfies Answer)
  }
})
