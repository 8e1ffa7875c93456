/** The doctor on a computer that is well, and on one that is not; and what a crash leaves on the disk. */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { randomBytes } from '../../src/crypto/provider.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'
import { databaseKey, rows } from './kept.ts'

interface Check {
  Name: string
  State: string
  Text: string
}
const states = (out: string) =>
  Object.fromEntries((JSON.parse(out).Checks as Check[]).map(({ Name, State }) => [Name, State]))

if (inside(t, import.meta.url)) {
  t.test('what it finds', async t => {
    const pc = await new Computer(t, 'pc').start()
    const fresh = await pc.coterie('doctor --json')
    t.equal(fresh.code, 0)
    t.match(states(fresh.out), { 'key-store': 'ok', files: 'ok', socket: 'ok', 'core-dumps': 'ok' })
    await pc.founds()
    const { out, code } = await pc.coterie('doctor')
    t.equal(code, 0)
    t.match(out.replaceAll(/\s+/g, ' '), /The key is in the file .*\/key, which other users cannot read/)
    t.comment(out)
    chmodSync(pc.database, 0o640)
    chmodSync(pc.runtime, 0o755)
    const ill = await pc.coterie('doctor --json')
    t.equal(ill.code, 1)
    t.match(states(ill.out), { files: 'failed', socket: 'failed' })
    const record = readFileSync(`${pc.key}-store`)
    writeFileSync(`${pc.key}-store`, 'x')
    t.match((await pc.coterie('doctor')).out.replaceAll(/\s+/g, ' '), /key-store does not say where the key/)
    writeFileSync(`${pc.key}-store`, record)
    chmodSync(pc.database, 0o600)
    chmodSync(pc.runtime, 0o700)
    await pc.stop()
    t.equal((await pc.coterie('doctor')).code, 3, 'the daemon does not run')
  })

  t.test('a crash', async t => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim()
    const elsewhere = /^[^|/]+$/.test(pattern) ? false : `core_pattern is ${pattern}`
    /** Ends a device in a circle by SIGABRT; the dumps it leaves, and its secrets. */
    const crash = async (t: Test, limit: string, filter = '') => {
      const place = t.testdir({})
      const wrapper = ['env', '--chdir', place, 'prlimit', `--core=${limit}`]
      const pc = new Computer(t, 'pc', { wrapper })
      await pc.start()
      await pc.founds()
      if (filter !== '') writeFileSync(`/proc/${pc.pid}/coredump_filter`, filter)
      pc.signal('SIGABRT')
      t.equal(await pc.over(), 'SIGABRT')
      const master = readFileSync(pc.key)
      const secrets = [master, databaseKey(master)]
      for (const row of rows(pc, 'circle')) secrets.push(row['seed'] as Buffer, row['secret'] as Buffer)
      const dumps = readdirSync(place).map(name => readFileSync(join(place, name)))
      return {
        dumps,
        found: dumps.flatMap(dump => secrets.filter(secret => dump.includes(Buffer.from(secret))))
      }
    }

    t.test('leaves nothing with LimitCORE=0', async t => {
      t.match(readFileSync('systemd/coterie.service', 'utf8'), /^LimitCORE=0$/m)
      const { dumps } = await crash(t, '0')
      t.strictSame(dumps, [])
    })
    t.test('leaves no memory where dumps are not limited', { skip: elsewhere }, async t => {
      const { dumps, found } = await crash(t, 'unlimited')
      t.equal(dumps.length, 1, 'it was dumped')
      t.ok(dumps[0]!.length < 1024 * 1024, `${dumps[0]!.length} bytes`)
      t.strictSame(found, [])
    })
    t.test('of a locked one holds no keys, not even in its memory', { skip: elsewhere }, async t => {
      const key = randomBytes(32)
      const place = t.testdir({ 'coterie.key': Buffer.from(key), dumps: {} })
      const open = new Computer(t, 'pc', { env: { CREDENTIALS_DIRECTORY: place } })
      await open.start()
      await open.founds()
      await open.stop()
      const secrets = [key, databaseKey(key)]
      for (const row of rows(open, 'circle', key))
        secrets.push(row['seed'] as Buffer, row['secret'] as Buffer)
      const wrapper = ['env', '--chdir', join(place, 'dumps'), 'prlimit', '--core=unlimited']
      const pc = new Computer(t, 'pc', { wrapper, place: open.directory })
      await pc.start()
      t.equal((await pc.status()).Device.State, 'locked')
      writeFileSync(`/proc/${pc.pid}/coredump_filter`, '0x33')
      pc.signal('SIGABRT')
      t.equal(await pc.over(), 'SIGABRT')
      const [dump] = readdirSync(join(place, 'dumps')).map(name => readFileSync(join(place, 'dumps', name)))
      t.ok(dump!.length > 1024 * 1024)
      t.strictSame(
        secrets.filter(secret => dump!.includes(Buffer.from(secret))),
        []
      )
    })
    t.test('whose memory was dumped would show its keys', { skip: elsewhere }, async t => {
      const { found } = await crash(t, 'unlimited', '0x33')
      t.ok(found.length > 0, `${found.length} secrets`)
    })
  })
}
