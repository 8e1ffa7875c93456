/**
 * What tailscaled knows of this person's other computers: GET /localapi/v0/status on its UNIX socket, which any user
 * may read. (ipnstate.Status of tailscale 1.x.)
 */
import { request } from 'node:http'
import { isObject, objectOf, textOf } from './objects.ts'

export const SOCKET = '/run/tailscale/tailscaled.sock'
const HOST = 'local-tailscaled.sock'
const ANSWER_MS = 2_000
const ANSWER_LIMIT = 4 * 1024 * 1024

/** A computer on an overlay network. */
export interface OverlayDevice {
  /** Host name, '' when nobody says. */
  readonly name: string
  /** Bare IP addresses. */
  readonly addresses: readonly string[]
}

/**
 * Those of the same user only, as far as they are online: others may be anybody's, and get no packet of ours. [] where
 * there is no tailscaled, or it is not connected.
 */
export async function tailscaleDevices(socketPath = SOCKET): Promise<OverlayDevice[]> {
  try {
    return devicesOf(JSON.parse(await get(socketPath)))
  } catch {
    return []
  }
}

export function devicesOf(status: unknown): OverlayDevice[] {
  const { BackendState, Self, Peer } = objectOf(status)
  const user = objectOf(Self)['UserID']
  if (BackendState !== 'Running' || typeof user !== 'number') return []
  return Object.values(objectOf(Peer)).flatMap(peer => {
    if (!isObject(peer) || peer['UserID'] !== user || peer['Online'] !== true) return []
    const { HostName, TailscaleIPs } = peer
    const addresses = Array.isArray(TailscaleIPs) ? TailscaleIPs.filter(ip => typeof ip === 'string') : []
    return addresses.length === 0 ? [] : [{ name: textOf(HostName), addresses }]
  })
}

function get(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({
      socketPath,
      path: '/localapi/v0/status',
      headers: { Host: HOST },
      signal: AbortSignal.timeout(ANSWER_MS)
    })
    asked.on('error', reject)
    asked.on('response', answer => {
      const parts: Buffer[] = []
      let length = 0
      answer.on('error', reject)
      answer.on('data', (part: Buffer) => {
        length += part.length
        if (length <= ANSWER_LIMIT) parts.push(part)
        else asked.destroy(new Error('too long'))
      })
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(parts).toString('utf8'))
        else reject(new Error(`status ${answer.statusCode}`))
      })
    })
    asked.end()
  })
}
