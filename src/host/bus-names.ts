/** Who has a name on a bus. Nothing is started for it, and no answer is as good as nobody. */
import { type Bus, plain } from './bus.ts'

const driver = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus'
}
const TIMEOUT_MS = 2_000

export async function hasOwner(bus: Bus, name: string): Promise<boolean> {
  return (await ask(bus, 'NameHasOwner', name)) === true
}

/** The process that owns the name; 0 when it cannot be found out. */
export async function ownerPid(bus: Bus, name: string): Promise<number> {
  const pid = await ask(bus, 'GetConnectionUnixProcessID', name)
  return typeof pid === 'number' ? pid : 0
}

async function ask(bus: Bus, member: string, name: string): Promise<unknown> {
  try {
    const [answer] = await bus.call({
      ...driver,
      member,
      signature: 's',
      body: [name],
      timeoutMs: TIMEOUT_MS
    })
    return plain(answer)
  } catch {
    return undefined
  }
}
