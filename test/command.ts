/** Programs of the system that tests run. */

import { execFile, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createInterface } from 'node:readline'
import { PATIENCE_MS } from './lab/deadline.ts'

export interface Outcome {
  code: number
  out: string
  err: string
}

/** Runs it to its end; never rejects. */
export function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise(resolve =>
    execFile(command, args, { env: { ...process.env, ...env }, timeout: PATIENCE_MS }, (error, out, err) => {
      const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0
      resolve({ code, out, err })
    })
  )
}

/** Starts it; its lines can be waited for. Ends with the test. */
export function follow(
  t: { teardown(fn: () => void): void },
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {}
) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  const lines: string[] = []
  /** All lines so far. */
  const all: string[] = []
  let wake = () => {}
  let over = false
  const { promise: ended, resolve } = Promise.withResolvers<number | null>()
  const note = (line: string) => {
    lines.push(line)
    all.push(line)
    wake()
  }
  createInterface({ input: child.stdout }).on('line', note)
  createInterface({ input: child.stderr }).on('line', note)
  child.on('close', code => {
    over = true
    resolve(code)
    wake()
  })
  /** The first line from now on, or of those not asked for yet, that fits. Rejects when the program ends before. */
  const line = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      while (lines.length > 0) {
        const next = lines.shift() as string
        if (pattern.test(next)) return next
      }
      if (over) throw new Error(`${command} ended before it wrote ${pattern}`)
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { line, all, ended }
}

/** Why a test that needs these cannot run; false when it can. */
export function lacking(...commands: string[]): string | false {
  const directories = (process.env['PATH'] ?? '').split(':')
  const there = (command: string) =>
    directories.some(directory => {
      try {
        accessSync(`${directory}/${command}`, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
  const missing = commands.filter(command => !there(command))
  return missing.length > 0 && `not installed: ${missing.join(', ')}`
}
