/** What coteried refuses to start with, by a sentence and an exit code; and that it leaves everything as it was. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { top } from '../../scripts/package/run.ts'
import { follow, lacking } from '../command.ts'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'

const CONFIGURATION = 78

/** Names, modes and contents of what the daemon keeps; its lock is not that. */
function picture(computer: Computer): string[] {
  const list: string[] = []
  for (const directory of [computer.state, computer.data])
    for (const name of existsSync(directory) ? readdirSync(directory).sort() : []) {
      const path = join(directory, name)
      if (name === 'lock' || !lstatSync(path).isFile()) continue
      const digest = createHash('sha256').update(readFileSync(path)).digest('hex')
      list.push(`${name} ${statSync(path).mode.toString(8)} ${digest}`)
    }
  return list
}

const occupy = (where: object): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    server.on('error', reject)
    server.listen(where, () => resolve(server))
  })

if (inside(t, import.meta.url)) {
  t.test('an unknown key in the configuration', async t => {
    const pc = new Computer(t, 'pc')
    pc.configure('[network]\nprot = 1234\n')
    const refused = await pc.refusal()
    t.equal(refused.code, CONFIGURATION)
    t.match(refused.err, `${pc.configFile}: line 2: unknown key network.prot; did you mean port?`)
    t.strictSame(picture(pc), [], 'nothing was made')

    const checked = await pc.coterie('config check')
    t.equal(checked.code, CONFIGURATION)
    t.match(checked.err, /unknown key network\.prot; did you mean port\?/)

    pc.configure('[network]\nport = 30123\n')
    const good = await pc.coterie('config check')
    t.match(good, { code: 0, out: `${pc.configFile}: no errors\n` })

    t.comment('at reload the old one stays in force')
    await pc.start()
    await pc.founds()
    const before = await pc.status()
    t.equal(before.Listeners[0]?.Port, 30123)
    pc.configure('[network]\nport = 30124\n[devcie]\nname = "x"\n')
    t.match(await failure(pc.call('Reload')), /^InvalidValue: .*unknown key devcie; did you mean device\?/)
    const from = pc.log.length
    pc.signal('SIGHUP')
    t.match(await pc.logs(/unknown key/, from), /error .*unknown key devcie; did you mean device\?/)
    t.strictSame(await pc.status(), before)
    t.match((await pc.call('Config')).Values, { network: { port: 30123 } })
    pc.configure('[network]\nport = 30124\n')
    await pc.call('Reload')
    await pc.until('listens at the new port', status => status.Listeners[0]?.Port === 30124)
  })

  t.test('a configuration that is not TOML, or cannot be read', async t => {
    const pc = new Computer(t, 'pc')
    pc.configure('[network\n')
    t.match(await pc.refusal(), { code: CONFIGURATION, err: /coterie\.toml: line 1, column \d+: / })
    rmSync(pc.configFile)
    mkdirSync(pc.configFile)
    t.match(await pc.refusal(), { code: CONFIGURATION, err: /coterie\.toml cannot be read \(EISDIR\)/ })
  })

  t.test('keys and database', async t => {
    const pc = await new Computer(t, 'pc').start()
    await pc.founds()
    await pc.stop()
    const whole = picture(pc)
    const copies = join(pc.directory, 'copies')
    mkdirSync(copies)
    const away = (path: string) => renameSync(path, join(copies, 'file'))
    const back = (path: string) => renameSync(join(copies, 'file'), path)

    const refuses = async (what: string, pattern: RegExp) => {
      const before = picture(pc)
      const refused = await pc.refusal()
      t.equal(refused.code, CONFIGURATION, `${what}: does not start`)
      t.match(refused.err, pattern, what)
      t.equal(refused.err.trim().split('\n').length, 1, `${what}: one sentence`)
      t.strictSame(picture(pc), before, `${what}: nothing changed`)
    }

    chmodSync(pc.key, 0o644)
    await refuses('others may read the key', /key can be reached by other users \(mode 644\).*chmod 600/)
    chmodSync(pc.key, 0o640)
    await refuses('the group may read the key', /mode 640/)
    chmodSync(pc.key, 0o600)
    chmodSync(pc.state, 0o755)
    await refuses('a wide-open directory', /can be reached by other users \(mode 755\).*chmod 700/)
    chmodSync(pc.state, 0o700)
    chownSync(pc.key, 12345, 12345)
    await refuses('a key of another user', /belongs to another user \(uid 12345\)/)
    chownSync(pc.key, 0, 0)

    away(pc.key)
    await refuses('no key', /the key file .* is missing.*put back a copy/)
    symlinkSync(join(copies, 'file'), pc.key)
    await refuses('a link to the key', /key is a symbolic link; move it away/)
    rmSync(pc.key)
    symlinkSync('/nowhere', pc.key)
    await refuses('a link to nowhere', /key is a symbolic link; move it away/)
    rmSync(pc.key)
    mkdirSync(pc.key)
    await refuses('a directory', /key is not a plain file/)
    rmSync(pc.key, { recursive: true })
    writeFileSync(pc.key, Buffer.alloc(32, 7), { mode: 0o600 })
    await refuses('another key', /belongs to another key than the one found/)
    truncateSync(pc.key, 31)
    await refuses('a short key', /holds 31 bytes, not the 32 of a key/)
    rmSync(pc.key)
    back(pc.key)

    away(pc.database)
    await refuses('no database', /the database .* is missing although its key .* is there: put back a copy/)
    back(pc.database)

    t.strictSame(picture(pc), whole, 'all is as it was')
    await pc.start()
    t.equal((await pc.status()).Circle.Members, 1)
  })

  t.test('a key this user cannot read', async t => {
    const pc = await new Computer(t, 'pc').start()
    await pc.founds()
    await pc.stop()
    chmodSync(pc.key, 0)
    chmodSync(pc.directory, 0o755)
    const asUser = new Computer(t, 'user', {
      place: pc.directory,
      wrapper: ['setpriv', '--reuid', '12345', '--clear-groups', '--regid', '12345']
    })
    for (const path of [pc.state, pc.data, pc.key, `${pc.key}-store`, pc.database, join(pc.directory, 'run')])
      chownSync(path, 12345, 12345)
    rmSync(join(pc.data, 'lock'))
    for (const path of ['.local', '.local/state', '.local/share']) chmodSync(join(pc.directory, path), 0o755)
    t.match(await asUser.refusal(), { code: CONFIGURATION, err: /key cannot be used: EACCES/ })
  })

  t.test('the place of the socket', async t => {
    const pc = new Computer(t, 'pc')
    const refuses = async (what: string, pattern: RegExp, env = {}, code = 1) => {
      const refused = await pc.refusal(undefined, env)
      t.equal(refused.code, code, `${what}: does not start`)
      t.match(refused.err, pattern, what)
    }
    mkdirSync(pc.runtime, { mode: 0o700 })
    const other = await occupy({ path: pc.socket })
    await refuses('another program', new RegExp(`${pc.socket} is in use by process ${process.pid} \\(`))
    await new Promise(resolve => other.close(resolve))
    writeFileSync(pc.socket, 'mine')
    await refuses('a file', /is in the way: it is not a socket/)
    t.equal(readFileSync(pc.socket, 'utf8'), 'mine')
    rmSync(pc.socket)
    chmodSync(pc.runtime, 0o777)
    await refuses('a directory open to all', /can be entered by others \(mode 777\): run chmod 700/)
    chmodSync(pc.runtime, 0o700)
    chownSync(pc.runtime, 12345, 12345)
    await refuses('a directory of another', /belongs to another user \(uid 12345\)/)
    rmSync(pc.runtime, { recursive: true })
    mkdirSync(join(pc.directory, 'elsewhere'), { mode: 0o700 })
    symlinkSync(join(pc.directory, 'elsewhere'), pc.runtime)
    await refuses('a link', /is a symbolic link/)
    rmSync(pc.runtime)
    const long = join(pc.directory, 'x'.repeat(100))
    await refuses(
      'a long path',
      /bytes long; .*at most 107: set XDG_RUNTIME_DIR/,
      { XDG_RUNTIME_DIR: long },
      78
    )
    const said = await new Computer(t, 'x', { place: pc.directory, env: { XDG_RUNTIME_DIR: long } }).coterie(
      'status'
    )
    t.match(said.err, /at most 107: set XDG_RUNTIME_DIR/, 'the command line says the same')
    t.notOk(said.code === 0)
    await pc.start()
    await pc.kill()
    t.ok(existsSync(pc.socket), 'the socket of one that was killed')
    await pc.start()
    t.equal(statSync(pc.socket).mode & 0o777, 0o600)
  })

  t.test('who woke it up through systemd is told', { skip: lacking('systemd-socket-activate') }, async t => {
    const pc = new Computer(t, 'pc')
    pc.configure('[network]\nprot = 1234\n')
    mkdirSync(pc.runtime, { mode: 0o700 })
    const variables = Object.entries(pc.environment).map(([name, value]) => `-E${name}=${value}`)
    const args = [...variables, '--listen', pc.socket, join(top, 'bin/coteried')]
    const systemd = follow(t, 'systemd-socket-activate', args, pc.environment)
    await systemd.line(/Listening/)
    const said = await pc.coterie('status')
    t.match(said, { code: 3, err: /^coterie: coteried cannot start: .*unknown key network\.prot/ })
    await systemd.line(/^coteried: .*unknown key network\.prot/)
  })

  t.test('a second one on the same data', async t => {
    const pc = await new Computer(t, 'pc').start()
    const refused = await pc.refusal(undefined, { XDG_RUNTIME_DIR: join(pc.directory, 'other') })
    t.equal(refused.code, 1)
    t.match(refused.err, new RegExp(`another coteried \\(pid ${pc.pid}\\) runs on this data directory`))
    t.equal((await pc.status()).Device.State, 'new', 'the first goes on')
    await pc.kill()
    await pc.start()
  })

  t.test('ports that others have', async t => {
    const servers: Server[] = []
    const take = async (port: number) =>
      servers.push(await occupy({ host: '127.0.0.1', port }), await occupy({ host: '::1', port }))
    t.teardown(() => {
      for (const server of servers) server.close()
    })
    await take(24747)
    const next = await new Computer(t, 'next').start()
    await next.founds()
    t.strictSame(
      (await next.status()).Listeners.map(l => l.Port),
      [24748, 24748],
      'the next one'
    )
    t.strictSame(
      (await next.status()).Notes.filter(n => /port/i.test(n)),
      [],
      'nobody has to know'
    )
    await next.kill()

    for (let port = 24748; port <= 24756; port++) await take(port)
    const none = await new Computer(t, 'none').start()
    await none.call('Init', { Name: 'home', Device: 'none' })
    const noted = await none.until('a note', ({ Notes }) => Notes.some(n => /24747.*24756/.test(n)))
    t.strictSame(noted.Listeners, [])
    t.match((await none.coterie('status')).out, /24747.*24756/, 'the status says it')
    t.comment(noted.Notes.join('\n'))

    const fixed = new Computer(t, 'fixed')
    await take(31234)
    fixed.configure('[network]\nport = 31234\n')
    await fixed.start()
    await fixed.call('Init', { Name: 'home', Device: 'fixed' })
    const alone = await fixed.until('a note', ({ Notes }) => Notes.some(n => n.includes('31234')))
    t.strictSame(alone.Listeners, [])
    t.comment(alone.Notes.join('\n'))
    for (const server of servers.splice(-2)) server.close()
    await fixed.until('it is free again', status => status.Listeners.length === 2)
    t.strictSame(
      (await fixed.status()).Notes.filter(n => n.includes('31234')),
      []
    )
  })
}
