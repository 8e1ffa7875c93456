/** What the doctor asks of the computer: who is on a bus, who speaks mDNS, what the kernel walls off. */
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { Bus, Variant } from '../../src/host/bus.ts'
import { hasOwner, ownerPid } from '../../src/host/bus-names.ts'
import { mdnsResponders } from '../../src/host/mdns-responders.ts'
import { sandbox } from '../../src/host/sandbox.ts'
import { unitFiles } from '../../src/host/unit-files.ts'
import { TestBus } from '../bus.ts'
import { client } from '../daemon/surface.ts'

t.test('who is on the bus', async t => {
  const { address } = await TestBus.up(t, 'system')
  const bus = await client(t, address)
  t.equal(await hasOwner(bus, 'org.example.Nobody'), false)
  t.equal(await ownerPid(bus, 'org.example.Nobody'), 0)
  t.same(await mdnsResponders(bus), [])
  const other = await client(t, address)
  await other.requestName('org.freedesktop.Avahi')
  t.equal(await hasOwner(bus, 'org.freedesktop.Avahi'), true)
  t.equal(await ownerPid(bus, 'org.freedesktop.Avahi'), process.pid)
  t.same(await mdnsResponders(bus), ['avahi-daemon'])
  let says = 'resolve'
  other.serve(async () => ({ signature: 'v', body: [new Variant('s', says)] }))
  await other.requestName('org.freedesktop.resolve1')
  t.same(await mdnsResponders(bus), ['avahi-daemon', 'systemd-resolved'])
  says = 'no'
  t.same(await mdnsResponders(bus), ['avahi-daemon'])
  const none = new Bus({ kind: 'system', address: 'unix:path=/no/such/bus', log: () => {} })
  t.same(await mdnsResponders(none), [])
})

t.test('walls', async t => {
  const made = (nnp: number, seccomp: number, mountinfo: readonly string[], apparmor = '0') =>
    sandbox(
      t.testdir({
        proc: {
          self: {
            status: `Name:\tx\nNoNewPrivs:\t${nnp}\nSeccomp:\t${seccomp}\nSeccomp_filters:\t3\n`,
            mountinfo: mountinfo.join('')
          },
          sys: {
            user: { max_user_namespaces: '100\n' },
            kernel: { apparmor_restrict_unprivileged_userns: `${apparmor}\n` }
          }
        }
      }),
      '/users/a b'
    )
  const mount = (place: string, mode: string, device = 'rw') =>
    `29 1 254:0 / ${place} ${mode},relatime shared:1 - ext4 /dev/vda ${device}\n`
  const open = [mount('/', 'rw')]
  const none = {
    noNewPrivileges: false,
    seccomp: false,
    systemReadOnly: false,
    homeReadOnly: false,
    usersAllowed: true
  }
  t.same(made(0, 0, open), none)
  const walled = [
    ...open,
    mount('/usr', 'rw'),
    mount('/usr', 'ro'),
    mount('/users', 'ro'),
    mount('/users/a\\040b/x', 'rw')
  ]
  t.same(made(1, 2, walled), {
    noNewPrivileges: true,
    seccomp: true,
    systemReadOnly: true,
    homeReadOnly: true,
    usersAllowed: true
  })
  t.same(made(0, 0, [mount('/', 'ro'), mount('/users/a\\040b', 'rw')]), { ...none, systemReadOnly: true })
  t.same(made(0, 0, [mount('/', 'rw', 'ro'), mount('/users/a', 'rw')]), {
    ...none,
    systemReadOnly: true,
    homeReadOnly: true
  })
  t.equal(made(0, 0, open, '1').usersAllowed, false)
  t.same(sandbox(t.testdir({})), { ...none, usersAllowed: false }, 'nothing can be read')
})

t.test('units', async t => {
  const root = t.testdir({
    c: { systemd: { user: { 'coterie.service': '' } } },
    usr: { lib: { systemd: { user: { 'coterie.service': '' } } } }
  })
  const packaged = '/usr/lib/systemd/user/coterie.service'
  t.same(unitFiles('/c', root), { own: '/c/systemd/user/coterie.service', packaged })
  t.same(unitFiles('/d', root), { own: '', packaged })
  t.same(unitFiles('/c', '/nowhere'), { own: '', packaged: '' })
})

t.test('the real ones', async t => {
  const look = `import('${new URL('../../src/host/sandbox.ts', import.meta.url)}').then(m => console.log(JSON.stringify(m.sandbox())))`
  const run = (...before: string[]) => {
    const [program = '', ...args] = [...before, process.execPath, '-e', look]
    return JSON.parse(execFileSync(program, args, { encoding: 'utf8' }))
  }
  t.equal(run().noNewPrivileges, false)
  t.equal(run('setpriv', '--no-new-privs').noNewPrivileges, true)
})
