/** `coterie top` with real daemons: what happens is seen as it happens, and a restart of the own daemon is lived through. */
import { join } from 'node:path'
import t from 'tap'
import { bin } from '../cli/command.ts'
import { inside } from '../namespace.ts'
import { Terminal } from '../terminal.ts'
import { Computer } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('a peer goes and comes, a message waits, the daemon goes and comes', async t => {
    const [anna, ben] = await Promise.all(['anna', 'ben'].map(name => new Computer(t, name).start()))
    await anna!.founds()
    await ben!.joins(await anna!.ticket())
    await Promise.all([anna!.sees('ben'), ben!.sees('anna')])

    const env = { ...anna!.environment, TERM: 'xterm' }
    const terminal = new Terminal(t, [join(bin, 'coterie'), 'top'], { env, rows: 30, columns: 110 })
    const row = (pattern: RegExp) => (lines: readonly string[]) => pattern.test(lines[3]!)
    await terminal.shows(
      'ben',
      row(/^›● ben +reachable +[\d.]+ ms +[▁▂▃▄▅▆▇█]+ {2}direct {2}127\.0\.0\.1:\d+ {2}lo$/)
    )
    await terminal.shows('what it listens on', /^Listening {2}lo 127\.0\.0\.1/m)

    await ben!.kill()
    await terminal.shows('ben away', row(/^›○ ben +unreachable/))
    await terminal.shows('and that as an event', /\d\d:\d\d:\d\d {2}○ ben +unreachable/)
    await anna!.call('Send', { Peers: ['ben'], Tag: 'backup/start' })
    await terminal.shows('what waits', /^Outbox +1 on the way: backup\/start → ben \(queued\)$/m)
    await ben!.start()
    await terminal.shows('ben back', row(/^›● ben +reachable/))
    await terminal.shows('what became of it', /^Outbox +1 dead/m)

    terminal.type('w')
    await terminal.shows('why', /^ben is reachable/m)
    terminal.type('q')

    await anna!.kill()
    await terminal.shows('that it has no daemon', lines =>
      /coteried is gone; waiting for it/.test(lines[0]! + lines[1]!)
    )
    await anna!.start()
    await terminal.shows('that it has one again', /· coteried is back/)
    await terminal.shows('ben', row(/^›● ben +reachable/))
    await anna!.kill()
    await terminal.shows('that it is gone again', lines =>
      /coteried is gone; waiting/.test(lines[0]! + lines[1]!)
    )
    terminal.type('q')
    t.equal(await terminal.ended(), 'ended 0, echo on')
  })
}
