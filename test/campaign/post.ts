/** Two computers of the lab that send each other messages, and programs that do it without waiting for each answer. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { INTERFACE, type MethodName, type Params, type Result } from '../../src/api/api.ts'
import { bundled } from '../bench/program.ts'
import { Computer } from '../integration/daemon.ts'
import type { Lab } from '../lab/lab.ts'
import type { Plain } from '../lab/plain.ts'
import type { Teardown } from '../namespace.ts'

export const ONLY_CABLE: readonly string[] = ['--only', 'eth0']

/** The daemon as packages have it, made once a lab. */
const made = new Map<Lab, ReturnType<typeof bundled>>()

/**
 * Two on a cable of LAN a each, with a daemon, in one circle; they see each other. `number`: of the first one in the lab.
 * The last of the three is the computer of the second one.
 */
export async function couple(t: Teardown, lab: Lab, number = 10): Promise<[Computer, Computer, Plain]> {
  if (!made.has(lab)) made.set(lab, bundled(join(lab.folder, 'installed')))
  const { launcher } = await made.get(lab)!
  const open = async (n: number): Promise<[Computer, Plain]> => {
    const plain = await lab.plain(n)
    const { name, folder, space } = plain
    // the daemon is killed as a process of its own: it stays in the process namespace outside, with a /proc of that
    const enter = ['nsenter', '--target', String(space.pid), '--net', '--mount', '--uts', '--']
    const own = 'mount -t proc proc /proc; exec "$@"'
    const wrapper = [...enter, 'unshare', '--mount', '--propagation', 'private', 'sh', '-ec', own, 'sh']
    return [new Computer(t, name, { wrapper, place: folder, launcher, env: { ...space.environment } }), plain]
  }
  const [[one], [other, plain]] = await Promise.all([open(number), open(number + 1)])
  await Promise.all([one.start(ONLY_CABLE), other.start(ONLY_CABLE)])
  await acquaint(one, other)
  return [one, other, plain]
}

export async function acquaint(one: Computer, other: Computer): Promise<void> {
  await one.founds()
  await other.joins(await one.ticket())
  await Promise.all([one.sees(other.name), other.sees(one.name)])
}

/** Writes a handler, and waits until the daemon there knows it. `path` is below the folder of handlers. */
export async function handler(on: Computer, path: string, script: string): Promise<void> {
  const file = join(dirname(on.configFile), 'handlers', path)
  mkdirSync(dirname(file), { recursive: true })
  const draft = join(on.directory, 'draft')
  writeFileSync(draft, script)
  chmodSync(draft, 0o700)
  renameSync(draft, file)
  while (!(await on.aside('Handlers')).Handlers.some(({ Path }) => Path === file))
    await new Promise(resolve => setTimeout(resolve, 20))
}

/** A connection to a daemon on which calls do not wait for the answers of those before. */
export class Pipeline {
  readonly #socket: Socket
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = []
  #rest = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', text => this.#receive(text as unknown as string))
    const gone = () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the daemon went away'))
    }
    socket.on('error', gone).on('close', gone)
  }

  static open(path: string): Promise<Pipeline> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('connect', () => resolve(new Pipeline(socket))).once('error', reject)
    })
  }

  /** Rejects when the daemon refuses, or goes away. */
  call<M extends MethodName>(method: M, params: Partial<Params<M>>): Promise<Result<M>> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the daemon went away'))
      this.#waiting.push({ resolve: value => resolve(value as Result<M>), reject })
      this.#socket.write(`${JSON.stringify({ method: `${INTERFACE}.${method}`, parameters: params })}\0`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(text: string): void {
    const parts = (this.#rest + text).split('\0')
    this.#rest = parts.pop()!
    for (const part of parts) {
      const { parameters, error } = JSON.parse(part)
      const asked = this.#waiting.shift()
      if (error === undefined) asked?.resolve(parameters)
      else asked?.reject(new Error(`${error}: ${parameters?.Message}`))
    }
  }
}
