/** Programs of the system that speak mDNS beside us, and so have port 5353 too. */
import { type Bus, plain } from './bus.ts'
import { hasOwner } from './bus-names.ts'

const RESOLVE = 'org.freedesktop.resolve1'
const TIMEOUT_MS = 2_000

export async function mdnsResponders(systemBus: Bus): Promise<string[]> {
  const [avahi, resolved] = await Promise.all([
    hasOwner(systemBus, 'org.freedesktop.Avahi'),
    resolvedSpeaks(systemBus)
  ])
  return [...(avahi ? ['avahi-daemon'] : []), ...(resolved ? ['systemd-resolved'] : [])]
}

/** MulticastDNS= of resolved.conf(5): it opens the port for `yes` and `resolve`. */
async function resolvedSpeaks(systemBus: Bus): Promise<boolean> {
  try {
    const [answer] = await systemBus.call({
      destination: RESOLVE,
      path: '/org/freedesktop/resolve1',
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [`${RESOLVE}.Manager`, 'MulticastDNS'],
      timeoutMs: TIMEOUT_MS,
      autoStart: false
    })
    return ['yes', 'resolve'].includes(String(plain(answer)))
  } catch {
    return false
  }
}
