/** The package on a computer without systemd: a Debian 13 in which nothing runs, as containers are. */
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { follow } from '../command.ts'
import { template } from '../lab/template.ts'
import { inside } from '../namespace.ts'
import { Root } from '../packages/root.ts'
import { releases, THIS_DEB } from './releases.ts'

/** tester of the template. */
const USER = 1000

if (inside(t, import.meta.url))
  t.test('without systemd', async t => {
    const root = new Root(t, await template('trixie'))
    const folder = releases(t, { next: false })
    root.share(folder)
    for (const program of ['systemctl', 'systemd-run', 'systemd-notify', 'deb-systemd-invoke'])
      rmSync(`${root.path}/usr/bin/${program}`, { force: true })
    const deb = join(folder, THIS_DEB.slice('/host/'.length))
    t.match(await root.run('dpkg', '-i', deb), { code: 0, err: '' }, 'installed, without a word')

    const as = `setpriv --reuid ${USER} --regid ${USER} --clear-groups env -i HOME=/home/tester PATH=/usr/bin:/bin`
    const typed = (words: string) => root.run('sh', '-c', `cd /home/tester && ${as} ${words}`)
    t.match(await typed('coterie status'), {
      code: 3,
      err: 'coterie: coteried is not running. To start it:\n  coteried  (in another terminal: no systemd of yours runs here)\n'
    })
    const home = `${root.path}/home/tester`
    mkdirSync(home, { recursive: true })
    chownSync(home, USER, USER)
    chmodSync(home, 0o700)
    const daemon = follow(t, 'chroot', [root.path, ...as.split(' '), 'coteried', '--only', 'lo'])
    await daemon.line(/ready; in no circle yet/)
    t.match(await typed('coterie init --name home'), { code: 0 })
    t.match(await typed('coterie status'), { code: 0, out: /in the circle home/ })
    const { out } = await typed('coterie doctor --json')
    const check = (name: string) => JSON.parse(out).Checks.find(({ Name }: { Name: string }) => Name === name)
    t.match(check('sandbox'), { State: 'warning', Text: /was not started by systemd/ })
    t.match(check('session-bus'), { State: 'warning', Text: /no session bus/ })
    t.match(check('handlers'), { State: 'warning', Text: /plain processes/ })

    t.match(await root.run('dpkg', '-i', deb), { code: 0, err: '' }, 'upgraded')
    t.match(await typed('coterie status'), { code: 0 }, 'a daemon that somebody runs is theirs')
    t.match(await root.run('dpkg', '-P', 'coterie'), { code: 0, err: '' })
    t.notOk(root.has('/usr/lib/coterie'))
    t.ok(root.has('/home/tester/.local/state/coterie/key'))
  })
