/** What passed a cable, by tcpdump. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { PATIENCE_MS, within } from './deadline.ts'
import { inner, type Space } from './space.ts'

export interface Packet {
  readonly from: string
  readonly to: string
  readonly protocol: 'tcp' | 'udp'
  /** Bytes of payload. */
  readonly length: number
}

export class Capture {
  readonly #space: Space
  readonly #file: string
  readonly #child: ChildProcess

  private constructor(space: Space, file: string, child: ChildProcess) {
    this.#space = space
    this.#file = file
    this.#child = child
  }

  static async start(space: Space, port: string, file: string): Promise<Capture> {
    const command = ['tcpdump', '-i', port, '-U', '--immediate-mode', '-n', '-Z', 'root', '-w', file]
    const child = space.spawn(command, { stdio: ['ignore', 'ignore', 'pipe'] })
    const listening = new Promise<void>((resolve, reject) => {
      let said = ''
      child.stderr!.setEncoding('utf8').on('data', text => {
        said += text
        if (said.includes('listening on')) resolve()
      })
      child.once('exit', () => reject(new Error(`tcpdump: ${said}`)))
    })
    await within(PATIENCE_MS, `tcpdump listens on ${port}`, listening)
    return new Capture(space, file, child)
  }

  /** Ends it; then it can be read. */
  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    const pid = inner(this.#child)
    if (pid) process.kill(pid, 'SIGINT')
    await within(PATIENCE_MS, 'tcpdump ends', ended)
  }

  /** TCP and UDP packets that match a tcpdump filter. */
  async packets(filter = ''): Promise<Packet[]> {
    const words = filter ? filter.split(' ') : []
    const text = await this.#space.run(['tcpdump', '-r', this.#file, '-n', '-q', '-t', ...words])
    return text.split('\n').flatMap(line => {
      const m = /^IP6? (\S+) > (\S+): (tcp|UDP, length) (\d+)/.exec(line)
      if (!m) return []
      return [{ from: m[1]!, to: m[2]!, protocol: m[3] === 'tcp' ? 'tcp' : 'udp', length: Number(m[4]) }]
    })
  }

  /** All of it, for looking for what must not be there. */
  bytes(): Buffer {
    return readFileSync(this.#file)
  }
}
