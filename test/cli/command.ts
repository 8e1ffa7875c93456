/** Runs the command line as a user does, against the fake implementation on a real socket. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import type { Facts } from '../implementation.ts'
import { fakeFacts, fakeImplementation } from '../implementation.ts'

export const bin = join(import.meta.dirname, '../../bin')

export interface Ended {
  code: number
  out: string
  err: string
}
export interface Options {
  stdin?: string
  env?: { [name: string]: string }
  /** On a terminal of its own; then `out` has stderr too, and lines end in LF. */
  terminal?: boolean
}

export interface Desk {
  facts: Facts
  /** A short directory that is gone after the test. */
  directory: string
  environment: { [name: string]: string }
  /** `words` are split at spaces. */
  coterie(words: string | string[], options?: Options): Promise<Ended>
}

/** A user's session with XDG directories of its own; the daemon runs unless `daemon` is false. */
export async function desk(t: Test, { daemon = true, facts = fakeFacts() } = {}): Promise<Desk> {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    XDG_RUNTIME_DIR: directory,
    XDG_CACHE_HOME: join(tmpdir(), 'coterie-test-cache'),
    LANG: 'C.UTF-8',
    TERM: 'xterm'
  }
  if (daemon) {
    const surface = new SocketSurface({ implementation: fakeImplementation(facts), log: () => {} })
    await surface.listen({ path: join(directory, 'coterie', 'coterie.sock') })
    t.teardown(() => surface.stop())
  }
  const coterie: Desk['coterie'] = (words, options = {}) => {
    const list = typeof words === 'string' ? words.split(' ').filter(Boolean) : words
    return run(join(bin, 'coterie'), list, { ...options, env: { ...environment, ...options.env } })
  }
  return { facts, directory, environment, coterie }
}

export function run(
  program: string,
  words: string[],
  { stdin = '', env = {}, terminal }: Options
): Promise<Ended> {
  const quoted = [program, ...words].map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const child = terminal
    ? spawn('script', ['-qec', `stty cols 100 -echo; ${quoted}`, '/dev/null'], { env })
    : spawn(program, words, { env })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', text => (out += text))
  child.stderr.setEncoding('utf8').on('data', text => (err += text))
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  return new Promise(resolve => {
    child.on('close', code => resolve({ code: code ?? -1, out: out.replaceAll('\r\n', '\n'), err }))
  })
}

/**
 * Runs it on a terminal that echoes, as a person does: each text is typed when its pattern has appeared behind
 * the one before. `out` has no colours.
 */
export async function typed(
  words: string,
  environment: { [name: string]: string },
  lines: readonly [RegExp, string | (() => unknown)][],
  onText: (text: string) => unknown = () => {}
): Promise<{ code: number; out: string }> {
  const child = spawn(
    'script',
    ['-qec', `stty cols 100; exec ${join(bin, 'coterie')} ${words}`, '/dev/null'],
    {
      env: environment
    }
  )
  let out = ''
  let from = 0
  let next = 0
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
    onText(text)
    for (let line = lines[next]; line?.[0].test(bare(out.slice(from))); line = lines[next]) {
      from = out.length
      next++
      if (typeof line[1] === 'string') child.stdin.write(line[1])
      else line[1]()
    }
  })
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code: code ?? -1, out: bare(out).replaceAll('\r\n', '\n') }
}

/** What is left when the colours are taken away. */
export const bare = (text: string): string => text.replace(/\x1b\[[\d;]*[mK]/g, '')
