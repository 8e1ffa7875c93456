/**
 * What WireGuard knows of others without being asked as root: who has an address alone (/32 or /128) has a route of
 * its own through the interface, as wg-quick and NetworkManager set them, or stands so in NetworkManager's settings.
 */
import { execFile } from 'node:child_process'
import { type Bus, plain } from './bus.ts'
import { isObject, objectOf, textOf } from './objects.ts'
import type { OverlayDevice } from './tailscale.ts'

const READ_MS = 2_000
const READ_LIMIT = 4 * 1024 * 1024
const NM = 'org.freedesktop.NetworkManager'
/** Connections looked at. */
const AT_MOST = 16

/** [] where there is none. */
export async function wireguardDevices(bus: Pick<Bus, 'call'> | undefined): Promise<OverlayDevice[]> {
  const [routes, settings] = await Promise.all([
    routed().catch(() => []),
    bus === undefined ? [] : configured(bus).catch(() => [])
  ])
  return [...new Set([...routes, ...settings])].map(address => ({ name: '', addresses: [address] }))
}

async function routed(): Promise<string[]> {
  const links = namesOf(await ip('link', 'show', 'type', 'wireguard'))
  const all = await Promise.all(
    links.flatMap(name =>
      ['-4', '-6'].map(family => ip(family, 'route', 'show', 'table', 'all', 'dev', name))
    )
  )
  return all.flatMap(aloneOf)
}

/** Names of the interfaces in the output of `ip -json link`. */
export function namesOf(links: unknown): string[] {
  return listOf(links).flatMap(link => textOf(link['ifname']) || [])
}

/** Destinations in the output of `ip -json route` that are one address. */
export function aloneOf(routes: unknown): string[] {
  return listOf(routes).flatMap(route => {
    const to = textOf(route['dst']).replace(/\/(32|128)$/, '')
    // addresses of our own, multicast and broadcast have a type
    const foreign = route['type'] === undefined || route['type'] === 'unicast'
    return foreign && /^[0-9a-f:.]+$/.test(to) && /[.:]/.test(to) ? [to] : []
  })
}

async function configured(bus: Pick<Bus, 'call'>): Promise<string[]> {
  const get = async (path: string, interfaceName: string, property: string): Promise<unknown> => {
    const body = await bus.call({
      destination: NM,
      path,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [interfaceName, property],
      timeoutMs: READ_MS,
      autoStart: false
    })
    return plain(body[0])
  }
  const active = await get('/org/freedesktop/NetworkManager', NM, 'ActiveConnections')
  const paths = Array.isArray(active) ? active.filter(path => typeof path === 'string').slice(0, AT_MOST) : []
  const found = await Promise.all(
    paths.map(async path => {
      const connection = `${NM}.Connection.Active`
      if ((await get(path, connection, 'Type')) !== 'wireguard') return []
      const settings = textOf(await get(path, connection, 'Connection'))
      const body = await bus.call({
        destination: NM,
        path: settings,
        interface: `${NM}.Settings.Connection`,
        member: 'GetSettings',
        timeoutMs: READ_MS,
        autoStart: false
      })
      return allowedOf(plain(body[0]))
    })
  )
  return found.flat()
}

/** Addresses that are alone among the allowed ones of the peers, in NetworkManager's settings. */
export function allowedOf(settings: unknown): string[] {
  const { peers } = objectOf(objectOf(settings)['wireguard'])
  return listOf(peers).flatMap(peer => {
    const allowed = peer['allowed-ips']
    return (Array.isArray(allowed) ? allowed : []).flatMap(text => {
      const [, to] = /^([0-9a-f.:]+)\/(?:32|128)$/i.exec(textOf(text)) ?? []
      return to === undefined ? [] : [to]
    })
  })
}

const listOf = (value: unknown) => (Array.isArray(value) ? value.filter(isObject) : [])

function ip(...args: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { timeout: READ_MS, maxBuffer: READ_LIMIT }
    execFile('ip', ['-json', ...args], options, (error, stdout) => {
      if (error) reject(error)
      else resolve(stdout.trim() === '' ? [] : JSON.parse(stdout))
    })
  })
}
