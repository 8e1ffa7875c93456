/** What the doctor finds on a computer that is well. */
import type { Facts } from '../../src/daemon/doctor.ts'
import type { NetworkFacts } from '../../src/daemon/network/network-facts.ts'
import type { Hearing } from '../../src/net/discovery.ts'
import type { Interface } from '../../src/net/interfaces.ts'

export const directory = { path: '/s', kind: 'directory', mode: 0o700, uid: 1000 } as const
export const socket = { path: '/r/coterie.sock', kind: 'socket', mode: 0o600, uid: 1000 } as const

export const card = (name: string, change: Partial<Interface> = {}): Interface => ({
  name,
  index: 2,
  kind: 'ethernet',
  addresses: [{ address: '192.0.2.1', prefix: 24 }],
  up: true,
  multicast: true,
  managed: true,
  connection: '',
  zone: '',
  metered: false,
  open: false,
  unknown: false,
  mac: '02:00:00:00:00:01',
  ...change
})

export const hearing = (change: Partial<Hearing> = {}): Hearing => ({
  interface: 'eth0',
  family: 'ipv4',
  via: 'mdns',
  own: 'heard',
  others: true,
  ...change
})

const place = { interface: 'eth0', address: '192.0.2.1', policy: 'announce' } as const

export const network: NetworkFacts = {
  config: { only: [], port: 24747, rules: [] },
  snapshot: { source: 'NetworkManager', interfaces: [card('eth0')], connectivity: 'full', primary: 'eth0' },
  planned: [{ ...place, index: 2 }],
  bound: [{ ...place, port: 24747 }],
  listeners: [],
  discovery: { eth0: { mdns: 'ok', ssdp: 'ok' } },
  hearings: [hearing(), hearing({ via: 'ssdp' })],
  wanted: true,
  firewalld: undefined,
  ufw: undefined,
  systemBus: true,
  networkManager: true,
  networkManagerVersion: '1.42.4',
  responders: []
}

export const well: Facts = {
  uid: 1000,
  keyStore: 'secret-service',
  keyPath: '/s/key',
  away: '',
  lingers: false,
  disk: 'unknown',
  swap: 'none',
  coreDumps: { limit: 0, filter: 0, pattern: 'core' },
  private: [directory],
  socket: [{ ...directory, path: '/r' }, socket],
  supervised: true,
  wall: Date.UTC(2026, 5),
  synchronised: true,
  dbus: 'owned',
  dbusOwner: 0,
  power: { power: { onBattery: false, by: 'UPower' }, battery: true },
  upowerInstalled: true,
  clocks: [],
  apart: new Map(),
  logind: { present: true, inhibition: 'held', why: '' },
  handlers: { units: true, manager: true },
  sandbox: {
    noNewPrivileges: true,
    seccomp: true,
    systemReadOnly: true,
    homeReadOnly: true,
    usersAllowed: true
  },
  unit: { own: '', packaged: '/usr/lib/systemd/user/coterie.service' },
  network
}
