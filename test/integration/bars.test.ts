/** The script for bars in docs/desktop.md, run as printed, and what bars are told of it. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { bars } from '../bars.ts'
import { TestBus } from '../bus.ts'
import { lacking } from '../command.ts'
import { Inbox } from '../daemon/surface.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

if (inside(t, import.meta.url)) {
  const skip = lacking('busctl', 'jq', 'nc')
  t.test('it tells who comes and goes, and starts nothing', { skip }, async t => {
    const { address } = await TestBus.up(t, 'bare')
    const env = { DBUS_SESSION_BUS_ADDRESS: address }
    const desk = new Computer(t, 'desk', { env })
    const laptop = new Computer(t, 'laptop')
    const script = join(dirname(desk.configFile), 'bar')
    mkdirSync(dirname(script), { recursive: true })
    writeFileSync(script, bars().script, { mode: 0o755 })
    const bar = spawn(script, { env: desk.environment, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    t.teardown(() => process.kill(-bar.pid!, 'SIGKILL'))
    const lines = new Inbox<string>()
    createInterface(bar.stdout).on('line', line => lines.put(line))
    const says = async (text: string) =>
      JSON.parse(
        await within(
          PATIENCE_MS,
          text,
          lines.until(line => JSON.parse(line).text === text),
          () => lines.seen.join('\n')
        )
      )

    t.match(await says('off'), { class: 'off' })
    await desk.start()
    t.match(await says('0/0'), { class: 'alone', tooltip: '' })
    await laptop.start()
    await desk.founds()
    await laptop.joins(await desk.ticket())
    t.same(await says('1/1'), { text: '1/1', tooltip: 'laptop: reachable', class: 'reachable' })
    await laptop.stop()
    t.same(await says('0/1'), { text: '0/1', tooltip: 'laptop: unreachable', class: 'alone' })
    await desk.stop()
    await says('off')
  })

  t.test('bars are told of that script', async t => {
    const { waybar, polybar } = bars()
    const module = JSON.parse(`{${waybar}}`)['custom/coterie']
    t.equal(module.exec, '~/.config/coterie/bar')
    t.equal(module.escape, true, 'names are no markup')
    t.match(readFileSync('docs/desktop.md', 'utf8'), 'Save it as `~/.config/coterie/bar`')
    t.match(polybar, /^exec = ~\/\.config\/coterie\/bar \|/m)
  })
}
