/** Joining by a code between two daemons of this process, over real sockets: on lo, and found by multicast. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/daemon/config.ts'
import { Daemon } from '../../src/daemon/daemon.ts'
import type { InvitationEvent } from '../../src/daemon/joining/open-invitation.ts'
import { paths } from '../../src/paths.ts'
import { encodeJoinMessage, JoinMessage } from '../../src/wire/joining.ts'
import { cable, inside } from '../namespace.ts'

/** Each has files and sockets of its own; they share the interfaces. */
async function daemon(t: Test, name: string, only: string): Promise<{ daemon: Daemon; logged: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'ct-'))
  const places = paths({ HOME: directory, XDG_RUNTIME_DIR: join(directory, 'run') })
  const logged: string[] = []
  const daemon = new Daemon({
    paths: places,
    readConfig: () => {
      const config = readConfig(places.configFile, hostname())
      return { ...config, device: { ...config.device, name }, network: { ...config.network, only: [only] } }
    },
    log: (level, words, facts) => logged.push(`${level} ${words} ${JSON.stringify(facts ?? {})}`)
  })
  t.teardown(async () => {
    await daemon.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  await daemon.start()
  return { daemon, logged }
}

/** An invitation in the default circle; resolves when it is open. */
async function invite(
  inviter: Daemon,
  confirm: () => Promise<boolean> = async () => true,
  signal = new AbortController().signal
) {
  const events: InvitationEvent[] = []
  const open = Promise.withResolvers<string>()
  const onEvent = (event: InvitationEvent) => {
    events.push(event)
    if (event.type === 'open') open.resolve(event.code)
  }
  const how = { level: 10, guestForMs: 0, lifetimeMs: 0, confirm, onEvent }
  const ended = inviter.inviteByCode(inviter.circles.find(''), how, signal)
  ended.catch(open.reject)
  return { code: await open.promise, events, ended }
}

const call = (signal = new AbortController().signal) => ({ signal, progress: () => {} })

function joins(joiner: Daemon, code: string, at: readonly string[] = [], timeoutMs = 30_000) {
  const how = { timeoutMs, keyStore: 'file', call: call() }
  return joiner.circles.join({ code, at }, joiner.config.device.name, how)
}

if (inside(t, import.meta.url)) {
  delete process.env['DBUS_SESSION_BUS_ADDRESS']
  cable('eth0', '192.0.2.1/24')

  t.test('over lo, at a given address', async t => {
    const [a, b] = await Promise.all([daemon(t, 'a', 'lo'), daemon(t, 'b', 'lo')])
    await a.daemon.circles.init('home', 'a', { another: false, keyStore: 'file' })
    const { code, events, ended } = await invite(a.daemon)
    const circle = await joins(b.daemon, code, ['127.0.0.1'])
    t.same(await ended, { id: circle.self, name: 'b' })
    t.same(
      events.map(({ type }) => type),
      ['open', 'run', 'asking', 'joined']
    )
    t.equal(circle.name, 'home')
    for (const { logged } of [a, b])
      for (const part of [code, code.replace('-', ''), ...code.split('-')])
        t.notOk(logged.join('\n').includes(part), 'the code is in no log')

    t.comment('and again: it is a member already')
    const again = await invite(a.daemon)
    await t.rejects(joins(b.daemon, again.code, ['tcp://127.0.0.1:24747']), { code: 'CircleExists' })
  })

  t.test('found by multicast', async t => {
    const [a, b] = await Promise.all([daemon(t, 'a', 'eth0'), daemon(t, 'b', 'eth0')])
    await a.daemon.circles.init('home', 'a', { another: false, keyStore: 'file' })
    const { code, ended } = await invite(a.daemon)
    const typed = performance.now()
    await joins(b.daemon, code.toLowerCase())
    t.comment(`joined ${Math.round(performance.now() - typed)} ms after the code was typed`)
    t.equal((await ended).name, 'b')
  })

  t.test('nobody invites: the joiner is told, and has opened nothing for good', async t => {
    const [a, b] = await Promise.all([daemon(t, 'a', 'eth0'), daemon(t, 'b', 'eth0')])
    await a.daemon.circles.init('home', 'a', { another: false, keyStore: 'file' })
    await t.rejects(joins(b.daemon, 'K7QF-2M9X', [], 3_000), { code: 'NoInvitation' })
    t.equal(b.daemon.circles.all.length, 0)
  })

  t.test('strangers on the open port while an invitation is open, and after', async t => {
    const [a, b] = await Promise.all([daemon(t, 'a', 'lo'), daemon(t, 'b', 'lo')])
    await a.daemon.circles.init('home', 'a', { another: false, keyStore: 'file' })
    const abort = new AbortController()
    const { code, events, ended } = await invite(a.daemon, undefined, abort.signal)
    const opening = encodeJoinMessage(JoinMessage.SidA, new Uint8Array(16))
    const from = (localAddress: string, bytes: Uint8Array, hangUp: boolean) =>
      new Promise<number>(resolve => {
        let received = 0
        const socket = connect({ host: '127.0.0.1', port: 24_747, localAddress })
        socket.on('error', () => {})
        socket.on('data', data => {
          received += data.length
          if (hangUp) socket.destroy()
        })
        socket.on('close', () => resolve(received))
        socket.write(bytes, () => hangUp && setImmediate(() => socket.destroy()))
      })
    t.comment('300 connect and hang up, from one source (a thousand do in memory: code-gate.test.ts)')
    let joining: Promise<string> | undefined
    for (let n = 0; n < 300; n += 10) {
      await Promise.all(Array.from({ length: 10 }, () => from('127.0.0.66', opening, true)))
      if (n === 100) {
        const since = performance.now()
        joining = joins(b.daemon, code, ['127.0.0.1']).then(
          () => `${Math.round(performance.now() - since)} ms`
        )
      }
    }
    t.comment(`an honest one joined meanwhile, in ${await joining}`)
    t.equal((await ended).name, 'b')
    t.equal(events.filter(({ type }) => type === 'wrong').length, 0)
    t.comment('and when nothing is open, there is silence')
    t.equal(await from('127.0.0.67', opening, false), 0)
  })
}
