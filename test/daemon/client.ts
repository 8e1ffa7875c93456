/** A plain client of the UNIX socket, for tests: sends text, gives the answers one by one. */
import type { Socket } from 'node:net'
import { connect } from 'node:net'

export class PlainClient {
  readonly socket: Socket
  /** Resolves when the daemon has closed the connection, or cut it. */
  readonly closed: Promise<void>
  #text = ''
  #answers: string[] = []
  #waiting: ((answer: string | undefined) => void)[] = []
  #ended = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', text => this.#receive(text as unknown as string))
    this.closed = new Promise(resolve => {
      const end = () => {
        this.#ended = true
        for (const wake of this.#waiting.splice(0)) wake(undefined)
        resolve()
      }
      socket.on('end', end)
      socket.on('close', end)
    })
  }

  static open(path: string): Promise<PlainClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path, allowHalfOpen: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new PlainClient(socket))
      })
    })
  }

  /** The next answer with its end; undefined when the connection is closed. */
  next(): Promise<string | undefined> {
    const ready = this.#answers.shift()
    if (ready !== undefined || this.#ended) return Promise.resolve(ready)
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Sends `text` and parses the next answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all shapes
  async ask(text: string): Promise<any> {
    this.socket.write(text)
    const answer = await this.next()
    return answer === undefined ? undefined : JSON.parse(answer.slice(0, -1))
  }

  #receive(text: string): void {
    this.#text += text
    for (;;) {
      const end = this.#text.search(/[\0\n]/)
      if (end < 0) return
      const answer = this.#text.slice(0, end + 1)
      this.#text = this.#text.slice(end + 1)
      const wake = this.#waiting.shift()
      if (wake) wake(answer)
      else this.#answers.push(answer)
    }
  }
}
