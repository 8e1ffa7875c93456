import t from 'tap'
import { type Condition, notesOn } from '../../src/daemon/notes.ts'
import type { Snapshot } from '../../src/net/interfaces.ts'

const snapshot = { interfaces: [{ name: 'eth0' }] } as unknown as Snapshot
const planned = (address: string) => ({ interface: 'eth0', index: 2, address, policy: 'announce' as const })
const well: Condition = {
  dbus: 'owned',
  only: [],
  runtimeDirectory: true,
  socket: '/run/s',
  logind: { present: true, inhibition: 'held', why: '' },
  trouble: ['', ''],
  snapshot,
  planned: [planned('192.0.2.1'), planned('2001:db8::1')],
  listeners: [],
  discovery: { eth0: { mdns: 'ok', ssdp: 'ok' } }
}
const table: [string, Partial<Condition>, RegExp[]][] = [
  ['all is well', {}, []],
  ['no logind', { logind: { present: false, inhibition: 'none', why: '' } }, []],
  [
    'a logind that refuses',
    { logind: { present: true, inhibition: 'refused', why: 'Access denied' } },
    [/logind lets nothing delay its sleep/]
  ],
  ['no bus', { dbus: 'absent' }, [/no session bus/]],
  ['its name taken', { dbus: 'taken' }, [/another program owns org\.coterie\.Coterie1/]],
  [
    'no runtime directory',
    { runtimeDirectory: false },
    [/XDG_RUNTIME_DIR is not set: the socket is \/run\/s/]
  ],
  ['a restriction to what is not there', { only: ['eth0', 'wlan9'] }, [/^there is no interface wlan9$/]],
  ['no interface', { planned: [] }, [/no network interface is in use/]],
  ['no IPv6', { planned: [planned('192.0.2.1')] }, [/IPv6 is off/]],
  ['the network is not known yet', { snapshot: undefined, planned: [], only: ['wlan9'] }, []],
  ['a listener', { listeners: ['port taken'] }, [/^port taken$/]],
  [
    'mDNS',
    { discovery: { eth0: { mdns: 'no multicast', ssdp: 'ok' } } },
    [/mDNS does not work on eth0: no multicast/]
  ],
  ['SSDP', { discovery: { eth0: { mdns: 'ok', ssdp: 'blocked' } } }, [/SSDP does not work on eth0: blocked/]],
  ['trouble', { trouble: ['', 'the disk is full'] }, [/^the disk is full$/]]
]

for (const [what, change, expected] of table)
  t.test(what, async t => {
    const notes = notesOn({ ...well, ...change })
    t.equal(notes.length, expected.length, notes.join())
    for (const [i, pattern] of expected.entries()) t.match(notes[i], pattern)
  })
