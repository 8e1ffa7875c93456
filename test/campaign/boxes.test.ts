/** The service as a user runs it from a checkout, under systemd 252 and 257, on a LAN with both. */
import type { Box } from '../lab/box.ts'
import { scenario } from '../lab/scenario.ts'

const peerPing =
  'busctl --user --timeout=10 call org.coterie.Coterie1 /org/coterie/Coterie1 org.freedesktop.DBus.Peer Ping'
const socket = '/run/user/1000/coterie/coterie.sock'

const coterie = async (box: Box, line: string, input?: string) => {
  const text = await box.user(`/host/bin/coterie ${line}`, input)
  return line.includes('--json') ? JSON.parse(text) : text
}
const systemctl = (box: Box, line: string) => box.user(`systemctl --user ${line}`)
const pid = async (box: Box) => Number(await box.show('coterie', 'MainPID'))
const running = async (box: Box) => (await box.show('coterie', 'SubState')) === 'running'

scenario('the service in boxes', {}, async (t, lab) => {
  const old = await lab.box('b252', 8, 'bookworm', 'a')
  const recent = await lab.box('b257', 9, 'trixie', 'a')

  for (const box of [old, recent])
    await t.test(box.name, async t => {
      t.comment('installed, and nothing runs or can be started from outside')
      await box.user('/host/scripts/install-user')
      const units = '.config/systemd/user'
      t.equal(
        await box.user(`systemd-analyze --user verify ${units}/coterie.service ${units}/coterie.socket`),
        ''
      )
      t.equal(await systemctl(box, 'list-units --no-legend coterie*'), '')
      t.not((await box.tryUser(peerPing.split(' '))).code, 0)
      t.not((await box.tryUser(['test', '-e', socket])).code, 0)
      t.equal((await box.tryUser(['/host/bin/coterie', 'status'])).code, 3, 'the daemon is not running')
      t.equal(await box.show('coterie', 'ActiveState'), 'inactive')

      t.comment('enable --now: started means ready')
      await systemctl(box, 'enable --now coterie')
      t.equal(await box.show('coterie', 'ActiveState'), 'active')
      t.not(await box.show('coterie', 'StatusText'), '')
      t.equal(await systemctl(box, 'is-active coterie.socket'), 'active')
      t.match(await coterie(box, 'status --json'), {
        Device: { State: 'new' },
        DBus: 'owned',
        NetworkSource: 'NetworkManager'
      })
      t.equal(await box.user(['stat', '-c', '%a', socket, '/run/user/1000/coterie']), '600\n700')
      const facts = await box.user(['grep', '-E', '^(NoNewPrivs|Seccomp):', `/proc/${await pid(box)}/status`])
      t.match(facts, /NoNewPrivs:\s+1[\s\S]*Seccomp:\s+2/)

      t.comment('reload keeps the process')
      const before = await pid(box)
      await systemctl(box, 'reload coterie')
      t.equal(await pid(box), before)

      t.comment('socket activation')
      await systemctl(box, 'stop coterie.service')
      t.equal(await box.show('coterie', 'ActiveState'), 'inactive')
      t.equal((await coterie(box, 'status --json')).Device.State, 'new')
      await box.until('is started by its socket', () => running(box))

      t.comment('D-Bus activation')
      await systemctl(box, 'stop coterie.socket coterie.service')
      await box.user(peerPing)
      await box.until('is started by its name', () => running(box))

      await systemctl(box, 'reset-failed coterie.service') // five starts in 10 s are the limit
      t.comment('the watchdog ends a hung daemon and starts another')
      await box.user([
        'sh',
        '-c',
        `mkdir -p ${units}/coterie.service.d && printf '[Service]\\nWatchdogSec=2\\n' > ${units}/coterie.service.d/test.conf`
      ])
      await systemctl(box, 'daemon-reload')
      await systemctl(box, 'restart coterie')
      const hung = await pid(box)
      await box.user(`kill -STOP ${hung}`)
      await box.until(
        'is restarted by the watchdog',
        async () => (await pid(box)) !== hung && (await running(box))
      )
      t.ok(Number(await box.show('coterie', 'NRestarts')) > 0)

      t.comment('a crash')
      const crashed = await pid(box)
      await box.user(`kill -9 ${crashed}`)
      await box.until('is restarted', async () => (await pid(box)) !== crashed && (await running(box)))
      t.match(await coterie(box, 'status --json'), { Device: { State: 'new' }, DBus: 'owned' })

      t.comment('a login of its own, as after a reboot; there user namespaces are denied')
      const denied = '/run/systemd/system/user@1000.service.d'
      await box.run([
        'sh',
        '-c',
        `mkdir -p ${denied}; printf '[Service]\\nRestrictNamespaces=~user\\n' > ${denied}/denied.conf`
      ])
      await box.run('systemctl daemon-reload')
      await box.run('systemctl restart user@1000.service')
      t.not((await box.tryUser(['systemd-run', '--user', '--wait', '-q', 'unshare', '-U', 'true'])).code, 0)
      await box.until('is there after a login', () => running(box))
      await box.run(['rm', `${denied}/denied.conf`])
      await box.run('systemctl daemon-reload')
      await box.run('systemctl restart user@1000.service')
      await box.until('is there again', () => running(box))

      t.comment('with the further walls of hardening.conf')
      await box.user(['cp', '/host/systemd/hardening.conf', `${units}/coterie.service.d/`])
      await systemctl(box, 'daemon-reload')
      await systemctl(box, 'restart coterie')
      const walled = await pid(box)
      const [mine, its] = await Promise.all([
        box.run('readlink /proc/1/ns/mnt'),
        box.run(`readlink /proc/${walled}/ns/mnt`)
      ])
      t.not(its, mine, 'it has mounts of its own')
      t.match(await coterie(box, 'status --json'), { DBus: 'owned', NetworkSource: 'NetworkManager' })
    })

  await t.test('the two see each other, again after each restart and crash', async t => {
    await coterie(old, 'init --name home')
    await coterie(recent, 'join - --yes', await coterie(old, 'invite --ticket'))
    const sees = (one: Box, other: Box, state: string) =>
      one.until(`sees ${other.name} ${state}`, async () => {
        const { Peers } = await coterie(one, 'status --json')
        return Peers.some((p: { Name: string; State: string }) => p.Name === other.name && p.State === state)
      })
    const both = () => Promise.all([sees(old, recent, 'reachable'), sees(recent, old, 'reachable')])
    await both()
    t.match(await old.show('coterie', 'StatusText'), /1/)
    for (const [one, other] of [
      [old, recent],
      [recent, old]
    ] as const) {
      await systemctl(one, 'stop coterie.service')
      await sees(other, one, 'unreachable')
      await systemctl(one, 'start coterie')
      await both()
      await systemctl(one, 'restart coterie')
      await both()
      await systemctl(one, 'reset-failed coterie.service')
      const before = await pid(one)
      await one.user(`kill -9 ${before}`)
      await one.until('is restarted', async () => (await pid(one)) !== before && (await running(one)))
      await both()
    }
  })

  await t.test('varlinkctl of 257', async t => {
    t.match(await recent.user(`varlinkctl info ${socket}`), /org\.coterie\.Coterie1/)
    t.match(await recent.user(`varlinkctl introspect ${socket} org.coterie.Coterie1`), /method Status/)
    const status = JSON.parse(
      await recent.user(`varlinkctl -j call ${socket} org.coterie.Coterie1.Status {}`)
    )
    t.equal(status.Peers[0].Name, 'b252')
    const wrong = await recent.tryUser([
      'varlinkctl',
      'call',
      socket,
      'org.coterie.Coterie1.Ping',
      '{"Peer":"nobody"}'
    ])
    t.not(wrong.code, 0)
    t.match(wrong.stderr + wrong.stdout, /org\.coterie\.Coterie1\.NoSuchPeer/)
    const more = await recent.tryUser([
      'timeout',
      '2',
      'varlinkctl',
      '--more',
      '-j',
      'call',
      socket,
      'org.coterie.Coterie1.Watch',
      '{}'
    ])
    t.match(more.stdout, /"Added"[\s\S]*"Peer"/)
  })

  await t.test('removed again', async t => {
    for (const box of [old, recent]) {
      await box.user('/host/scripts/install-user --remove')
      t.equal(await systemctl(box, 'list-units --no-legend coterie*'), '')
      t.not((await box.tryUser(peerPing.split(' '))).code, 0)
    }
  })
})
