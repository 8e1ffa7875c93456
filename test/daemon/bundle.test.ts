/** The bundle, laid out as packages do it: daemon, database thread and command line. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { bundled, place, RunningDaemon } from '../bench/program.ts'
import { run } from '../command.ts'
import { inside } from '../namespace.ts'

if (inside(t, import.meta.url)) {
  t.test('keeps a circle across a restart, and its own command line can ask it', async t => {
    // sockets need short paths
    const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
    const form = await bundled(join(folder, 'installed'))
    const where = place(join(folder, 'd'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const first = await RunningDaemon.start(form, where)
    const client = await first.client()
    const { Circle } = await client.call('Init', { Device: 'desk' })
    client.close()
    await first.stop()

    const again = await RunningDaemon.start(form, where)
    t.teardown(() => again.stop())
    const command = join(folder, 'installed/bin/coterie')
    const { code, out, err } = await run(command, ['status', '--json'], where.environment)
    t.equal(code, 0, err)
    t.match(JSON.parse(out), { Device: { Name: 'desk', State: 'ready' }, Circle: { Id: Circle } })
  })
}
