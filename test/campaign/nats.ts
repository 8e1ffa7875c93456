/**
 * Publishes so many messages to a stream of JetStream, each acknowledged, without waiting for one before the next is
 * sent: `node test/campaign/nats.ts ADDRESS NUMBER BYTES`, in the network of its computer. Prints milliseconds.
 * It is the least of a client: the text protocol of NATS (docs.nats.io, "Client Protocol") and one call of the
 * JetStream API.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const PORT = 4222
const STREAM = 'campaign'
const INBOX = '_INBOX.campaign'

class Publisher {
  readonly #socket: Socket
  readonly #waiting = new Map<string, (text: string) => void>()
  #rest = Buffer.alloc(0)
  #asked = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${INBOX}.* 1\r\n`)
  }

  /** Waits for the server, and makes a stream in files. */
  static async open(address: string): Promise<Publisher> {
    for (const until = performance.now() + 20_000; ; await delay(200))
      try {
        const publisher = new Publisher(await dial(address))
        const config = { name: STREAM, subjects: [`${STREAM}.*`], storage: 'file', num_replicas: 1 }
        const answer = await publisher.ask(`$JS.API.STREAM.CREATE.${STREAM}`, JSON.stringify(config))
        if (JSON.parse(answer).error) throw new Error(`JetStream: ${answer}`)
        return publisher
      } catch (error) {
        if (performance.now() > until) throw error
      }
  }

  /** Resolves with what is answered; of a message to a stream when the server has it. */
  ask(subject: string, payload: string): Promise<string> {
    const inbox = `${INBOX}.${++this.#asked}`
    return new Promise(resolve => {
      this.#waiting.set(inbox, resolve)
      this.#socket.write(`PUB ${subject} ${inbox} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`)
    })
  }

  /** Rejects when the stream has not taken it. */
  async publish(payload: string): Promise<void> {
    const answer = JSON.parse(await this.ask(`${STREAM}.small`, payload))
    if (answer.stream !== STREAM || !(answer.seq > 0)) throw new Error(JSON.stringify(answer))
  }

  close(): void {
    this.#socket.destroy()
  }

  /** MSG subject sid length, then so many bytes; PING wants a PONG; the rest does not matter here. */
  #receive(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk])
    for (let end = bytes.indexOf('\r\n'); end >= 0; end = bytes.indexOf('\r\n')) {
      const words = bytes.subarray(0, end).toString('latin1').split(' ')
      if (words[0] === 'MSG') {
        const after = end + 2 + Number(words.at(-1)) + 2
        if (bytes.length < after) break
        const text = bytes.subarray(end + 2, after - 2).toString('utf8')
        bytes = bytes.subarray(after)
        this.#waiting.get(words[1]!)?.(text)
        this.#waiting.delete(words[1]!)
        continue
      }
      if (words[0] === 'PING') this.#socket.write('PONG\r\n')
      bytes = bytes.subarray(end + 2)
    }
    this.#rest = bytes
  }
}

const dial = (address: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(PORT, address)
    socket.once('connect', () => resolve(socket)).once('error', reject)
  })

const [address = '', number = '0', bytes = '0'] = process.argv.slice(2)
const publisher = await Publisher.open(address)
const payload = 'x'.repeat(Number(bytes))
await publisher.publish(payload)
const began = performance.now()
await Promise.all(Array.from({ length: Number(number) }, () => publisher.publish(payload)))
console.log(performance.now() - began)
publisher.close()
