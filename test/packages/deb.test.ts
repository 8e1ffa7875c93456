/** A .deb made quickly, installed for real into an overlay of this computer, used there by two users, and removed. */
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { targets } from '../../scripts/package/target.ts'
import { makePackages } from '../../scripts/package.ts'
import { VERSION } from '../../src/api/api.ts'
import { lacking, run } from '../command.ts'
import { Computer } from '../integration/daemon.ts'
import { inside, type Teardown } from '../namespace.ts'
import { Root } from './root.ts'

const target = targets.find(its => its.node === process.arch)!
const USER = 65534

/** A user of the installed programs. */
function user(t: Teardown, root: Root, name: string): Computer {
  const as = ['setpriv', '--reuid', `${USER}`, '--regid', `${USER}`, '--clear-groups']
  const inner = `shift; exec /usr/sbin/chroot ${root.path} ${as.join(' ')} /usr/bin/coteried "$@"`
  const place = mkdtempSync(join(tmpdir(), 'ct-'))
  const computer = new Computer(t, name, {
    place,
    wrapper: ['sh', '-c', inner, 'sh'],
    env: { PATH: '/usr/bin:/bin', XDG_CACHE_HOME: join(place, 'cache') }
  })
  for (const path of [place, join(place, 'run')]) chownSync(path, USER, USER)
  root.share(place)
  t.teardown(() => rmSync(place, { recursive: true, force: true }))
  return computer
}

/** Its `coterie`, with the user's environment. */
function typed(root: Root, { environment }: Computer, words: string, stdin = '') {
  const variables = Object.entries(environment).map(([name, value]) => `${name}='${value}'`)
  const as = `setpriv --reuid ${USER} --regid ${USER} --clear-groups env -i ${variables.join(' ')}`
  return root.run('sh', '-c', `printf %s '${stdin}' | ${as} coterie ${words}`)
}

if (inside(t, import.meta.url)) {
  const skip = lacking('dpkg', 'dpkg-deb', `${target.triplet}-strip`, `${target.triplet}-g++`)
  t.test('a package: made, installed, used, upgraded, removed', { skip }, async t => {
    const root = new Root(t)
    const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const [made] = await makePackages({ targets: [target], formats: ['deb'], folder, quickly: true })
    const deb = made!.path
    root.share(folder)

    t.comment('what is inside')
    const list = (await run('dpkg-deb', ['-c', deb])).out.trimEnd().split('\n')
    const entries = list
      .map(line => line.split(/\s+/))
      .map(([mode, owner, , , , path]) => ({ mode, owner, path }))
    t.same(
      entries.filter(e => e.owner !== 'root/root'),
      [],
      'all is root’s'
    )
    const programs = entries.filter(e => e.mode?.startsWith('-') && e.mode.includes('x')).map(e => e.path)
    const handlers = readdirSync('handlers').map(name => `./usr/share/coterie/handlers/${name}`)
    t.same(programs, [
      './usr/bin/coterie',
      './usr/bin/coteried',
      './usr/lib/coterie/node',
      ...handlers.sort()
    ])
    t.same(
      entries.filter(e => !/^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--)$/.test(e.mode!)),
      [],
      'nothing is writable for others or set-id'
    )
    for (const path of [
      ...['usr/lib/systemd/user/coterie.service', 'usr/lib/systemd/user/coterie.socket'],
      ...['usr/lib/systemd/user-preset/90-coterie.preset', 'usr/lib/firewalld/services/coterie.xml'],
      ...['etc/ufw/applications.d/coterie', 'usr/share/dbus-1/services/org.coterie.Coterie1.service'],
      ...['usr/share/dbus-1/interfaces/org.coterie.Coterie1.xml', 'usr/share/doc/coterie/sbom.cdx.json.gz'],
      ...['usr/lib/systemd/user/coterie-tray.service', 'usr/share/applications/org.coterie.Coterie.desktop'],
      ...['usr/share/icons/hicolor/scalable/apps/org.coterie.Coterie.svg'],
      ...['usr/share/man/man1/coterie.1.gz', 'usr/share/man/man8/coteried.8.gz'],
      ...['usr/share/man/man5/coterie.toml.5.gz', 'usr/share/bash-completion/completions/coterie'],
      ...['usr/share/zsh/vendor-completions/_coterie', 'usr/share/fish/vendor_completions.d/coterie.fish']
    ])
      t.ok(
        entries.some(e => e.path === `./${path}`),
        path
      )
    t.notOk(
      list.find(line => /\.map$|\.ts$|\/include\/|\bnpm\b|darwin|win32|musl/.test(line)),
      'nothing else'
    )

    t.comment('installed: nothing runs, nothing is enabled')
    await root.serviceManager(t, USER)
    const asked = () => readFileSync(`${root.path}/systemctl.log`, 'utf8').trimEnd().split('\n')
    t.match(await root.run('dpkg', '-i', deb), { code: 0 })
    t.same(asked(), [`${USER} --user --quiet daemon-reload`])
    const enabled = () =>
      root.has('/etc/systemd/user')
        ? readdirSync(`${root.path}/etc/systemd/user`, { recursive: true }).filter(f =>
            /coterie/.test(`${f}`)
          )
        : []
    t.same(enabled(), [])
    t.match(await root.run('dpkg', '-V', 'coterie'), { code: 0, out: '' }, 'as its sums say')

    t.comment('start, status, init, join, send')
    const [desk, laptop] = [user(t, root, 'desk'), user(t, root, 'laptop')]
    await Promise.all([desk.start(), laptop.start()])
    t.match(await typed(root, desk, '--version'), { code: 0, out: `${VERSION}\n` })
    t.match(await typed(root, desk, 'status'), { code: 0, out: /in no circle yet/ })
    t.match(await typed(root, desk, 'init --device desk'), { code: 0, out: /recovery/i })
    await desk.listens()
    const ticket = (await typed(root, desk, 'invite --ticket')).out.match(/^coterie1:\S+$/m)?.[0] ?? ''
    t.match(await typed(root, laptop, 'join - --device laptop', ticket), { code: 0 })
    await desk.sees('laptop')
    await root.run(
      'sh',
      '-c',
      `cd ${laptop.directory} && mkdir -p .config/coterie/handlers/message &&
      printf '#!/bin/sh\\necho "got $(cat)"\\n' > .config/coterie/handlers/message/hello &&
      chmod 755 .config/coterie/handlers/message/hello && chown -R ${USER}:${USER} .config`
    )
    t.match(await typed(root, desk, 'ask laptop hello there'), { code: 0, out: 'got there' })
    const notify = `require('/usr/lib/coterie/node_modules/sd-notify').sendState('STATUS=here')`
    t.match(await root.run('/usr/lib/coterie/node', '-e', notify), { code: 0 }, 'sd-notify loads')
    t.equal(await desk.stop(), 0)
    t.equal(await laptop.stop(), 0)

    t.comment('upgraded and removed')
    t.match(await root.run('dpkg', '-i', deb), { code: 0 })
    t.same(asked().slice(1), [
      `${USER} --user --quiet daemon-reload`,
      `${USER} --user --quiet is-failed coterie.service`,
      `${USER} --user --quiet try-restart coterie.service`,
      `${USER} --user --quiet try-restart coterie-tray.service`
    ])
    writeFileSync(`${root.path}/etc/ufw/applications.d/coterie`, '# mine\n')
    t.match(await root.run('dpkg', '-r', 'coterie'), { code: 0 })
    t.same(asked().slice(5), [
      `${USER} --user --quiet stop coterie-tray.service coterie.service coterie.socket`,
      `${USER} --user --quiet daemon-reload`
    ])
    t.notOk(root.has('/usr/lib/coterie'))
    t.ok(root.has('/etc/ufw/applications.d/coterie'), 'what was changed in /etc stays')
    t.match(await root.run('dpkg', '-P', 'coterie'), { code: 0 })
    t.notOk(root.has('/etc/ufw/applications.d/coterie'), 'until it is purged')
    t.same(enabled(), [])
    const left = readdirSync(root.upper, { recursive: true, withFileTypes: true })
      .map(e => join(e.parentPath, e.name).slice(root.upper.length))
      .filter(
        path => /coterie/.test(path) && !path.startsWith('/tmp/') && statSync(root.upper + path).size > 0
      )
      .filter(path => !statSync(root.upper + path).isCharacterDevice() && root.has(path))
    t.same(left, [], 'nothing is left')
    t.ok(statSync(desk.key).size > 0 || statSync(desk.database).size > 0, 'but what is the users’')
  })
}
