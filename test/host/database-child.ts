/**
 * A process that uses a database until it is stopped, for database.test.ts.
 *   write PATH [N]   commits settings one after another, by twos; prints the number of each once it is on disk, and
 *                    is killed when it has printed N
 *   fill DIRECTORY   commits to coterie.db in it until the disk is full, removes the file `filler` in it, goes on;
 *                    prints what it saw as JSON. DIRECTORY must have a file system of its own.
 */
import { rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hash } from '../../src/crypto/provider.ts'
import { Database, DatabaseError, type Write } from '../../src/host/database.ts'

const [mode, place, most] = process.argv.slice(2)
const path = mode === 'fill' ? join(place!, 'coterie.db') : place!
const key = new Uint8Array(32).fill(1)
const open = (create: boolean) =>
  Database.open({ path, key, fingerprint: hash(key).subarray(0, 16), create, log: () => undefined })

export const setting = (n: number, size = 10): Write => ({
  put: { table: 'setting', key: `k${n}`, value: 'v'.repeat(size) }
})

async function write(): Promise<void> {
  const database = await open(true)
  let n = (await database.load()).length
  let acknowledged = 0
  const told = async (mine: number) => {
    await database.commit([setting(mine)])
    writeSync(1, `${mine}\n`)
    if (++acknowledged === Number(most)) process.kill(process.pid, 'SIGKILL')
  }
  for (;;) await Promise.all([told(n++), told(n++)])
}

async function fill(): Promise<void> {
  if (statSync(place!).dev === statSync(dirname(place!)).dev) throw new Error('not a file system of its own')
  const database = await open(true)
  const acknowledged: number[] = []
  let n = 0
  const some = () =>
    Promise.allSettled(
      [n++, n++].map(async mine => {
        await database.commit([setting(mine, 20_000)])
        acknowledged.push(mine)
      })
    )
  let failure: unknown
  while (failure === undefined && n < 1000)
    failure = (await some()).find(result => result.status === 'rejected')?.reason
  const again = (await some()).filter(result => result.status === 'rejected').length
  rmSync(join(place!, 'filler'), { force: true })
  const after = (await some()).filter(result => result.status === 'fulfilled').length
  const seen = (await database.load()).map(row => (row.table === 'setting' ? row.key : ''))
  await database.close()
  const reopened = await open(false)
  const kept = (await reopened.load()).map(row => (row.table === 'setting' ? row.key : ''))
  await reopened.close()
  const code = failure instanceof DatabaseError ? failure.code : String(failure)
  writeSync(
    1,
    JSON.stringify({ code, again, after, acknowledged: acknowledged.map(k => `k${k}`), seen, kept })
  )
}

if (mode === 'write') await write()
if (mode === 'fill') await fill()
