import t from 'tap'
import { examine, type Facts } from '../../src/daemon/doctor.ts'
import { directory, socket, well } from './well.ts'

const check = (name: string, change: Partial<Facts>) => {
  const found = examine({ ...well, ...change }).find(({ Name }) => Name === name)
  if (found === undefined) throw new Error(`no check ${name}`)
  return found
}

t.test('all is well', async t => {
  for (const { Name, State, Text, Mend } of examine(well)) {
    t.equal(State, 'ok', Name)
    t.match(Text, /^[A-Z].*\.$/)
    t.equal(Mend, '')
  }
})

t.test('what is not, is said with what would mend it', async t => {
  const file = { path: '/s/key', kind: 'file', mode: 0o600, uid: 1000 } as const
  const dumps = (limit: number | undefined, filter: number | undefined, pattern: string) => ({
    coreDumps: { limit, filter, pattern }
  })
  const walls = {
    noNewPrivileges: true,
    seccomp: true,
    systemReadOnly: false,
    homeReadOnly: false,
    usersAllowed: true
  }
  const open = { ...walls, noNewPrivileges: false, seccomp: false }
  const table: [string, Partial<Facts>, string, RegExp][] = [
    [
      'key-store',
      { away: 'the keyring is locked: unlock it' },
      'failed',
      /^the keyring is locked → unlock it$/
    ],
    ['key-store', { keyStore: undefined }, 'ok', /no key yet/],
    ['key-store', { keyStore: 'credential' }, 'ok', /TPM/],
    ['key-store', { keyStore: 'file', disk: 'encrypted' }, 'ok', /on a disk that is encrypted/],
    [
      'key-store',
      { keyStore: 'file', disk: 'plain' },
      'warning',
      /nothing against theft.*is not enc.*→ encrypt/
    ],
    [
      'key-store',
      { keyStore: 'file', disk: 'unknown' },
      'warning',
      /nothing against theft.*is not known to be/
    ],
    [
      'files',
      { private: [directory, { ...file, mode: 0o644 }] },
      'failed',
      /\/s\/key.*644.*chmod 600 \/s\/key/
    ],
    ['files', { private: [{ ...directory, mode: 0o750 }] }, 'failed', /750.*chmod 700/],
    ['files', { private: [{ ...file, uid: 0 }] }, 'failed', /another user \(uid 0\).*chown/],
    ['files', { private: [{ ...file, kind: 'link' }] }, 'failed', /not what it should be/],
    ['socket', { socket: [{ ...directory, mode: 0o777 }, socket] }, 'failed', /777/],
    ['socket', { socket: [directory] }, 'failed', /socket is gone.*restart/],
    ['core-dumps', dumps(0, 0x33, 'core'), 'ok', /no dump of its memory/],
    ['core-dumps', dumps(Number.POSITIVE_INFINITY, 0, 'core'), 'ok', /none of its memory/],
    ['core-dumps', dumps(0, 0x33, '|/usr/lib/systemd/systemd-coredump %P'), 'ok', /no dump/],
    ['core-dumps', dumps(0, 0x33, '|/usr/share/apport/apport -p%p'), 'warning', /apport gets a dump/],
    ['core-dumps', dumps(1e9, 0x33, 'core'), 'warning', /keys included.*LimitCORE=0/],
    ['core-dumps', { ...dumps(undefined, undefined, ''), supervised: false }, 'warning', /ulimit -c 0/],
    ['swap', { swap: 'encrypted' }, 'ok', /encrypted/],
    ['swap', { swap: 'plain' }, 'warning', /that is not encrypted.*zram/],
    ['swap', { swap: 'unknown' }, 'warning', /not known to be/],
    ['linger', { lingers: true }, 'warning', /waits, locked/],
    ['linger', { lingers: true, keyStore: 'file' }, 'ok', /starts with the computer/],
    ['clock', { wall: 0 }, 'failed', /says 1970-01-01, which.*→ sudo timedatectl set-ntp true$/],
    ['clock', { wall: Date.UTC(2107, 0) }, 'failed', /says 2107-01-01/],
    ['clock', { synchronised: false }, 'warning', /nobody is known.*→ sudo timedatectl/],
    ['sleep', { logind: { present: false, inhibition: 'none', why: '' } }, 'warning', /no logind.*→ sudo/],
    [
      'sleep',
      {
        logind: { present: false, inhibition: 'none', why: '' },
        power: { power: { onBattery: false, by: '' }, battery: false }
      },
      'ok',
      /without a battery/
    ],
    ['power', { power: { power: { onBattery: false, by: '' }, battery: false } }, 'ok', /no battery/],
    [
      'power',
      { power: { power: { onBattery: true, by: 'sysfs' }, battery: true } },
      'warning',
      /a minute late.*→ sudo systemctl start upower$/
    ],
    [
      'power',
      { power: { power: { onBattery: true, by: 'sysfs' }, battery: true }, upowerInstalled: false },
      'warning',
      /→ install the package upower$/
    ],
    ['peer-clocks', { clocks: [{ name: 'nas', ahead: 200, far: false }] }, 'ok', /No clock/],
    [
      'peer-clocks',
      { clocks: [{ name: 'nas', ahead: -700, far: false }] },
      'warning',
      /^The clock of nas is at least 11 min behind this one\. → on nas: sudo timedatectl set-ntp true$/
    ],
    [
      'peer-clocks',
      { clocks: [{ name: 'nas', ahead: 7300, far: true }], synchronised: false },
      'warning',
      /2 h ahead of this one, so it is not understood.*→ sudo timedatectl set-ntp true$/
    ],
    [
      'peer-clocks',
      {
        synchronised: false,
        clocks: [
          { name: 'nas', ahead: 700, far: false },
          { name: 'desk', ahead: 720, far: false }
        ]
      },
      'warning',
      /nas.* and the clock of desk.*likelier that this one is wrong\. → sudo timedatectl/
    ],
    [
      'access-point',
      { apart: new Map([['wlan0', ['nas']]]) },
      'warning',
      /^Nothing gets through to nas on wlan0, though heard.*→ coterie why nas$/
    ],
    ['session-bus', { dbus: 'absent' }, 'warning', /no session bus.*→ systemctl --user start dbus.socket$/],
    ['session-bus', { dbus: 'taken', dbusOwner: 4711 }, 'failed', /Another program.*→ kill 4711$/],
    ['session-bus', { dbus: 'taken' }, 'failed', /→ busctl --user status/],
    [
      'sandbox',
      { sandbox: { ...walls, systemReadOnly: true, homeReadOnly: true } },
      'ok',
      /of the disk it can change only its own folders\.$/
    ],
    [
      'sandbox',
      { sandbox: { ...walls, systemReadOnly: true } },
      'ok',
      /change your files, but not the system: hardening\.conf would/
    ],
    ['sandbox', { sandbox: walls }, 'ok', /system calls; hardening\.conf would/],
    ['unit', { unit: { own: '', packaged: '/usr/lib/u' } }, 'ok', /^The unit is \/usr\/lib\/u\.$/],
    ['unit', { unit: { own: '/h/u', packaged: '' } }, 'ok', /^The unit is \/h\/u\.$/],
    ['unit', { supervised: false }, 'ok', /not started by systemd/],
    ['unit', { unit: { own: '/h/u', packaged: '/usr/u' } }, 'warning', /\/h\/u hides .*→ rm \/h\/u && /],
    ['sandbox', { sandbox: { ...walls, usersAllowed: false } }, 'ok', /user namespaces, which are denied/],
    [
      'sandbox',
      { sandbox: { ...walls, seccomp: false } },
      'warning',
      /not by the unit.*not filtered.*restart/
    ],
    ['sandbox', { sandbox: { ...walls, noNewPrivileges: false } }, 'warning', /NoNewPrivileges= is not/],
    ['sandbox', { sandbox: open, supervised: false }, 'warning', /not started by systemd.*enable --now/]
  ]
  for (const [name, change, state, pattern] of table) {
    const found = check(name, change)
    const text = found.Mend === '' ? found.Text : `${found.Text} → ${found.Mend}`
    t.equal(found.State, state, text)
    t.match(text, pattern)
    t.equal(found.Mend !== '', state !== 'ok')
  }
})
