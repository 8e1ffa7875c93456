/** Two computers that send each other messages: handlers as files, messages to their end. */
import { chmodSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Result } from '../../src/api/api.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { Computer } from './daemon.ts'

export type Message = Result<'WaitMessage'>['Message']
type Teardown = { teardown(fn: () => unknown): void }

export const handlersOf = (on: Computer): string => join(dirname(on.configFile), 'handlers')

/** Writes a handler; the daemon need not run. */
export function place(on: Computer, path: string, script: string, mode = 0o700): string {
  const file = join(handlersOf(on), path)
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
  writeFileSync(file, script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`)
  chmodSync(file, mode)
  return file
}

/** Writes one, and waits until the daemon knows it. */
export async function handler(on: Computer, path: string, script: string, mode = 0o700): Promise<string> {
  const file = place(on, path, script, mode)
  while (!(await on.aside('Handlers')).Handlers.some(({ Path }) => Path === file)) await on.logs(/./)
  return file
}

/** Writes handlers, and has the daemon look at them. */
export async function handlers(
  on: Computer,
  scripts: { readonly [path: string]: string | readonly [script: string, mode: number] }
): Promise<void> {
  for (const [path, script] of Object.entries(scripts))
    if (typeof script === 'string') place(on, path, script)
    else place(on, path, ...script)
  await on.aside('Reload')
}

/** Sends it and waits for its end. */
export async function sends(
  from: Computer,
  to: string,
  tag: string,
  body = '',
  ask = false
): Promise<Message> {
  const { Messages } = await from.aside('Send', { Peers: [to], Tag: tag, Body: body, Ask: ask })
  return ends(from, Messages[0]!.Id)
}

export async function ends(from: Computer, id: string): Promise<Message> {
  return (await from.aside('WaitMessage', { Id: id, TimeoutUSec: 20e6 })).Message
}

/** Anna's circle, and Ben in it; both see each other. */
export async function correspondents(
  t: Teardown,
  { anna = new Computer(t, 'anna'), ben = new Computer(t, 'ben'), toml = '' } = {}
): Promise<[Computer, Computer]> {
  if (toml !== '') ben.configure(toml)
  await Promise.all([anna.start(), ben.start()])
  await anna.founds()
  await ben.joins(await anna.ticket())
  await Promise.all([anna.sees(ben.name), ben.sees(anna.name)])
  return [anna, ben]
}

/** The lines of a file, once they hold. */
export async function lines(file: string, holds: (lines: readonly string[]) => boolean): Promise<string[]> {
  const read = () => {
    try {
      return readFileSync(file, 'utf8').split('\n').slice(0, -1)
    } catch {
      return []
    }
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = () => holds(read()) && resolve()
  const watcher = watch(dirname(file), look)
  look()
  try {
    await within(PATIENCE_MS, `lines in ${file}`, promise, () => read().join('\n'))
  } finally {
    watcher.close()
  }
  return read()
}
