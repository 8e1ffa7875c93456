/** Two daemons that send each other messages, and their handlers. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Result } from '../../src/api/api.ts'
import { Computer } from './daemon.ts'

export type Message = Result<'WaitMessage'>['Message']
type Teardown = { teardown(fn: () => unknown): void }

/** Writes a handler, and waits until the daemon knows it. */
export async function handler(on: Computer, path: string, script: string, mode = 0o700): Promise<string> {
  const file = join(dirname(on.configFile), 'handlers', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, mode)
  while (!(await on.aside('Handlers')).Handlers.some(({ Path }) => Path === file)) await on.logs(/./)
  return file
}

export async function sends(
  from: Computer,
  to: string,
  tag: string,
  body = '',
  ask = false
): Promise<Message> {
  const { Messages } = await from.aside('Send', { Peers: [to], Tag: tag, Body: body, Ask: ask })
  const { Message } = await from.aside('WaitMessage', { Id: Messages[0]!.Id, TimeoutUSec: 20e6 })
  return Message
}

export async function pair(t: Teardown): Promise<[Computer, Computer]> {
  const [anna, ben] = await Promise.all([new Computer(t, 'anna'), new Computer(t, 'ben')])
  ben.configure('[handlers]\ntimeout = 1\n')
  await Promise.all([anna.start(), ben.start()])
  await anna.founds()
  await ben.joins(await anna.ticket())
  await Promise.all([anna.sees('ben'), ben.sees('anna')])
  return [anna, ben]
}
