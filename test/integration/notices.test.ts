/** Notifications of the real daemon, on a real desktop, and where their service does not answer. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { TestBus } from '../bus.ts'
import { lacking } from '../command.ts'
import { client } from '../daemon/surface.ts'
import { Desktop, X_PROGRAMS } from '../desktop.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

const ALL = '[notifications]\njoined = true\nfailed = true\nlost = true\n'

if (inside(t, import.meta.url)) {
  t.test('on dunst', { skip: lacking(...X_PROGRAMS) }, async t => {
    const desktop = await Desktop.up(t, t.testdir())
    /** Until one with that title is shown; nothing tells when. */
    const shows = async (title: string) => {
      for (;;) {
        const found = (await desktop.notifications()).find(shown => shown.title === title)
        if (found) return found
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
    const told = (title: string) => within(PATIENCE_MS, title, shows(title), () => desk.story())
    const desk = new Computer(t, 'desk', { env: desktop.environment })
    const laptop = new Computer(t, 'laptop')
    desk.configure(ALL)
    await Promise.all([desk.start(), laptop.start()])
    await desk.founds()
    await laptop.joins(await desk.ticket())
    const joined = { application: 'Coterie', title: 'laptop has joined', text: 'It belongs to home now.' }
    t.same(await told('laptop has joined'), joined)

    await desk.sees('laptop')
    const folder = join(dirname(laptop.configFile), 'handlers/message')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'fails'), '#!/bin/sh\nexit 3\n')
    chmodSync(join(folder, 'fails'), 0o755)
    await laptop.call('Reload')
    t.match(await desk.coterie('send laptop fails --wait'), { code: 1 })
    t.match(await told('Not done on laptop'), { text: 'fails: its handler ended with 3' })

    await laptop.kill()
    t.match(await told('laptop is out of sight'), { text: 'Connection closed.' })
    await desk.stop()
  })

  t.test('on a service that does not answer', async t => {
    const { address } = await TestBus.up(t, 'bare')
    const bus = await client(t, address)
    const asked = new Promise<void>(resolve =>
      bus.serve(({ member }) => {
        if (member === 'Notify') resolve()
        return new Promise(() => {})
      })
    )
    await bus.requestName('org.freedesktop.Notifications')
    const desk = new Computer(t, 'desk', { env: { DBUS_SESSION_BUS_ADDRESS: address } })
    const laptop = new Computer(t, 'laptop')
    desk.configure(ALL)
    await Promise.all([desk.start(), laptop.start()])
    await desk.founds()
    await laptop.joins(await desk.ticket())
    await within(PATIENCE_MS, 'it is asked', asked, desk.story)
    await desk.sees('laptop')
    await laptop.stop()
    await desk.until('sees that it is gone', ({ Peers }) => Peers.every(peer => !peer.Reachable))
    t.equal(await desk.stop(), 0, 'it does not keep the daemon from ending')
    t.notMatch(desk.log.join('\n'), / (warn|error) .*otif/i)
  })
}
