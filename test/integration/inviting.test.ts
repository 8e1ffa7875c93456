/** Inviting and joining by code as people do it: the real command line on both sides, the real daemon, a real bus. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { plain } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { bare, bin, typed } from '../cli/command.ts'
import { AgentProcess } from '../daemon/agent-process.ts'
import { call, client, Inbox } from '../daemon/surface.ts'
import { inside } from '../namespace.ts'
import { NotificationService } from '../notification-service.ts'
import { Computer, failure } from './daemon.ts'

const CODE = /[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}/

/** `coterie invite` with these words, in a pipe; `line(n)` is the n-th line of its stdout. */
function invite(on: Computer, words: string) {
  const child = spawn(join(bin, 'coterie'), ['invite', ...words.split(' ')], { env: on.environment })
  const inbox = new Inbox<string>()
  let text = ''
  child.stdout.setEncoding('utf8').on('data', piece => {
    text += piece
    const lines = text.split('\n')
    text = lines.pop()!
    for (const line of lines) inbox.put(line)
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', piece => (err += piece))
  const ended = new Promise<{ code: number | null; err: string }>(resolve =>
    child.on('close', code => resolve({ code, err }))
  )
  return { child, next: () => inbox.next(), ended }
}

if (inside(t, import.meta.url)) {
  t.test('between two command lines', async t => {
    const anna = await new Computer(t, 'anna').start()
    const ben = await new Computer(t, 'ben').start()
    await anna.founds()
    const open = invite(anna, '--yes')
    const code = await open.next()
    t.match(code, new RegExp(`^${CODE.source}$`), 'the code is there at once')

    t.match(await anna.coterie('invite --yes'), { code: 1, err: /an invitation by code is open/ })
    const wrong = code.startsWith('AAAA') ? 'BBBB-BBBB' : 'AAAA-AAAA'
    t.match(await ben.coterie(`join ${wrong}`), { code: 1, out: '', err: /wrong code: .*; 2 tries left\n/ })

    const typedBadly = code.toLowerCase().replace('-', '').replaceAll('0', 'o').replaceAll('1', 'l')
    const joined = await ben.coterie(`join ${typedBadly} --device ben`)
    t.match(joined, { code: 0, out: /^This device is now ben in the circle home\.\n/, err: '' })
    t.match(await open.next(), /^ben \(\w{8}\) has joined as member\.$/)
    t.match(await open.ended, { code: 0, err: /^▲ a wrong code was tried; 2 tries are left\n$/ })
    await anna.sees('ben')
    const again = anna.call('Join', { Code: code, TimeoutUSec: 1e6 })
    t.match(await failure(again), /^NoInvitation: /, 'a code is good once')
    const logs = [...anna.log, ...ben.log].join('\n')
    t.notOk(logs.includes(code) || logs.includes(code.replace('-', '')), 'and in no log')
  })

  t.test('with the address, in JSON, for a guest', async t => {
    const anna = await new Computer(t, 'anna').start()
    const ben = await new Computer(t, 'ben').start()
    const { Listeners } = await anna.founds().then(() => anna.status())
    const port = Listeners[0]!.Port
    const nobody = ben.call('Join', { Code: 'AAAA-AAAA', At: ['127.0.0.1:1'], TimeoutUSec: 1e6 })
    t.match(await failure(nobody), /^NoInvitation: no invitation is open at tcp:\/\/127\.0\.0\.1:1: /)
    const open = invite(anna, '--yes --json --expires 2d')
    const { Code, ExpiresUSec } = JSON.parse(await open.next())
    t.ok(Math.abs(ExpiresUSec / 1000 - Date.now() - 600_000) < 10_000)
    const joined = await ben.coterie(`join - --json --device ben --at tcp://127.0.0.1:${port}`, `${Code}\n`)
    t.match(JSON.parse(joined.out), { Name: 'home', Device: 'ben' }, joined.err)
    const result = JSON.parse(await open.next())
    t.same(result, { Id: JSON.parse(joined.out).Id, Name: 'ben', Level: 10 })
    t.same(await open.ended, { code: 0, err: '' })
    const { Devices } = await anna.call('Devices')
    t.match(
      Devices.find(d => d.Name === 'ben'),
      { Guest: true, Level: 10, Id: result.Id }
    )
  })

  t.test(
    'asked on the terminal',
    { skip: !existsSync('/usr/bin/script') && 'no script (bsdutils)' },
    async t => {
      const anna = await new Computer(t, 'anna').start()
      const ben = await new Computer(t, 'ben').start()
      await anna.founds()
      const question = /ben \(\w{8}\) wants to join as member\. Accept\? \[Y\/n\] $/
      const shown = /coterie join (\S+)\n?[\s\S]*left$/
      /** Invites on a terminal; ben joins with the code; then `answer` is typed. */
      const round = async (answer: string) => {
        const code = Promise.withResolvers<string>()
        const joined = code.promise.then(code => ben.coterie(`join ${code} --device ben`))
        let screen = ''
        const inviting = await typed(
          'invite',
          { ...anna.environment, TERM: 'xterm' },
          [
            [shown, () => code.resolve(CODE.exec(bare(screen))![0])],
            [question, answer]
          ],
          text => (screen += text)
        )
        return { inviting, joined: await joined }
      }
      const no = await round('n\r')
      t.match(no.inviting, { code: 1, out: /coterie: ben was not let in, and its code is no longer good/ })
      t.match(no.joined, { code: 1, out: '', err: /somebody said no on "anna"; this device was not let in/ })
      t.equal((await ben.status()).Device.State, 'new')

      const cancelled = await round('\x03')
      t.match(cancelled.inviting, { code: 1, out: /coterie: cancelled; the code is good no more/ })
      t.match(cancelled.joined, { code: 1, err: /before the code ended/ })
      t.equal((await anna.call('Devices')).Devices.length, 1)

      const yes = await round('\r')
      t.match(yes.inviting, {
        code: 0,
        out: /\nben \(\w{8}\) has joined as member\.|\rben \(\w{8}\) has joined/
      })
      t.match(yes.joined, { code: 0, out: /now ben in the circle home/ })
    }
  )

  t.test('a join that is interrupted while it waits for the answer', async t => {
    const bus = await TestBus.up(t)
    const anna = await new Computer(t, 'anna', { env: { DBUS_SESSION_BUS_ADDRESS: bus.address } }).start()
    const ben = await new Computer(t, 'ben').start()
    await anna.founds()
    const desktop = await NotificationService.up(t, bus.address)
    const bill = await client(t, bus.address)
    const agent = await AgentProcess.up(t, bus.address)
    const finished = new Inbox<unknown[]>()
    bill.match({ interface: `${INTERFACE}.Job`, member: 'Finished' }, m => finished.put(m.body.map(plain)))
    await call(bill, 'Invite', 'sutbb', ['', 0, 0n, false, false])
    const { body } = await agent.calls.until(({ member }) => member === 'DisplayCode')
    const code = String(body[0])

    const child = spawn(join(bin, 'coterie'), ['join', code, '--device', 'ben'], { env: ben.environment })
    const first = await desktop.shown.next()
    t.match(first.body, /^“ben” \(\w{8}\) has the code and wants to join “home” as member\.$/)
    child.kill('SIGINT')
    t.equal(await new Promise(resolve => child.on('close', resolve)), 1)
    t.equal(await desktop.closed.next(), first.id, 'the question is taken back')
    t.equal((await ben.status()).Device.State, 'new')

    const again = ben.coterie(`join ${code} --device ben`)
    const second = await desktop.shown.next()
    desktop.press(second.id, 'accept')
    t.match(await again, { code: 0 }, 'the code was as good as before')
    const [state, result] = await finished.next()
    t.match([state, result], ['done', { Name: 'ben', Level: 10 }])
    const monitored = await bill.call({
      destination: INTERFACE,
      path: ROOT,
      interface: 'org.freedesktop.DBus.ObjectManager',
      member: 'GetManagedObjects'
    })
    const objects = JSON.stringify(monitored, (_, v) => (typeof v === 'bigint' ? Number(v) : v))
    t.notOk(objects.includes(code), 'the code is in no object')
    t.notOk(anna.log.join('\n').includes(code))
  })
}
