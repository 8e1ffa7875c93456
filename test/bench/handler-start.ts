/**
 * How long from asking for a handler to its first step: as a unit of the user's systemd, as a plain process, and as a
 * child of ours with nothing around it. `node test/bench/handler-start.ts [ROUNDS]`, as a user with a session bus for
 * the first of them. The handler says by bash's clock when it began.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bus } from '../../src/host/bus.ts'
import { Processes } from '../../src/host/handler-process.ts'
import type { HandlerRun, Runner } from '../../src/host/handler-run.ts'
import { Units } from '../../src/host/handler-units.ts'
import { UserSystemd } from '../../src/host/user-systemd.ts'

const rounds = Number(process.argv[2] ?? 100)
const directory = mkdtempSync(join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), 'hs-'))
const runs = join(directory, 'runs')
const file = join(directory, 'handler')
mkdirSync(runs)
writeFileSync(file, '#!/bin/bash\necho $EPOCHREALTIME\n')
chmodSync(file, 0o700)

let count = 0
const run = (): HandlerRun => ({
  name: `coterie-handler-bench-${process.pid}-${++count}`,
  file,
  directory,
  environment: { PATH: '/usr/bin:/bin' },
  body: new Uint8Array(8),
  timeoutMs: 10_000,
  memory: 256,
  tasks: 64,
  output: true
})
const ended = async (runner: Runner): Promise<string> => {
  const running = await runner.start(run())
  const { output } = await running.ended
  void running.release()
  return Buffer.from(output).toString()
}
const bare = async (): Promise<string> => {
  const child = spawn(file, [], { stdio: ['ignore', 'pipe', 'ignore'], env: {} })
  const [text] = await once(child.stdout, 'data')
  return `${text}`
}

const bus = new Bus({ kind: 'session', log: () => {} })
const manager = new UserSystemd(bus)
manager.follow()
bus.start()
await manager.known
const processes = new Processes(runs)
const ways: [string, () => Promise<string>][] = [
  ['child', bare],
  ['process', () => ended(processes)]
]
if (manager.present) ways.push(['unit', () => ended(new Units(manager, runs, () => {}))])

const figures = new Map(ways.map(([name]) => [name, [] as number[]]))
for (let i = 0; i < rounds; i++)
  for (const [name, way] of ways) {
    const from = performance.timeOrigin + performance.now()
    const began = Number(await way()) * 1000
    if (i > 0) figures.get(name)!.push(began - from)
  }
for (const [name, values] of figures) {
  values.sort((a, b) => a - b)
  const at = (share: number) =>
    values[Math.min(values.length - 1, Math.floor(values.length * share))]!.toFixed(2)
  console.log(`${name.padEnd(8)} p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   least ${at(0)} ms`)
}
rmSync(directory, { recursive: true, force: true })
process.exit(0)
