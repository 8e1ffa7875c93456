/** Handlers as plain processes: real scripts, good and bad. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Processes } from '../../src/host/handler-process.ts'
import type { HandlerEnd, HandlerRun, Running } from '../../src/host/handler-run.ts'
import { NOT_STARTED, SCRIPT } from '../../src/host/handler-shell.ts'
import { RunFolder } from '../../src/host/run-folder.ts'
import { findStrays } from '../../src/host/strays.ts'
import { FILE_MS, PATIENCE_MS, within } from '../lab/deadline.ts'
import { noLongerWaits, waitingShell, waitingShells } from './waiting-shells.ts'

t.setTimeout(FILE_MS)
const directory = mkdtempSync(join(tmpdir(), 'hp-'))
const runs = join(directory, 'runs')
mkdirSync(runs)
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const processes = new Processes(runs)
let count = 0

function wanted(script: string, more: Partial<HandlerRun> = {}): HandlerRun {
  const name = `coterie-handler-${process.pid}-${++count}`
  const file = join(directory, `a $(b) '"\`$HOME ${count}`)
  writeFileSync(file, script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o700)
  return {
    name,
    file,
    directory,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', COTERIE_UNIT: `${name}.service` },
    body: new Uint8Array(),
    timeoutMs: 20_000,
    memory: 256,
    tasks: 64,
    output: true,
    ...more
  }
}

async function ends(script: string, more: Partial<HandlerRun> = {}): Promise<HandlerEnd & { text: string }> {
  const running = await processes.start(wanted(script, more))
  const end = await running.ended
  await running.release()
  return { ...end, text: Buffer.from(end.output).toString() }
}
const text = (value: string) => new TextEncoder().encode(value)

t.test('what it is given, and what comes back', async t => {
  const body = text('the body')
  t.match(await ends('cat; echo no >&2; exit 3', { body }), {
    type: 'exit',
    code: 3,
    text: 'the body',
    tooMuch: false,
    complaint: 'no'
  })
  t.match(await ends('pwd; cat; echo $#'), { type: 'exit', code: 0, text: `${directory}\n0\n` })
  t.match(await ends('echo nobody asked', { output: false }), { type: 'exit', code: 0, text: '' })
  t.match(await ends('echo one; echo two > /dev/stdout'), { text: 'two\n' }, 'a file, as any other')
  t.same(runFolders(), [], 'nothing is left of it')
})

t.test('its environment is what is said, and nothing else', async t => {
  const { text } = await ends('cat /proc/$$/environ', {
    environment: { COTERIE_A: 'x $HOME "y"', PATH: '/usr/bin:/bin' }
  })
  const names = text.split('\0').filter(line => line !== '' && !line.startsWith('_='))
  t.same(names.sort(), ['COTERIE_A=x $HOME "y"', 'PATH=/usr/bin:/bin'])
})

t.test('limits', async t => {
  const { text } = await ends('cat /proc/self/limits; grep NoNewPrivs /proc/self/status')
  t.match(text, /Max file size +1099511627776 /)
  t.match(text, /Max data size +268435456 /)
  t.match(text, /Max core file size +0 /)
  t.match(text, /NoNewPrivs:\s+1\n$/)
  const run = wanted('sleep 600', { timeoutMs: 500 })
  const running = await processes.start(run)
  const folder = new RunFolder(runs, run.name)
  while (folder.text('process') === '') await new Promise(resolve => setImmediate(resolve))
  t.equal(getPriority(Number.parseInt(folder.text('process'), 10)), 3)
  await running.ended
  await running.release()
  t.match(await ends('head -c 2G /dev/zero | tail -c 1G >/dev/null'), { type: 'exit', code: 1 }, 'memory')
})

t.test('it writes more than an answer may have', async t => {
  for (const [script, much] of [
    ['head -c 65536 /dev/zero', false],
    ['head -c 65537 /dev/zero', true],
    ['head -c 1G /dev/zero', true],
    ['yes', true]
  ] as const) {
    const run = wanted(script)
    const running = await processes.start(run)
    const end = await running.ended
    t.equal(end.tooMuch, much, script)
    t.equal(end.output.length, 65_536)
    t.ok(statSync(new RunFolder(runs, run.name).file('stdout')).blocks * 512 <= 72 * 1024, 'on the disk')
    await running.release()
  }
  t.match(await ends('head -c 1G /dev/zero', { output: false }), { type: 'exit', code: 0 })
  const { type, complaint } = await ends('head -c 1M /dev/zero | tr "\\0" x >&2; true')
  t.match({ type, long: complaint.length }, { type: 'exit', long: 4_096 }, 'stderr is not worth an end')
  t.match(await ends(`head -c 3M /dev/zero > "${directory}/big"; stat -c %s "${directory}/big"`), {
    text: '3145728\n'
  })
})

t.test('it is ended, or cannot be started', async t => {
  t.match(await ends('kill -9 $$'), { type: 'signal', signal: 'SIGKILL' })
  t.match(await ends('kill $$'), { type: 'signal', signal: 'SIGTERM' })
  t.match(await ends('exit 255'), { type: 'exit', code: 255 })
  t.match(await ends('trap "echo asked; exit 7" TERM; sleep 60 & wait', { timeoutMs: 200 }), {
    type: 'timeout',
    text: 'asked\n'
  })
  t.same(runFolders(), [])
})

t.test('what it leaves behind is ended with it', async t => {
  for (const script of [
    'sleep 600 & exit 0',
    'setsid sleep 600 >/dev/null 2>&1 </dev/null & exit 0',
    '(setsid sh -c "sleep 600 & sleep 600 &" &) ; exit 0',
    'trap "" TERM; (setsid sh -c "trap \'\' TERM; sleep 600" &); sleep 600'
  ]) {
    const run = wanted(script, script.startsWith('trap') ? { timeoutMs: 300 } : {})
    const running = await processes.start(run)
    const { type } = await running.ended
    t.equal(type, script.startsWith('trap') ? 'timeout' : 'exit')
    // the kernel has been told to end them, and takes its time
    const left = async () => {
      while ((await findStrays(run.name, 0)).pids.length > 0);
    }
    await within(PATIENCE_MS, `what is left of ${script} ends`, left())
    await running.release()
  }
})

t.test('who started it is killed', async t => {
  const go = join(directory, 'go')
  const child = join(directory, 'child.ts')
  const source = new URL('../../src/host/handler-process.ts', import.meta.url).pathname
  writeFileSync(
    child,
    `import { Processes } from ${JSON.stringify(source)}
     process.once('message', async run => {
       await new Processes(${JSON.stringify(runs)}).start({ ...run, body: new Uint8Array() })
       process.send('started')
     })`
  )
  const orphan = async (script: string) => {
    const run = wanted(script)
    const parent = spawn(process.execPath, [child], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    parent.send(run)
    await once(parent, 'message')
    const next = await waitingShell(parent.pid!)
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await noLongerWaits(next)
    await written(new RunFolder(runs, run.name), 'process')
    return run
  }

  const waits = `until [ -e "${go}" ]; do sleep 0.05; done; echo went; exit 4`
  const running = await orphan(waits)
  const adopted = await adopt(running)
  writeFileSync(go, '')
  t.match(await adopted.ended, { type: 'exit', code: 4, output: text('went\n') }, 'it runs still')
  await adopted.release()

  const over = await orphan('echo short; exit 5')
  const folder = new RunFolder(runs, over.name)
  await written(folder, 'exit')
  t.match(await (await adopt(over)).ended, { code: 5, output: text('short\n') }, 'it ended')

  const hangs = await orphan('sleep 600')
  const late = await adopt({ ...hangs, timeoutMs: 1 })
  t.match(await late.ended, { type: 'timeout' }, 'its time is over')

  const old = await orphan('sleep 600')
  const [sh = '', uptime] = new RunFolder(runs, old.name).text('process').split('\n')
  writeFileSync(new RunFolder(runs, old.name).file('process'), `${sh}\n${Number(uptime) - 1_000}\n`)
  t.match(
    await (await adopt({ ...old, timeoutMs: 900_000 })).ended,
    { type: 'timeout' },
    'from when it was told, and not from when its sh began to wait'
  )

  const ended = await orphan('sleep 600')
  process.kill(-Number.parseInt(new RunFolder(runs, ended.name).text('process'), 10), 'SIGKILL')
  t.match(await (await adopt(ended)).ended, { type: 'unknown' }, 'somebody ended it')

  t.equal(await processes.adopt('coterie-handler-nobody', hangs), undefined)
  await t.rejects(processes.start(over), /begun already/, 'a name is given once')
})

t.test('it has its place, and who began it was killed before it was started', async t => {
  const effect = join(directory, 'effect')
  const run = wanted(`touch "${effect}"`)
  new RunFolder(runs, run.name).reserve()
  t.equal(await processes.adopt(run.name, run), 'unbegun')
  t.equal(await processes.adopt(run.name, run), 'unbegun', 'who found that was killed too')
  await t.rejects(processes.start(run), /begun already/, 'and will not be')

  t.comment('its sh, and somebody who takes it for unbegun: one of them is the first')
  for (let i = 0; i < 20; i++) {
    const raced = wanted(`touch "${effect}"`)
    const folder = new RunFolder(runs, raced.name)
    const running = await processes.start(raced)
    if (i % 2) await new Promise(resolve => setTimeout(resolve, i / 4))
    const unbegun = folder.claim('nobody')
    t.match(await running.ended, { type: 'exit', code: unbegun ? 125 : 0 })
    t.equal(existsSync(effect), !unbegun)
    rmSync(effect, { force: true })
    await running.release()
  }
})

t.test('its sh was there before', async t => {
  await ends('true')
  const first = await waitingShell(process.pid)
  const run = wanted('ls -l /proc/self/fd | grep -c socket; exit 3')
  const running = await processes.start(run)
  t.match(await running.ended, { type: 'exit', code: 3, output: text('0\n') })
  t.equal(Number.parseInt(new RunFolder(runs, run.name).text('process'), 10), first)
  await running.release()

  t.comment('and somebody ended it')
  const second = await waitingShell(process.pid)
  t.not(second, first)
  process.kill(second, 'SIGKILL')
  while (existsSync(`/proc/${second}`)) await new Promise(resolve => setImmediate(resolve))
  t.match(await ends('exit 4'), { type: 'exit', code: 4 })

  t.comment('with other limits, in another environment')
  t.equal((await ends('ulimit -d', { memory: 300 })).text, `${300 * 1024}\n`)
  const environment = { PATH: '/usr/bin:/bin', LANG: 'C', COTERIE_B: ' b=$(c)\\ ' }
  const inherited = await ends('tr "\\0" "\\n" < /proc/$$/environ', { environment })
  const lines = inherited.text.split('\n').filter(line => !/^(_=|$)/.test(line))
  t.same(lines.sort(), ['COTERIE_B= b=$(c)\\ ', 'LANG=C', 'PATH=/usr/bin:/bin'])

  t.comment('it cannot be told')
  const file = join(directory, 'a\nb')
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o700 })
  const folders = runFolders()
  await t.rejects(processes.start({ ...wanted('true'), file }), /more than one line/)
  t.same(runFolders(), folders, 'nothing is left of it')
  t.match(await ends('exit 5', { directory: join(directory, 'nowhere') }), { type: 'not-started' })
  t.match(await ends('exit 6'), { type: 'exit', code: 6 }, 'the next one can')

  const last = await waitingShell(process.pid)
  processes.stop()
  await noLongerWaits(last)
  t.same(waitingShells(process.pid), [])
})

t.test('what it is told is cut off: nothing is started', async t => {
  const effect = join(directory, 'effect')
  const { file, name } = wanted(`echo "$COTERIE_C" > "${effect}"`)
  const folder = new RunFolder(runs, name)
  folder.make(new Uint8Array())
  const lines = [folder.path, directory, file, '/dev/null', '/dev/null', 'C=go']
  folder.capped('stderr')
  const told = `${lines.join('\n')}\ngo\n`
  const run = (input: string) =>
    spawnSync('/bin/sh', ['-c', SCRIPT, 'sh', '100000', '1000000'], { input, env: {} }).status
  const ends = [...told.matchAll(/\n/g)].map(({ index }) => index)
  for (const cut of new Set(ends.flatMap(end => [end - 1, end, end + 1]).filter(cut => cut < told.length))) {
    t.equal(run(told.slice(0, cut)), NOT_STARTED, `after ${cut} of ${told.length} bytes`)
    t.notOk(existsSync(folder.file('process')) || existsSync(effect))
  }
  t.equal(run(told), 0)
  t.equal(readFileSync(effect, 'utf8'), 'go\n')
  t.equal(run(told), NOT_STARTED, 'and not twice')
  folder.remove()
})

async function adopt(run: HandlerRun): Promise<Running> {
  const running = await processes.adopt(run.name, run)
  if (running === undefined || running === 'unbegun') throw new Error(`${run.name} is ${running}`)
  return running
}

async function written(folder: RunFolder, name: 'process' | 'exit'): Promise<void> {
  while (folder.text(name) === '') await new Promise(resolve => setImmediate(resolve))
}

function runFolders(): string[] {
  return readdirSync(runs)
}
