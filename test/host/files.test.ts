import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { atomicWrite, createKey, FileError, privateDirectory, readKey } from '../../src/host/files.ts'
import { InstanceLock, LockError } from '../../src/host/lock.ts'

const key = new Uint8Array(32).map((_, i) => i)
const fails = async (promise: Promise<unknown>): Promise<FileError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof FileError) return error
    throw error
  }
  throw new Error('it did not fail')
}

t.test('a key is written once, for its owner only', async t => {
  const path = join(t.testdir(), 'data', 'key')
  await createKey(path, key)
  t.same(await readKey(path), key)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
  t.equal((await fails(createKey(path, new Uint8Array(32)))).code, 'exists')
  t.same(await readKey(path), key, 'left as it was')
  t.same(readdirSync(join(path, '..')), ['key'], 'no drafts stay')
})

t.test('a key file that others could have touched is refused, with what to do', async t => {
  const directory = join(t.testdir(), 'data')
  const path = join(directory, 'key')
  await createKey(path, key)
  chmodSync(path, 0o640)
  const wide = await fails(readKey(path))
  t.equal(wide.code, 'unsafe')
  t.match(wide.message, `chmod 600 ${path}`)
  chmodSync(path, 0o600)
  chmodSync(directory, 0o755)
  t.match((await fails(readKey(path))).message, `chmod 700 ${directory}`)
  chmodSync(directory, 0o700)
  symlinkSync(path, join(directory, 'link'))
  t.match((await fails(readKey(join(directory, 'link')))).message, 'symbolic link')
  writeFileSync(join(directory, 'short'), 'x', { mode: 0o600 })
  t.equal((await fails(readKey(join(directory, 'short')))).code, 'damaged')
  mkdirSync(join(directory, 'sub'), { mode: 0o700 })
  t.equal((await fails(readKey(join(directory, 'sub')))).code, 'unsafe')
  t.equal((await fails(readKey(join(directory, 'none')))).code, 'missing')
})

t.test('a key of another user is refused', { skip: process.getuid!() !== 0 && 'needs root' }, async t => {
  const path = join(t.testdir(), 'data', 'key')
  await createKey(path, key)
  const { chownSync } = await import('node:fs')
  chownSync(path, 12345, 12345)
  t.match((await fails(readKey(path))).message, 'another user')
})

t.test('atomicWrite replaces a file as a whole', async t => {
  const path = join(t.testdir({ file: 'old' }), 'file')
  await atomicWrite(path, 'new', 0o644)
  t.equal(readFileSync(path, 'utf8'), 'new')
  const error = await fails(atomicWrite(join(path, 'below'), 'x'))
  t.equal(error.code, 'io')
  t.equal((await fails(privateDirectory(path))).code, 'exists')
})

const holder = `
  import { InstanceLock } from '${new URL('../../src/host/lock.ts', import.meta.url)}'
  await InstanceLock.take(process.argv[1])
  process.stdout.write('held')
  setInterval(() => {}, 1000)`
async function hold(path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holder, path], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  await once(child.stdout!, 'data')
  return child
}

t.test('one instance: the second is told the pid, kill -9 frees the lock', async t => {
  const path = join(t.testdir(), 'lock')
  const child = await hold(path)
  t.teardown(() => child.kill('SIGKILL'))
  const refused = await InstanceLock.take(path).catch((error: LockError) => error)
  if (!(refused instanceof LockError)) return t.fail('taken twice')
  t.equal(refused.pid, child.pid)
  t.match(refused.message, `pid ${child.pid}`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(readFileSync(path, 'utf8'), `${child.pid}\n`, 'its pid is still written there')
  const lock = await InstanceLock.take(path)
  t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`)
  await lock.release()
  t.ok(existsSync(path))
  await (await InstanceLock.take(path)).release()
})

t.test('the lock does not live on in children', async t => {
  const path = join(t.testdir(), 'lock')
  const lock = await InstanceLock.take(path)
  const child = spawn('sleep', ['60'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await lock.release()
  await (await InstanceLock.take(path)).release()
})
