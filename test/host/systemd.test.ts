import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import t from 'tap'
import { addonSend, goesToJournal, listenFds, programSend, Supervisor } from '../../src/host/systemd.ts'
import { NotifySocket } from './notify-socket.ts'

const present = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
const python = present('python3') ? false : 'python3 is not here'
const ways = {
  addon: { make: addonSend, skip: python || (addonSend() ? false : 'sd-notify is not compiled here') },
  program: { make: programSend, skip: python || (present('systemd-notify') ? false : 'no systemd-notify') }
}

for (const [way, { make, skip }] of Object.entries(ways))
  t.test(`a notice reaches systemd by the ${way}`, { skip }, async t => {
    const socket = await NotifySocket.open()
    t.teardown(() => socket.close())
    process.env['NOTIFY_SOCKET'] = socket.path
    t.teardown(() => delete process.env['NOTIFY_SOCKET'])
    const supervisor = new Supervisor(process.env, make())
    t.ok(supervisor.present)

    await supervisor.notify({ ready: true, status: '2 of 3\nreachable' })
    t.same((await socket.next()).trim().split('\n'), ['READY=1', 'STATUS=2 of 3 reachable'])

    void supervisor.notify({ status: '2 of 3 reachable' })
    const before = Number(process.hrtime.bigint() / 1000n)
    void supervisor.notify({ reloading: true })
    const reloading = (await socket.next()).trim().split('\n')
    t.equal(reloading[0], 'RELOADING=1', 'the same status is not sent twice')
    const at = Number(reloading[1]?.replace('MONOTONIC_USEC=', ''))
    t.ok(at >= before && at < before + 10e6)

    void supervisor.notify({ ready: true })
    void supervisor.notify({ stopping: true, status: 'leaving' })
    t.equal((await socket.next()).trim(), 'READY=1', 'in order')
    t.same((await socket.next()).trim().split('\n'), ['STOPPING=1', 'STATUS=leaving'])
  })

t.test('the watchdog hears of us while we are healthy', async t => {
  let sent: (state: string) => void = () => {}
  const next = () => new Promise<string>(resolve => (sent = resolve))
  const environment = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '40000', WATCHDOG_PID: String(process.pid) }
  const supervisor = new Supervisor(environment, async state => sent(state))
  const keepAlive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(keepAlive))
  t.equal(supervisor.watchdogMs, 40)

  let healthy: () => boolean | Promise<boolean> = () => true
  let checked = () => {}
  supervisor.watch(() => {
    const answer = healthy()
    checked()
    return answer
  })
  t.equal(await next(), 'WATCHDOG=1')

  const heard: string[] = []
  sent = state => heard.push(state)
  for (const unhealthy of [
    () => false,
    () => Promise.resolve(false),
    () => {
      throw new Error('sick')
    }
  ]) {
    let calls = 0
    await new Promise<void>(resolve => {
      healthy = () => {
        if (++calls === 3) resolve()
        return unhealthy()
      }
    })
  }
  t.same(heard, [], 'silence while it is not')
  healthy = () => true
  t.equal(await next(), 'WATCHDOG=1', 'and again')

  heard.length = 0
  sent = state => heard.push(state)
  healthy = () => new Promise(() => {})
  await new Promise<void>(resolve => (checked = resolve))
  supervisor.unwatch()
  t.same(heard, [])
})

t.test('nobody waits for a watchdog', async t => {
  t.equal(new Supervisor({}).watchdogMs, 0)
  t.equal(new Supervisor({ WATCHDOG_USEC: 'soon' }).watchdogMs, 0)
  t.equal(new Supervisor({ WATCHDOG_USEC: '1000000', WATCHDOG_PID: '1' }).watchdogMs, 0, 'another process')
  t.notOk(new Supervisor({}).present)
  await new Supervisor({}, () => Promise.reject(new Error('never called'))).notify({ ready: true })
})

t.test('sockets from systemd', async t => {
  const mine = { LISTEN_PID: String(process.pid) }
  t.same(listenFds({}), [])
  t.same(listenFds({ LISTEN_PID: '1', LISTEN_FDS: '1' }), [], 'they are another process’s')
  t.same(listenFds({ ...mine, LISTEN_FDS: 'many' }), [])
  t.same(listenFds({ ...mine, LISTEN_FDS: '-1' }), [])
  t.same(listenFds({ ...mine, LISTEN_FDS: '2', LISTEN_FDNAMES: 'coterie.socket' }), [
    { fd: 3, name: 'coterie.socket' },
    { fd: 4, name: 'unknown' }
  ])
})

t.test('the journal is known by device and inode', async t => {
  const fd = openSync('/dev/null', 'w')
  t.teardown(() => closeSync(fd))
  const { dev, ino } = fstatSync(fd)
  t.ok(goesToJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` }))
  t.notOk(goesToJournal(fd, { JOURNAL_STREAM: `${dev}:${ino + 1}` }))
  t.notOk(goesToJournal(fd, {}))
  t.notOk(goesToJournal(999_999, { JOURNAL_STREAM: `${dev}:${ino}` }))
})
