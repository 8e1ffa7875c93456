/** Calls over the UNIX socket against a raw echo over one, of a daemon that runs. */
import { connect, type Socket } from 'node:net'
import { type Contender, compare, type Figure, median } from './ratio.ts'

const PREFIX = 'org.coterie.Coterie1'
const CALLS = 2_000
const DEPTH = 32
const CLIENTS = 1_000
const CALLS_EACH = 5

const call = (method: string) => Buffer.from(`${JSON.stringify({ method: `${PREFIX}.${method}` })}\0`)

export interface Calls {
  /** One after the other, p50 in µs. */
  readonly one: readonly Figure[]
  /** Calls a second, 32 on their way. */
  readonly many: readonly Figure[]
  readonly clients: { readonly clients: number; readonly answered: number; readonly errors: number }
}

/** `echo` sends back what it gets; `daemon` is a daemon's socket; `cpu` the time of all taking part, µs. */
export async function calls(
  echo: string,
  daemon: string,
  rounds: number,
  cpu: () => Promise<number>
): Promise<Calls> {
  const contenders = async (depth: number) => {
    const all: Contender[] = []
    for (const method of ['Version', 'Status']) {
      const question = call(method)
      const length = await lengthOf(daemon, question)
      const same = Buffer.from(`${'x'.repeat(length - 1)}\0`)
      all.push(await trips(`raw echo of ${length} bytes (as ${method})`, echo, same, depth))
      all.push(await trips(method, daemon, question, depth))
    }
    return all
  }
  return {
    one: await compare(await contenders(1), rounds, cpu),
    many: await compare(await contenders(DEPTH), rounds, cpu),
    clients: await crowd(daemon, call('Version'))
  }
}

const open = (path: string) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.once('error', reject)
  })

async function lengthOf(path: string, question: Buffer): Promise<number> {
  const socket = await open(path)
  let length = 0
  await new Promise<void>(resolve => {
    socket.on('data', chunk => {
      length += chunk.length
      if (chunk.at(-1) === 0) resolve()
    })
    socket.write(question)
  })
  socket.destroy()
  return length
}

/** With depth 1 the median time, else calls a second. */
async function trips(name: string, path: string, question: Buffer, depth: number): Promise<Contender> {
  const socket = await open(path)
  return {
    name,
    operations: CALLS,
    round: () =>
      new Promise(resolve => {
        const times: number[] = []
        const begin = performance.now()
        let sent = 0
        let start = begin
        socket.removeAllListeners('data')
        const send = () => {
          sent++
          start = performance.now()
          socket.write(question)
        }
        socket.on('data', (chunk: Buffer) => {
          for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, end + 1)) {
            times.push(performance.now() - start)
            if (times.length === CALLS) {
              const seconds = (performance.now() - begin) / 1000
              resolve(depth === 1 ? median(times) * 1000 : CALLS / seconds)
            } else if (sent < CALLS) send()
          }
        })
        for (let n = 0; n < depth; n++) send()
      })
  }
}

/** A thousand clients at once, each with some calls one after the other. */
async function crowd(path: string, question: Buffer): Promise<Calls['clients']> {
  let answered = 0
  let errors = 0
  const client = () =>
    new Promise<void>(resolve => {
      let left = CALLS_EACH
      let text = ''
      const socket = connect(path, () => socket.write(question))
      socket.setEncoding('utf8')
      socket.on('data', (chunk: unknown) => {
        text += chunk as string
        if (!text.endsWith('\0')) return
        if (text.includes('"error"')) errors++
        else answered++
        text = ''
        if (--left > 0) socket.write(question)
        else socket.end()
      })
      socket.on('error', () => errors++)
      socket.on('close', () => resolve())
    })
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return { clients: CLIENTS, answered, errors }
}
