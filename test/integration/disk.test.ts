/** A database that is damaged, gone or too new; a disk that is full, or cannot be written. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'
import { openDatabase } from './kept.ts'
import { onSmallDisk } from './small-disk.ts'

const CONFIGURATION = 78

function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 0x10
  writeFileSync(path, bytes)
}

if (inside(t, import.meta.url)) {
  t.test('a damaged database', async t => {
    const pc = await new Computer(t, 'pc').start()
    const { Id } = await pc.founds()
    await pc.stop()
    const whole = readFileSync(pc.database)
    const wal = `${pc.database}-wal`
    const refuses = async (what: string, pattern: RegExp) => {
      const before = existsSync(pc.database) ? readFileSync(pc.database) : undefined
      const refused = await pc.refusal()
      t.equal(refused.code, CONFIGURATION, `${what}: does not start`)
      t.match(refused.err, pattern, what)
      if (before) t.ok(before.equals(readFileSync(pc.database)), `${what}: it is left as it was`)
      writeFileSync(pc.database, whole)
    }
    const told = /is damaged \(.*\); it was left as it is\. Put back a copy of it, or move it away/
    for (const at of [3, 20, 100, 4096 + 50, Math.floor(whole.length / 2), whole.length - 20]) {
      flip(pc.database, at)
      await refuses(`byte ${at} of ${whole.length} flipped`, told)
    }
    truncateSync(pc.database, Math.floor(whole.length / 2))
    await refuses('cut in half', told)
    truncateSync(pc.database, 0)
    await refuses('empty', told)

    const sql = openDatabase(pc)
    sql.pragma('user_version=9')
    sql.close()
    await refuses('from a newer version', /made by a newer coterie \(schema 9, .*\); upgrade this one/)

    await pc.start()
    t.equal((await pc.status()).Device.Id, Id, 'put back, it is as good as before')

    t.comment('its write-ahead log, as a crash leaves it')
    for (let i = 0; i < 4; i++) await pc.ticket()
    await pc.kill()
    t.ok(statSync(wal).size > 3 * 4096)
    const kept = [readFileSync(pc.database), readFileSync(wal)] as const
    for (const at of [8, 32 + 24 + 1000]) {
      flip(wal, at)
      const damaged = readFileSync(wal)
      const refused = await pc.refusal()
      t.equal(refused.code, CONFIGURATION)
      t.match(refused.err, /coterie\.db(-wal)? is damaged \(.*\); it was left as it is/, `byte ${at}`)
      t.ok(existsSync(wal) && damaged.equals(readFileSync(wal)), `byte ${at}: the log is left as it was`)
      t.ok(kept[0].equals(readFileSync(pc.database)), `byte ${at}: so is the database`)
      writeFileSync(pc.database, kept[0])
      writeFileSync(wal, kept[1])
    }
    await pc.start()
    t.equal((await pc.status()).Device.Id, Id)
  })

  t.test('init and join on a full disk', async t => {
    const anna = await new Computer(t, 'anna').start()
    await anna.founds()
    const { computer: pc, fill, free } = onSmallDisk(t, 'ben', 4096)
    await pc.start()
    fill()
    const full = /^NoSpace: the disk is full: no room for .*; nothing was changed/
    t.match(await failure(pc.call('Init')), full)
    t.match(await failure(pc.joins(await anna.ticket())), full)
    t.match(await pc.coterie('init'), { code: 1, err: /the disk is full/ })
    t.equal((await anna.status()).Circle.Members, 1)
    t.equal((await pc.status()).Device.State, 'new')
    t.notOk(existsSync(pc.key), 'no key is left behind')
    await pc.kill()
    free()
    await pc.start()
    fill()
    t.match(await failure(pc.call('Init')), full)
    free()
    await pc.joins(await anna.ticket())
    await anna.sees('ben')
  })

  t.test('a disk that gets full and has room again', async t => {
    const { computer: anna, fill, free } = onSmallDisk(t, 'anna', 8192)
    const small = onSmallDisk(t, 'ben', 8192)
    const ben = small.computer
    const cleo = new Computer(t, 'cleo')
    await Promise.all([anna.start(), ben.start(), cleo.start()])
    await anna.founds()
    await ben.joins(await anna.ticket())
    await anna.sees('ben')
    const before = await anna.call('Devices')
    const ticket = await anna.ticket()

    fill()
    t.match(await failure(anna.call('Remove', { Device: 'ben' })), /^NoSpace: /)
    t.match(await failure(anna.call('MakeTicket')), /^NoSpace: /)
    t.match(await failure(anna.call('Leave')), /^NoSpace: /)
    t.match(await failure(cleo.joins(ticket, 3)), /^(NotAllowed|Timeout): /, 'nobody can be added')
    t.equal((await cleo.status()).Device.State, 'new')
    t.strictSame(await anna.call('Devices'), before, 'nothing changed')
    t.equal((await anna.status()).Device.State, 'ready')
    t.equal((await anna.call('Ping', { Peer: 'ben' })).LatencyUSec.length, 1, 'and the daemon works on')
    await ben.kill()
    await ben.start()
    await anna.sees('ben')
    free()
    await cleo.joins(ticket)
    await anna.sees('cleo')

    t.comment('a member whose disk is full hears of a change')
    small.fill()
    const dora = await new Computer(t, 'dora').start()
    await dora.joins(await anna.ticket())
    const waiting = await ben.until('says what waits', s => s.Notes.some(n => /disk is full/.test(n)))
    t.comment(waiting.Notes.join('\n'))
    small.free()
    await ben.sees('dora')
    await ben.until('all is well', s => !s.Notes.some(n => /disk is full/.test(n)))
    await ben.kill()
    await ben.start()
    t.equal((await ben.status()).Circle.Members, 4, 'and it is on disk')
  })

  t.test('a disk that cannot be written', async t => {
    const { computer: pc, place } = onSmallDisk(t, 'pc', 8192)
    const remount = (mode: string) => execFileSync('mount', ['-o', `remount,${mode}`, place])
    await pc.start()
    await pc.founds()
    await pc.stop()
    remount('ro')
    const refused = await pc.refusal()
    t.not(refused.code, 0)
    t.match(refused.err, /^coteried: .*read-only/)
    t.comment(refused.err)
    remount('rw')
    await pc.start()
    t.equal((await pc.status()).Circle.Members, 1)
  })
}
