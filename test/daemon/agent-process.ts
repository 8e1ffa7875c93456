/** A prompt agent in a process of its own (test/prompt-agent.ts). */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { Inbox } from './surface.ts'

const program = join(import.meta.dirname, '../prompt-agent.ts')

export class AgentProcess {
  /** Calls it got, in order. */
  readonly calls = new Inbox<{ member: string; body: unknown[] }>()
  /** Its unique name, when it has registered. */
  name = ''
  readonly #child: ChildProcessByStdio<Writable, Readable, null>

  private constructor(address: string, wishes: string[]) {
    this.#child = spawn(process.execPath, [program, address, ...wishes], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    createInterface(this.#child.stdout).on('line', line => this.calls.put(JSON.parse(line)))
  }

  /** Registered; ends with the test. */
  static async up(
    t: { teardown(fn: () => void): void },
    address: string,
    ...wishes: 'default'[]
  ): Promise<AgentProcess> {
    const agent = new AgentProcess(address, wishes)
    t.teardown(() => agent.kill())
    const ready = await agent.calls.until(({ member }) => member === 'ready')
    agent.name = String(ready.body[0])
    return agent
  }

  /** To the question it was asked. */
  answer(answer: 'yes' | 'no'): void {
    this.#child.stdin.write(`${answer}\n`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
