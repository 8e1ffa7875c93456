/** The ready-made handlers between real daemons, in a real desktop session. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { Result } from '../../src/api/api.ts'
import { Client } from '../../src/cli/client.ts'
import { lacking, run } from '../command.ts'
import { Desktop, WAYLAND_PROGRAMS, wayland, X_PROGRAMS } from '../desktop.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

type Message = Result<'WaitMessage'>['Message']

const ready = join(import.meta.dirname, '../../handlers')
const skip = lacking(...X_PROGRAMS, 'xclip', 'xdg-open', 'busctl')

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode })
}

async function sends(
  from: Computer,
  tag: string,
  body: string | Buffer = '',
  { ask = false, state = 'done' } = {}
): Promise<Message> {
  const text = { BodyBase64: Buffer.from(body).toString('base64') }
  const { Messages } = await from.aside('Send', { Peers: ['laptop'], Tag: tag, ...text, Ask: ask })
  const wait = { Id: Messages[0]!.Id, State: state, TimeoutUSec: 20e6 }
  return (await from.aside('WaitMessage', wait)).Message
}

/** Two computers that know each other; all that is ready-made is linked on the second, whose session this is. */
async function pair(t: Test, environment: { [name: string]: string }): Promise<[Computer, Computer]> {
  const desk = new Computer(t, 'desk')
  const laptop = new Computer(t, 'laptop', { env: environment })
  const folder = join(dirname(laptop.configFile), 'handlers/message')
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(ready)) symlinkSync(join(ready, name), join(folder, name))
  await Promise.all([desk.start(), laptop.start()])
  await desk.founds()
  await laptop.joins(await desk.ticket())
  await Promise.all([desk.sees('laptop'), laptop.sees('desk')])
  t.match((await laptop.coterie('handlers check')).code, 0, 'links to them run')
  t.notMatch((await laptop.coterie('handlers')).out, /off until linked/)
  const off =
    /off until linked\n +clipboard, file, notify, open-url, run-command\n +mkdir -p \S+ && ln -s \S+notify /
  t.match((await desk.coterie('handlers')).out, off)
  return [desk, laptop]
}

if (inside(t, import.meta.url)) {
  t.test('in a session under X', { skip }, async t => {
    const desktop = await Desktop.up(t, t.testdir())
    const [desk, laptop] = await pair(t, desktop.environment)
    const home = laptop.directory
    Desktop.browser(home, write)

    await t.test('notify', async t => {
      t.equal(desktop.colours(), 1, 'the screen is empty')
      const body = 'The build <b>failed</b> & took 3 min\n-u \\n \\101 100%\x1b[31m\u0000'
      t.match(await sends(desk, 'notify', body), { State: 'done', Exit: 0 })
      // the service has it; nothing tells when it has been drawn
      for (let i = 0; i < 500 && desktop.colours() < 3; i++)
        await new Promise(resolve => setTimeout(resolve, 20))
      t.ok(desktop.colours() >= 3, 'something is on the screen')
      const [shown] = await desktop.notifications()
      t.same(shown, {
        application: 'Coterie',
        title: 'desk',
        text: 'The build &lt;b&gt;failed&lt;/b&gt; &amp; took 3 min\n-u \\n \\101 100%[31m'
      })
      t.match(await sends(desk, 'notify', '--help'), { State: 'done' })
      t.match(await sends(desk, 'notify', Buffer.alloc(1_048_576, 'x')), { State: 'done' })
      t.match(await sends(desk, 'notify', Buffer.alloc(100, 'x\n')), { State: 'done' })
      t.match(await sends(desk, 'notify', Buffer.from([0xff, 0x41, 0xc3])), { State: 'done' })
      const [help, huge, long, broken] = await desktop.notifications()
      t.equal(help?.text, '--help')
      t.equal(huge?.text.length, 2002, 'of a huge one the beginning')
      t.equal(long?.text, `${'x\n'.repeat(10).trim()} …`)
      t.equal(broken?.text, 'A', 'what is not UTF-8 is left out')
    })

    await t.test('clipboard', async t => {
      t.match(await sends(desk, 'clipboard', 'Grüße\n\tzwei\x1b[201~;\r\n\n'), { State: 'done' })
      t.equal(await desktop.clipboard(), 'Grüße\n\tzwei[201~;', 'and it is still there')
      const huge = 'long '.repeat(200_000)
      t.match(await sends(desk, 'clipboard', huge), { State: 'done' })
      t.equal(await desktop.clipboard(), huge)
      t.match(await sends(desk, 'clipboard', Buffer.from([0x41, 0xff])), { State: 'dead', Exit: 65 })
      t.equal(await desktop.clipboard(), huge, 'as it was')
    })

    await t.test('open-url', async t => {
      const url = "https://example.org/a?b=c&d=$(id);e'f#g"
      t.match(await sends(desk, 'open-url', `${url}\n`), { State: 'done' })
      t.equal(readFileSync(join(home, 'browser.txt'), 'utf8'), `${url}|`)
      t.match(await sends(desk, 'open-url', 'file:///etc/passwd'), { State: 'dead', Exit: 65 })
      t.equal(readFileSync(join(home, 'browser.txt'), 'utf8'), `${url}|`)
    })

    await t.test('file', async t => {
      const downloads = join(home, 'Downloads')
      const body = Buffer.concat([Buffer.from('../../plan.pdf\n'), Buffer.from([0, 255, 10, 0])])
      for (const name of ['plan.pdf', 'plan-2.pdf'])
        t.match(await sends(desk, 'file', body, { ask: true }), { State: 'done', Output: `${name}\n` })
      t.same(readFileSync(join(downloads, 'plan-2.pdf')), Buffer.from([0, 255, 10, 0]))
      t.equal(statSync(join(downloads, 'plan.pdf')).mode & 0o777, 0o600)
      t.notOk(existsSync(join(home, 'plan.pdf')))
      write(join(home, '.config/user-dirs.dirs'), 'XDG_DOWNLOAD_DIR="$HOME/Eingang"\n')
      t.match(await sends(desk, 'file', 'a\nb', { ask: true }), { State: 'done', Output: 'a\n' })
      t.equal(readFileSync(join(home, 'Eingang/a'), 'utf8'), 'b')
    })

    await t.test('run-command', async t => {
      t.match(await sends(desk, 'run-command', 'hello'), { State: 'dead', Exit: 78 }, 'no list')
      const list = join(home, '.config/coterie/commands')
      write(list, '# mine\nhello  echo "hello $COTERIE_FROM_NAME"; cat\nfails  exit 7\n')
      t.match(await sends(desk, 'run-command', 'hello\n', { ask: true }), {
        State: 'done',
        Output: 'hello desk\n'
      })
      t.match(await sends(desk, 'run-command', 'fails'), { State: 'dead', Exit: 7 })
      t.match(await sends(desk, 'run-command', '', { ask: true }), { Output: 'hello\nfails\n' })
      t.match(await sends(desk, 'run-command', 'hello; id', { ask: true }), { State: 'dead', Exit: 64 })
    })
  })

  t.test('in a session under Wayland', { skip: lacking(...WAYLAND_PROGRAMS) }, async t => {
    const directory = mkdtempSync(join(tmpdir(), 'ct-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    const session = await wayland(t, directory)
    const [desk] = await pair(t, session)
    t.match(await sends(desk, 'clipboard', 'Grüße\n'), { State: 'done' })
    const paste = () => run('wl-paste', ['--no-newline'], session)
    t.match(await paste(), { code: 0, out: 'Grüße' }, 'and it is still there')
    t.match(await sends(desk, 'clipboard', '--clear'), { State: 'done' })
    t.match(await paste(), { code: 0, out: '--clear' })
    t.match((await run('wl-paste', ['--list-types'], session)).out, /^text\/plain$/m)
  })

  t.test('where there is no desktop session it comes later', { skip }, async t => {
    const [desk] = await pair(t, {})
    const bodies = { notify: 'hello', clipboard: 'hello', 'open-url': 'https://example.org' }
    for (const [tag, body] of Object.entries(bodies)) await sends(desk, tag, body, { state: 'received' })
    const client = await Client.open(desk.socket)
    const putOff = async () => {
      for await (const _event of client.stream('Watch', { Since: '' })) {
        const { Messages } = await desk.aside('Outbox')
        if (Messages.length === 3 && Messages.every(({ State }) => State === 'later')) return true
      }
      return false
    }
    t.ok(await within(PATIENCE_MS, 'all of them are put off', putOff()))
    client.close()
  })
}
