/**
 * The packages in dist/, as `npm run package` made them: what lintian and rpmlint say, rpm's own install, check and
 * removal in a root of its own, and the arm64 daemon under qemu.
 */
import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { top } from '../../scripts/package/run.ts'
import { VERSION } from '../../src/api/api.ts'
import { Client } from '../../src/cli/client.ts'
import { follow, lacking, run } from '../command.ts'
import { inside } from '../namespace.ts'
import { Root } from '../packages/root.ts'

const dist = (name: string) => join(top, 'dist', name)
const debs = ['amd64', 'arm64'].map(arch => dist(`coterie_${VERSION}_${arch}.deb`))
const rpms = ['x86_64', 'aarch64'].map(arch => dist(`coterie-${VERSION}-1.${arch}.rpm`))
const missing = [...debs, ...rpms].filter(path => !existsSync(path))
const skip = missing.length > 0 && `run npm run package first: ${missing.join(', ')} is missing`

/** Longer than a command of other tests may take. */
const long = (command: string, args: string[]) =>
  new Promise<string>(resolve => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        said += text
      })
    child.on('close', code => resolve(`${said}exit ${code}`))
  })

if (inside(t, import.meta.url)) {
  t.test(
    'lintian has nothing to say that is not explained',
    { skip: skip || lacking('lintian') },
    async t => {
      const said = await long('lintian', [
        '--tag-display-limit',
        '0',
        '--allow-root',
        '-I',
        '--pedantic',
        ...debs
      ])
      t.equal(said, 'exit 0')
    }
  )

  t.test('nor has rpmlint', { skip: skip || lacking('rpmlint') }, async t => {
    const said = await long('rpmlint', ['-c', join(top, 'packaging/rpm/rpmlint.toml'), ...rpms])
    t.match(said, /0 errors, 0 warnings, 0 badness[\s\S]*exit 0$/)
  })

  t.test('rpm installs, verifies and removes it', { skip: skip || lacking('rpm') }, async t => {
    const root = mkdtempSync(join(tmpdir(), 'ct-rpm-'))
    t.teardown(() => rmSync(root, { recursive: true }))
    const rpm = (...args: string[]) => run('rpm', ['--root', root, ...args])
    // the libraries are this computer's, of which rpm knows nothing, and so is the shell of the scripts
    t.match(await rpm('-i', '--nodeps', '--noscripts', rpms[0]!), { code: 0 })
    t.match(await rpm('-V', '--nodeps', 'coterie'), { code: 0, out: '' })
    t.match(await run(join(root, 'usr/bin/coterie'), ['--version']), { out: `${VERSION}\n` })
    const { out } = await rpm('-q', '--requires', 'coterie')
    t.notMatch(out, /node\(|npm\(|\.node/, 'the private Node is nobody’s business')
    t.match(await rpm('-q', '--provides', 'coterie'), { out: /^(?!.*\.node)/s })
    t.match(await rpm('-e', '--noscripts', 'coterie'), { code: 0 })
    t.same(globSync(`${root}/{usr,etc}/**/*coterie*`), [])
  })

  t.test('its scripts reach the instances of users', { skip: skip || lacking('rpm') }, async t => {
    const root = new Root(t)
    root.share(join(top, 'dist'))
    const uid = 65534
    await root.serviceManager(t, uid)
    const asked = () => readFileSync(`${root.path}/systemctl.log`, 'utf8').trimEnd().split('\n')
    const rpm = (...args: string[]) => root.run('rpm', '--force-debian', '--nodeps', ...args)
    t.match(await rpm('-i', rpms[0]!), { code: 0 })
    t.same(asked(), [`${uid} --user --quiet daemon-reload`])
    t.match(await rpm('-e', 'coterie'), { code: 0 })
    t.same(asked().slice(1), [
      `${uid} --user --quiet stop coterie-tray.service coterie.service coterie.socket`,
      `${uid} --user --quiet daemon-reload`
    ])
  })

  const qemu = 'qemu-aarch64-static'
  t.test('the arm64 daemon starts under qemu', { skip: skip || lacking(qemu, 'dpkg-deb') }, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'ct-arm-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    await long('dpkg-deb', ['-x', debs[1]!, folder])
    const library = join(folder, 'usr/lib/coterie')
    const runtime = join(folder, 'run')
    mkdirSync(runtime, { mode: 0o700 })
    const env = {
      HOME: folder,
      XDG_RUNTIME_DIR: runtime,
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus',
      DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus',
      // libraries of the cross compiler
      QEMU_LD_PREFIX: '/usr/aarch64-linux-gnu'
    }
    const flags = /flags='([^']*)'/
      .exec(readFileSync(join(folder, 'usr/bin/coteried'), 'utf8'))![1]!
      .split(' ')
    const command = [join(library, 'node'), ...flags, join(library, 'coteried.js'), '--only', 'lo']
    const daemon = follow(t, qemu, command, env)
    await daemon.line(/ ready/)
    const client = await Client.open(join(runtime, 'coterie/coterie.sock'))
    const { Circle } = await client.call('Init', { Device: 'arm' })
    t.match(await client.call('Status', {}), {
      Device: { Name: 'arm', State: 'ready' },
      Circle: { Id: Circle }
    })
    client.close()
  })
}
