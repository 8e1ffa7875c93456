import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { VERSION } from '../../src/api/api.ts'
import { bin, desk, run } from './command.ts'

const top = dirname(bin)

function write(path: string, content: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  chmodSync(path, mode)
}

t.test('from a checkout, through links, from anywhere, without a Node of the machine', async t => {
  const { environment, directory } = await desk(t, { daemon: false })
  const env = { ...environment, PATH: '/usr/bin:/bin' }
  symlinkSync(join(bin, 'coterie'), join(directory, 'absolute'))
  symlinkSync('absolute', join(directory, 'relative'))
  for (const program of [join(bin, 'coterie'), join(directory, 'absolute'), join(directory, 'relative')]) {
    t.same(await run(program, ['--version'], { env }), { code: 0, out: `${VERSION}\n`, err: '' })
  }
  const script = `cd '${bin}' && ./coterie --version && sh coterie --version && PATH=.:$PATH && coterie --version`
  t.same(await run('/bin/sh', ['-c', script], { env }), { code: 0, out: `${VERSION}\n`.repeat(3), err: '' })
})

t.test('installed, and not installed', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const name of ['coterie', 'coteried']) {
    mkdirSync(join(directory, 'bin'), { recursive: true })
    copyFileSync(join(bin, name), join(directory, 'bin', name))
    t.match(await run(join(directory, 'bin', name), [], {}), {
      code: 1,
      out: '',
      err: `${name}: its Node is not installed here; run npm install in ${directory}\n`
    })
  }
  write(join(directory, 'lib/coterie/node'), '#!/bin/sh\necho "$@"\n', 0o755)
  for (const name of ['coterie', 'coteried']) {
    const { out } = await run(join(directory, 'bin', name), ['a b', 'c'], {})
    t.match(
      out,
      new RegExp(`^${name === 'coteried' ? '(--[a-z0-9=-]+ )+' : ''}\\S*/lib/coterie/${name}\\.js a b c\n$`)
    )
  }
})

t.test('config check asks the daemon’s program', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const path of ['src/cli', 'src/api', 'src/paths.ts', 'bin/coterie', 'package.json']) {
    cpSync(join(top, path), join(directory, path), { recursive: true })
  }
  symlinkSync(join(top, 'node_modules'), join(directory, 'node_modules'))
  write(join(directory, 'bin/coteried'), '#!/bin/sh\necho "$@"\nexit 1\n', 0o755)
  const env = { HOME: directory }
  const program = join(directory, 'bin/coterie')
  t.same(await run(program, ['config', 'check'], { env }), { code: 1, out: '--check-config\n', err: '' })
  const named = await run(program, ['config', 'check', 'my file'], { env })
  t.equal(named.out, '--check-config my file\n')
})
