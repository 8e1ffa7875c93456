/** Whether the clock of this computer is kept right by somebody, as the kernel sees it (adjtimex). */
import { type Bus, plain } from './bus.ts'

const TIMEDATE = 'org.freedesktop.timedate1'
const TIMEOUT_MS = 3_000

/** systemd-timedated, started by the bus if need be, answers for whichever program does it. False: not known. */
export async function clockSynchronised(systemBus: Bus): Promise<boolean> {
  try {
    const [answer] = await systemBus.call({
      destination: TIMEDATE,
      path: '/org/freedesktop/timedate1',
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [TIMEDATE, 'NTPSynchronized'],
      timeoutMs: TIMEOUT_MS
    })
    return plain(answer) === true
  } catch {
    return false
  }
}
