/** Where a secret could have left a trace, and how to look for it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toBase32 } from '../../src/wire/base32.ts'
import type { Teardown } from '../namespace.ts'

/** A secret in every form in which a program might write it; to be searched for in latin1. */
export function formsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret)
  return [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    toBase32(secret).slice(0, 20),
    bytes.toString('base64').slice(0, 18),
    bytes.toString('base64url').slice(0, 18),
    [...secret].slice(0, 8).join(','),
    [...secret].slice(0, 8).join(', '),
    bytes.toString('latin1')
  ]
}

/** Plain files below a directory, by path, in latin1. */
export function filesBelow(directory: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    if (lstatSync(path).isFile()) found.set(path, readFileSync(path, 'latin1'))
  }
  return found
}

/** Arguments and environment of every process there is. */
export function processes(): string {
  const texts: string[] = []
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    for (const file of ['cmdline', 'environ'])
      try {
        texts.push(readFileSync(`/proc/${pid}/${file}`, 'latin1'))
      } catch {
        // gone in between
      }
  return texts.join('\n')
}

/** Every message on a bus, as its bytes. */
export class Eavesdropper {
  readonly #child: ChildProcess
  readonly #chunks: Buffer[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Resolves when it listens. */
  static async on(t: Teardown, address: string): Promise<Eavesdropper> {
    const child = spawn('dbus-monitor', ['--address', address, '--binary'], {
      stdio: ['ignore', 'pipe', 'ignore']
    })
    t.teardown(() => child.kill('SIGKILL'))
    const monitor = new Eavesdropper(child)
    child.stdout!.on('data', chunk => monitor.#chunks.push(chunk))
    await new Promise((resolve, reject) => {
      child.stdout!.once('data', resolve)
      child.once('exit', code => reject(new Error(`dbus-monitor ended with ${code}`)))
    })
    return monitor
  }

  /** All so far, in latin1, once nothing more can come. */
  async end(): Promise<string> {
    const gone = new Promise(resolve => this.#child.once('close', resolve))
    this.#child.kill('SIGTERM')
    await gone
    return Buffer.concat(this.#chunks).toString('latin1')
  }
}
