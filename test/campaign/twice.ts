/** Starts a unit, and once more under the same name, as a daemon would that knows nothing of the first. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Bus } from '../../src/host/bus.ts'
import { Units } from '../../src/host/handler-units.ts'
import { UserSystemd } from '../../src/host/user-systemd.ts'

const directory = mkdtempSync(join(process.env['XDG_RUNTIME_DIR'] ?? '/tmp', 'twice-'))
const file = join(directory, 'handler')
writeFileSync(file, `#!/bin/sh\ncat >> ${directory}/ran; sleep 0.5; exit 6\n`)
chmodSync(file, 0o700)
const bus = new Bus({ kind: 'session', log: () => {} })
const systemd = new UserSystemd(bus)
systemd.follow()
bus.start()
await systemd.known
const start = (place: string) => {
  const runs = join(directory, place)
  mkdirSync(runs)
  return new Units(systemd, runs, () => {}).start({
    name: `coterie-handler-twice-${process.pid}`,
    file,
    directory,
    environment: { PATH: '/usr/bin:/bin' },
    body: new TextEncoder().encode(place),
    timeoutMs: 10_000,
    memory: 64,
    tasks: 8,
    output: false
  })
}
const [first, second] = [await start('first'), await start('second')]
for (const end of await Promise.all([first.ended, second.ended]))
  console.log(end.type, end.type === 'exit' ? end.code : '')
console.log(readFileSync(join(directory, 'ran'), 'utf8').trim())
await Promise.all([first.release(), second.release()])
rmSync(directory, { recursive: true })
process.exit(0)
