/** An implementation of the API and a few objects, for tests of the surfaces. */

import { ApiError, type Implementation, methods, type Properties } from '../../src/api/api.ts'
import type { Publisher } from '../../src/daemon/surfaces/publisher.ts'

export const CIRCLE = 'aaaabbbbccccddddeeeeffffgggghhhhiiiijjjjkkkkllllmmmm'

export const daemon: Properties<'Daemon'> = {
  Version: '0.1.0',
  Id: 'co1self',
  Name: 'desk',
  State: 'ready',
  Circle: CIRCLE,
  NetworkSource: 'poll',
  DBus: 'absent',
  Notes: []
}
export const peer = (id: string, changes: Partial<Properties<'Peer'>> = {}): Properties<'Peer'> => ({
  Id: id,
  Name: `laptop ${id}`,
  Circle: CIRCLE,
  State: 'reachable',
  Reason: '',
  Reachable: true,
  Addresses: ['tcp://192.168.1.5:24747', 'tcp://[fe80::1%25eth0]:24747'],
  LatencyUSec: 1234,
  Path: 'direct',
  LastSeenUSec: 0,
  AsleepSinceUSec: 0,
  Evidence: 'direct',
  EvidenceBy: '',
  EvidenceUSec: 0,
  ...changes
})
export const peerPath = (id: string) => `/circle/${CIRCLE}/peer/${id}`

export function publishExample(publisher: Publisher): void {
  publisher.set('Daemon', '', daemon)
  publisher.set('Circle', `/circle/${CIRCLE}`, { Id: CIRCLE, Name: 'home', Level: 1, Members: 2 })
  publisher.set('Peer', peerPath('co1lap'), peer('co1lap'))
  publisher.set('Listener', '/listener/1', {
    Interface: 'lo',
    Address: '127.0.0.1',
    Port: 24747,
    Policy: 'announce'
  })
}

/** Every method not given refuses with NoCircle. */
export function implement(given: Partial<Implementation>): Implementation {
  const refuse = async () => {
    throw new ApiError('NoCircle', 'this device is in no circle yet; run coterie init')
  }
  return {
    ...Object.fromEntries(Object.keys(methods).map(name => [name, refuse])),
    ...given
  } as Implementation
}
