/** What may be run and what not, on a real folder. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { fileProblem, findHandlers } from '../../src/host/handler-files.ts'
import { privateGroup } from '../../src/host/private-group.ts'

const SOMEBODY = 65_534
const root = process.getuid!() === 0
const needsRoot = root ? false : 'needs root, to make files of others'

function place(t: { teardown(fn: () => void): void }) {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const folder = join(directory, 'handlers')
  mkdirSync(folder, { mode: 0o755 })
  const write = (path: string, text = '#!/bin/sh\n', mode = 0o700) => {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }
  const problems = async () => {
    const { files, closed } = await findHandlers(folder)
    return Object.fromEntries([...files, ...closed].map(({ path, problem }) => [path, problem]))
  }
  return { directory, folder, write, problems }
}

t.test('files of all kinds', async t => {
  const { directory, folder, write, problems } = place(t)
  write('message/good')
  write('message/.hidden')
  write('message/copy~')
  write('.git/message/never')
  write('message/plain', '#!/bin/sh\n', 0o600)
  write('message/writable', '#!/bin/sh\n', 0o722)
  write('message/grouped', '#!/bin/sh\n', 0o770)
  write('message/set-uid', '#!/bin/sh\n', 0o4700)
  write('message/no-line', 'echo hello\n')
  write('message/empty', '')
  write('message/no-program', '#!/no/such/program -x\n')
  write('message/windows', '#!/bin/sh\r\necho\r\n')
  write('message/relative', '#!python3\n')
  write('message/env', '#! /usr/bin/env sh\n')
  execFileSync('cp', ['/bin/true', join(folder, 'message/elf')])
  execFileSync('mkfifo', [join(folder, 'message/fifo')])
  const server = createServer().listen(join(folder, 'message/socket'))
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  symlinkSync('/dev/null', join(folder, 'message/device'))
  symlinkSync('nowhere', join(folder, 'message/dangling'))
  symlinkSync('loop', join(folder, 'message/loop'))
  symlinkSync('/bin/true', join(folder, 'message/link'))
  mkdirSync(join(directory, 'elsewhere/message'), { recursive: true })
  writeFileSync(join(directory, 'elsewhere/message/x'), '#!/bin/sh\n', { mode: 0o700 })
  symlinkSync(join(directory, 'elsewhere/message'), join(folder, 'message/linked'))
  t.match(await problems(), {
    'message/good': '',
    'message/elf': '',
    'message/env': '',
    'message/link': '',
    'message/plain': /not executable; `chmod u\+x`/,
    'message/writable': /others may write it/,
    'message/grouped': privateGroup() === undefined ? /others may write it/ : '',
    'message/set-uid': /set-user-id/,
    'message/no-line': /no program: a script begins with/,
    'message/empty': /no program/,
    'message/no-program': /names \/no\/such\/program, which is not there/,
    'message/windows': /CR LF/,
    'message/relative': /no absolute path/,
    'message/fifo': 'it is a FIFO',
    'message/socket': 'it is a socket',
    'message/device': 'it is a device',
    'message/dangling': 'it is a link that leads nowhere',
    'message/loop': 'it is a link that leads to itself',
    'message/linked': 'it is a link to a folder, which is not followed'
  })
  t.same(
    Object.keys(await problems()).filter(path => /hidden|~|git|linked\//.test(path)),
    [],
    'hidden ones, copies and what is behind a linked folder are not looked at'
  )
})

t.test('files and folders of others', { skip: needsRoot }, async t => {
  const { directory, folder, write, problems } = place(t)
  chownSync(write('message/theirs'), SOMEBODY, SOMEBODY)
  write('message/open/x')
  chmodSync(join(folder, 'message/open'), 0o757)
  write('message/sticky/x')
  chmodSync(join(folder, 'message/sticky'), 0o1777)
  write('message/foreign/deep/x')
  chownSync(join(folder, 'message/foreign'), SOMEBODY, SOMEBODY)
  const behind = join(directory, 'behind')
  mkdirSync(behind)
  writeFileSync(join(behind, 'x'), '#!/bin/sh\n', { mode: 0o700 })
  chmodSync(behind, 0o777)
  symlinkSync(join(behind, 'x'), join(folder, 'message/behind'))
  t.match(await problems(), {
    'message/theirs': /belongs to somebody else/,
    'message/open/x': /others may write the folder .*open/,
    'message/sticky/x': /others may write the folder .*sticky/,
    'message/foreign/deep/x': /the folder .*foreign belongs to somebody else/,
    'message/behind': /others may write the folder .*behind/
  })
})

t.test('the handler folder', async t => {
  const { directory, folder, write, problems } = place(t)
  write('message/x')
  t.same(await findHandlers(join(directory, 'none')), { files: [], closed: [] }, 'one that is not there')
  chmodSync(directory, 0o777)
  t.match(
    await problems(),
    { 'message/x': /others may write the folder/ },
    'in a folder that others may write'
  )
  t.match(await fileProblem(folder, 'message/x'), /others may write/)
  chmodSync(directory, 0o1777)
  t.match(await problems(), { 'message/x': '' }, 'where they may not replace it')
  chmodSync(directory, 0o755)

  renameSync(folder, join(directory, 'real'))
  symlinkSync('real', folder)
  t.match(await problems(), { 'message/x': '' }, 'a link to it')
  t.equal(await fileProblem(folder, 'message/x'), '')
  chmodSync(join(directory, 'real'), 0o777)
  t.match(await problems(), { 'message/x': /others may write the folder .*real/ })
})

t.test('between the lookup and the start', async t => {
  const { directory, folder, write } = place(t)
  const file = write('message/sub/x')
  const problem = () => fileProblem(folder, 'message/sub/x')
  t.equal(await problem(), '')
  chmodSync(file, 0o722)
  t.match(await problem(), /others may write it/)
  rmSync(file)
  t.equal(await problem(), 'it is not there')
  execFileSync('mkfifo', [file])
  t.equal(await problem(), 'it is a FIFO', 'which is not waited for')
  rmSync(file)
  symlinkSync('/etc/passwd', file)
  t.match(await problem(), /not executable/)
  rmSync(file)
  write('message/sub/x')
  renameSync(join(folder, 'message/sub'), join(directory, 'sub'))
  symlinkSync(join(directory, 'sub'), join(folder, 'message/sub'))
  t.match(await problem(), /message\/sub is no folder/, 'a folder was replaced by a link')
  rmSync(join(folder, 'message/sub'))
  t.equal(await problem(), 'it is not there')
})

t.test('a folder that cannot be read', { skip: needsRoot }, async t => {
  const { folder, write } = place(t)
  write('message/x')
  mkdirSync(join(folder, 'message/secret'))
  execFileSync('chown', ['-R', `${SOMEBODY}`, dirname(folder)])
  chmodSync(join(folder, 'message/secret'), 0o300)
  const script = `import { findHandlers } from ${JSON.stringify(new URL('../../src/host/handler-files.ts', import.meta.url).href)}
    console.log(JSON.stringify(await findHandlers(${JSON.stringify(folder)})))`
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', script], { uid: SOMEBODY })
  t.same(JSON.parse(String(found)), {
    files: [{ path: 'message/x', problem: '' }],
    closed: [{ path: 'message/secret', problem: 'it cannot be read (EACCES)' }]
  })
})

t.test('5,000 files, and too many', async t => {
  const { folder, write } = place(t)
  for (let i = 0; i < 5_000; i++) write(`message/f${i % 50}/x${i}`)
  let longest = 0
  let last = performance.now()
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  const began = performance.now()
  const { files, closed } = await findHandlers(folder)
  clearInterval(beat)
  t.comment(`${Math.round(performance.now() - began)} ms, the loop held up for ${Math.round(longest)} ms`)
  t.equal(files.filter(({ problem }) => problem === '').length, 5_000)
  t.same(closed, [])
  let deep = 'message'
  for (let i = 0; i < 12; i++) deep += '/a'
  write(`${deep}/x`)
  t.match((await findHandlers(folder)).closed, [{ problem: /more than 10 folders deep/ }])
})
