/** Handlers in real folders: what is found for a tag, and when changes are seen. */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Handlers, type Sender } from '../../src/daemon/messages/handlers.ts'
import { Bus } from '../../src/host/bus.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { missing, vectors } from '../vectors.ts'

type Test = { teardown(fn: () => unknown): void; equal(a: unknown, b: unknown, what: string): void }

const anna: Sender = {
  id: 'co1anna',
  name: 'anna',
  level: 10,
  guest: false,
  circle: 'home',
  circleId: 'abc',
  names: new Set(['co1anna', 'anna'])
}

function world(
  t: Test,
  folders: (directory: string) => string[] = directory => [join(directory, 'handlers')]
) {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  const config = {
    handlers: { folders: folders(directory), timeout: 5, memory: 256, tasks: 64, units: true },
    allow: []
  }
  let wake: () => void = () => {}
  const log: string[] = []
  const handlers = new Handlers({
    config: () => config,
    paths: { config: join(directory, 'default'), runtime: directory, state: directory },
    bus: new Bus({ kind: 'session', log: () => {} }),
    log: (_level, sentence) => log.push(sentence),
    onChange: () => wake()
  })
  t.teardown(async () => {
    await handlers.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  const file = (path: string) => join(config.handlers.folders[0]!, path)
  const write = (path: string, script = 'true', mode = 0o700) => {
    mkdirSync(dirname(file(path)), { recursive: true, mode: 0o755 })
    writeFileSync(file(path), `#!/bin/sh\n${script}\n`)
    chmodSync(file(path), mode)
  }
  const choose = (tag: string) => {
    const choice = handlers.choose(anna, tag, () => false)
    return typeof choice === 'string' ? choice : choice.key.slice(directory.length + 1)
  }
  /** Until the tag goes there. */
  const until = async (tag: string, expected: string) => {
    const wait = async () => {
      while (choose(tag) !== expected) await new Promise<void>(resolve => (wake = resolve))
    }
    await within(PATIENCE_MS, `${tag} goes to ${expected}`, wait(), () => choose(tag))
    t.equal(choose(tag), expected, `${tag}: ${expected}`)
  }
  return { directory, config, handlers, file, write, choose, until, log }
}

t.test('a message that comes right after its handler was put there', async t => {
  const { handlers, write, choose, until } = world(t)
  await handlers.look()
  t.equal(choose('x'), 'no-handler')
  write('message/x', 'true', 0o600)
  while (choose('x') === 'no-handler') await new Promise(setImmediate)
  t.equal(choose('x'), 'wait')
  await until('x', 'unsafe')
  write('message/y')
  t.equal(choose('x'), 'unsafe')
  while (choose('x') === 'unsafe') await new Promise(setImmediate)
  await until('x', 'unsafe')
  await until('z', 'no-handler')
})

t.test('changes are seen', async t => {
  const { directory, handlers, file, write, until } = world(t)
  await handlers.look()
  t.comment('the folder comes to be, and what is in it')
  write('message/x')
  await until('x', 'handlers/message/x')
  t.comment('a folder made later, with a file made later still')
  write('message/sub/a')
  await until('sub/a', 'handlers/message/sub/a')
  write('message/sub/deep/er/b')
  await until('sub/deep/er/b', 'handlers/message/sub/deep/er/b')
  write('message/sub/deep/er/c')
  await until('sub/deep/er/c', 'handlers/message/sub/deep/er/c')
  t.comment('a mode')
  chmodSync(file('message/x'), 0o602)
  await until('x', 'unsafe')
  chmodSync(file('message/x'), 0o700)
  await until('x', 'handlers/message/x')
  t.comment('a folder that is moved away and back')
  renameSync(file('message/sub'), join(directory, 'away'))
  await until('sub/a', 'no-handler')
  renameSync(join(directory, 'away'), file('message/sub'))
  await until('sub/a', 'handlers/message/sub/a')
  write('message/sub/deep/d')
  await until('sub/deep/d', 'handlers/message/sub/deep/d')
  t.comment('all of it is moved away and back')
  renameSync(file(''), join(directory, 'off'))
  await until('x', 'no-handler')
  renameSync(join(directory, 'off'), file(''))
  await until('x', 'handlers/message/x')
  t.comment('another folder takes the place of one')
  mkdirSync(join(directory, 'other'))
  writeFileSync(join(directory, 'other/z'), '#!/bin/sh\n', { mode: 0o700 })
  renameSync(file('message/sub'), join(directory, 'gone'))
  renameSync(join(directory, 'other'), file('message/sub'))
  await until('sub/z', 'handlers/message/sub/z')
  await until('sub/a', 'no-handler')
  write('message/sub/later')
  await until('sub/later', 'handlers/message/sub/later')
  t.comment('a link takes the place of one')
  renameSync(file('message/sub'), join(directory, 'gone2'))
  symlinkSync(join(directory, 'gone2'), file('message/sub'))
  await until('sub/z', 'no-handler')
  t.comment('all of it goes')
  rmSync(file(''), { recursive: true })
  await until('x', 'no-handler')
  write('message/x')
  await until('x', 'handlers/message/x')
})

t.test('the handler folder is a link that is turned', async t => {
  const { directory, handlers, file, until } = world(t)
  for (const name of ['one', 'two']) {
    mkdirSync(join(directory, name, 'message'), { recursive: true })
    writeFileSync(join(directory, name, 'message', name), '#!/bin/sh\n', { mode: 0o700 })
  }
  symlinkSync('one', file(''))
  await handlers.look()
  await until('one', 'handlers/message/one')
  symlinkSync('two', `${file('')}.new`)
  renameSync(`${file('')}.new`, file(''))
  await until('two', 'handlers/message/two')
  await until('one', 'no-handler')
})

t.test('several folders, and a new configuration', async t => {
  const { directory, config, handlers, write, choose, until } = world(t, directory => [
    join(directory, 'first'),
    join(directory, 'second/')
  ])
  mkdirSync(join(directory, 'second/message'), { recursive: true })
  for (const name of ['x', 'y'])
    writeFileSync(join(directory, 'second/message', name), '#!/bin/sh\n', { mode: 0o700 })
  write('message/x')
  await handlers.look()
  t.equal(choose('x'), 'first/message/x')
  t.equal(choose('y'), 'second/message/y')
  rmSync(join(directory, 'first/message/x'))
  await until('x', 'second/message/x')
  const { ending } = await handlers.run(received('y'), join(directory, 'second/message/y'), anna)
  t.match(ending, { type: 'exit', code: 0 }, 'one that is named with a slash at its end')
  config.handlers.folders = [join(directory, 'first')]
  await handlers.look()
  t.equal(choose('x'), 'no-handler')
  t.match(
    await handlers.run(received('y'), join(directory, 'second/message/y'), anna),
    { ending: { type: 'dead', reason: 'no-handler' } },
    'what lies in no handler folder any more does not run'
  )
})

t.test('what changed between the lookup and the start', async t => {
  const { file, handlers, write, choose } = world(t)
  write('message/x', 'echo first')
  await handlers.look()
  t.equal(choose('x'), 'handlers/message/x')
  const run = async () => {
    const { ending, release } = await handlers.run(received('x'), file('message/x'), anna)
    await release()
    return ending
  }
  t.match(await run(), { type: 'exit', output: new TextEncoder().encode('first\n') })
  rmSync(file('message/x'))
  t.match(await run(), { type: 'dead', reason: 'no-handler' })
  write('message/x', 'echo second')
  t.match(await run(), { output: new TextEncoder().encode('second\n') }, 'what is there then runs')
  write('message/x', 'echo third', 0o702)
  t.match(await run(), { type: 'dead', reason: 'unsafe' })
})

t.test('a busy folder is not looked at all the time', async t => {
  const { file, handlers, write, until } = world(t)
  for (let i = 0; i < 20; i++) write(`message/f${i}`)
  await handlers.look()
  let looks = 0
  const look = handlers.look.bind(handlers)
  handlers.look = () => {
    looks++
    return look()
  }
  const began = performance.now()
  while (looks < 3) {
    writeFileSync(file('message/f0'), '#!/bin/sh\n')
    await new Promise(resolve => setImmediate(resolve))
  }
  t.ok(performance.now() - began >= 300, 'three looks took three times the pause')
  write('message/last')
  await until('last', 'handlers/message/last')
})

const hostile = vectors('hostile/tags.json') as { tags: string[] } | undefined
const naughty = vectors('strings/blns.json') as string[] | undefined
t.test('hostile tags', { skip: (hostile && naughty) === undefined && missing }, async t => {
  const { directory, file, handlers, write, choose } = world(t)
  // while something has just changed it waits
  const runs = (tag: string) => !['no-handler', 'wait'].includes(choose(tag))
  write('message/good')
  const tags = [
    ...hostile!.tags,
    ...naughty!,
    '..',
    '../good',
    'good\0',
    '@anna/good',
    'ｇood',
    '.',
    'GOOD',
    'message/good'
  ]
  tags.push('a'.repeat(1_000_000), '/'.repeat(1_000_000), 'good/'.repeat(200_000), '\ud800')
  t.comment(`${tags.length} tags`)
  // what such a tag would lead to, were it taken for a path
  for (const target of [
    'x',
    'etc/passwd',
    '.hidden',
    '-rf',
    'backup/-rf',
    'start',
    'BACKUP/start',
    'a b',
    '~root'
  ]) {
    for (const at of [file('message'), file(''), directory]) {
      mkdirSync(dirname(join(at, target)), { recursive: true, mode: 0o755 })
      writeFileSync(join(at, target), '#!/bin/sh\n', { mode: 0o700 })
    }
  }
  rmSync(file('message/x'))
  rmSync(file('message/start'))
  rmSync(file('message/etc'), { recursive: true })
  await handlers.look()
  t.same(tags.filter(runs), [], 'resolve to nothing')
  t.equal(choose('good'), 'handlers/message/good', 'a good one does')

  t.comment('files of such names')
  let made = 0
  for (const tag of [...hostile!.tags, ...naughty!]) {
    if (tag === '' || /\0|(^|\/)\.{0,2}(\/|$)/.test(tag)) continue
    try {
      write(`message/${tag}`)
      made++
    } catch {
      // too long for a name
    }
  }
  t.comment(`${made} files`)
  await handlers.look()
  const grammar = /^[a-z0-9][a-z0-9_-]{0,62}(\/[a-z0-9][a-z0-9_-]{0,62}){0,7}$/
  const wrong = tags.filter(tag => runs(tag) && (!grammar.test(tag) || tag.includes('\n')))
  t.same(wrong, [], 'are never run for a tag that is none')
})

const received = (tag: string) => ({
  id: 'abc',
  from: anna.id,
  epoch: new Uint8Array(8),
  seq: 1,
  tag,
  ask: true,
  payload: new Uint8Array(),
  sentMs: 0,
  receivedMs: 0,
  expiresMs: 0,
  state: 'started' as const,
  reason: 'none' as const,
  exit: 0,
  output: new Uint8Array(),
  runs: 1,
  retry: false
})
