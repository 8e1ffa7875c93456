/** A daemon that is killed while a handler runs as a plain process, and the next one. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, watch } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { noLongerWaits, waitingShell } from '../host/waiting-shells.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { correspondents, ends, handler, type Message, sends } from './correspondents.ts'

/** Until the file has something in it; a file that is made tells its folder, if that is there. */
async function appears(file: string): Promise<void> {
  while (!existsSync(file) || readFileSync(file).length === 0) {
    const folder = [dirname(file), dirname(dirname(file)), dirname(dirname(dirname(file)))].find(existsSync)!
    const watcher = watch(folder)
    await Promise.race([once(watcher, 'change'), delay(50)])
    watcher.close()
  }
}

t.setTimeout(FILE_MS)

if (inside(t, import.meta.url)) {
  t.test('a daemon that is killed while a handler runs finds it again', async t => {
    const [anna, ben] = await correspondents(t, { toml: '[handlers]\ntimeout = 1\n' })
    ben.configure('[handlers]\ntimeout = 20\n')
    await ben.call('Reload')
    const runs = join(ben.runtime, 'runs')
    const [go, ran] = [join(ben.directory, 'go'), join(ben.directory, 'ran')]
    spawnSync('mkfifo', [go])
    await handler(ben, 'message/slow', `echo run >> ${ran}; read -r word < ${go}; echo "$word"; exit 3`)
    await handler(ben, 'message/again.retry', '[ $COTERIE_RUN = 2 ] || sleep 600; echo run $COTERIE_RUN')
    const start = async (tag: string) => {
      const { Messages } = await anna.aside('Send', { Peers: ['ben'], Tag: tag, Ask: true })
      const [{ Id }] = Messages as [Message]
      await appears(join(runs, `coterie-handler-${Id}`, 'process'))
      return Id
    }
    const end = async (Id: string) => (await anna.aside('WaitMessage', { Id, TimeoutUSec: 30e6 })).Message

    t.comment('which runs still')
    const first = await start('slow')
    const second = await anna.aside('Send', { Peers: ['ben'], Tag: 'slow', Ask: true })
    await ben.kill()
    await ben.start()
    await writeFile(go, 'one\n')
    t.match(await end(first), { State: 'dead', Reason: 'failed', Exit: 3, Output: 'one\n' })
    await writeFile(go, 'two\n')
    t.match(await end(second.Messages[0]!.Id), { Reason: 'failed', Output: 'two\n' }, 'and then the next')

    t.comment('which ended meanwhile')
    const third = await start('slow')
    await ben.kill()
    await writeFile(go, 'three\n')
    await appears(join(runs, `coterie-handler-${third}`, 'exit'))
    await ben.start()
    t.match(await end(third), { State: 'dead', Reason: 'failed', Exit: 3, Output: 'three\n' })
    t.equal(readFileSync(ran, 'utf8'), 'run\n'.repeat(3), 'each ran once')

    t.comment('of which no trace is left, as after a boot')
    for (const [tag, expected] of [
      ['slow', { State: 'dead', Reason: 'unknown' }],
      ['again', { State: 'done', Output: 'run 2\n' }]
    ] as const) {
      const id = await start(tag)
      const sh = readFileSync(join(runs, `coterie-handler-${id}`, 'process'), 'utf8')
      await ben.kill()
      process.kill(-Number.parseInt(sh, 10), 'SIGKILL')
      rmSync(runs, { recursive: true })
      await ben.start()
      t.match(await end(id), expected)
    }
  })

  t.test('a daemon that is killed while the sh of the next handler waits', async t => {
    const [anna, ben] = await correspondents(t)
    const ran = join(ben.directory, 'ran')
    await handler(ben, 'message/note', `cat >> ${ran}`)
    await handler(ben, 'message/long', `until [ -e ${ran}2 ]; do sleep 0.05; done`)
    t.match(await sends(anna, 'ben', 'note', 'one\n'), { State: 'done' })
    const { Messages } = await anna.aside('Send', { Peers: ['ben'], Tag: 'long' })
    await appears(join(ben.runtime, 'runs', `coterie-handler-${Messages[0]!.Id}`, 'process'))
    const shell = await waitingShell(ben.pid)
    await ben.kill()
    await noLongerWaits(shell)
    t.equal(readFileSync(ran, 'utf8'), 'one\n', 'it ran nothing')
    await ben.start()
    t.match(await sends(anna, 'ben', 'note', 'two\n'), { State: 'done' })
    t.match(await sends(anna, 'ben', 'note', 'three\n'), { State: 'done' })
    t.equal(readFileSync(ran, 'utf8'), 'one\ntwo\nthree\n', 'each once')
    await writeFile(`${ran}2`, '')
    t.match(await ends(anna, Messages[0]!.Id), { State: 'done' }, 'nor did it hold up what ran')
    const next = await waitingShell(ben.pid)
    await ben.stop()
    await noLongerWaits(next)
  })
}
