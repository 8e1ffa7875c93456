/** A socket like systemd's NOTIFY_SOCKET; Node itself cannot read datagrams from UNIX sockets. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('"bound"', flush=True)
while True:
    data, files, *_ = socket.recv_fds(s, 4096, 1)
    for f in files: socket.close(f)
    print(json.dumps(data.decode()), flush=True)
`

export class NotifySocket {
  readonly path: string
  readonly #messages: AsyncIterator<string>
  readonly #stop: () => void

  private constructor(path: string, messages: AsyncIterator<string>, stop: () => void) {
    this.path = path
    this.#messages = messages
    this.#stop = stop
  }

  static async open(): Promise<NotifySocket> {
    const folder = mkdtempSync(join(tmpdir(), 'notify-'))
    const path = join(folder, 'socket')
    const child = spawn('python3', ['-c', receiver, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const socket = new NotifySocket(path, lines, () => {
      child.kill()
      rmSync(folder, { recursive: true })
    })
    await Promise.race([
      socket.next(),
      once(child, 'exit').then(() => Promise.reject(new Error('no python3')))
    ])
    return socket
  }

  /** The next datagram, or a failure when the receiver ends. A sender's barrier (an empty or BARRIER one) is not one. */
  async next(): Promise<string> {
    for (;;) {
      const { value, done } = await this.#messages.next()
      if (done) throw new Error('the receiver ended')
      const text = JSON.parse(value) as string
      if (text !== '' && text !== 'BARRIER=1') return text
    }
  }

  close(): void {
    this.#stop()
  }
}
