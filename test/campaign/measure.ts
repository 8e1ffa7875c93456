/** Timed scenarios: each repeats one event and measures until the daemons show it. */
import type { Host } from '../lab/host.ts'
import type { Lab } from '../lab/lab.ts'
import { figure, type Series, series } from './figures.ts'

/** When that becomes true on the daemon there, by performance.now(). */
async function when(event: Promise<unknown>): Promise<number> {
  await event
  return performance.now()
}
const apart = (one: Host, other: Host) =>
  Promise.all([one.sees(other.name, 'unreachable', 90_000), other.sees(one.name, 'unreachable', 90_000)])
const together = (one: Host, other: Host) =>
  Promise.all([one.sees(other.name, 'reachable', 60_000), other.sees(one.name, 'reachable', 60_000)])

/** nmcli con down and up: the listener's end, and the way back with addresses both know. */
export async function downAndUp(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2] = lab.all('h1', 'h2')
  const dbus = series('`nmcli con down` called → listener gone from D-Bus', 500, 500)
  const ss = series('`nmcli con down` called → listener gone from `ss -ltn`', 500, 500)
  const back = series('kernel address event → session, addresses known', 300, 1000)
  for (let n = 0; n < times; n++) {
    await together(h1, h2)
    await h1.listens('10.77.1.11')
    const monitor = h1.lines(['gdbus', 'monitor', '--session', '--dest', 'org.coterie.Coterie1'])
    await monitor.lines.next() // "Monitoring signals …"
    const path = h1.listenerPath('10.77.1.11')
    const began = performance.now()
    const command = h1.nmcli('con down lan')
    const onBus = (async () => {
      for await (const line of monitor.lines)
        if (line.includes('InterfacesRemoved') && line.includes(path)) return performance.now()
      throw new Error('gdbus monitor ended')
    })()
    const onSockets = (async () => {
      while ((await h1.listening()).some(a => a.startsWith('10.77.1.11:')));
      return performance.now()
    })()
    dbus.values.push((await onBus) - began)
    ss.values.push((await onSockets) - began)
    monitor.stop()
    await command
    await apart(h1, h2)
    const sessions = Promise.all([
      when(h1.sees('h2', 'reachable', 60_000)),
      when(h2.sees('h1', 'reachable', 60_000))
    ])
    const address = h1.addressed('10.77.1.11')
    await h1.nmcli('con up lan')
    back.values.push(Math.max(...(await sessions)) - (await address))
  }
  return [back, dbus, ss]
}

/** Both get new cards, and so addresses that neither knows: only an announcement brings them together. */
export async function neverMet(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2] = lab.all('h1', 'h2')
  const met = series('kernel address event → session, never met there', 600, 1500)
  for (let n = 0; n < times; n++) {
    await together(h1, h2)
    await Promise.all([h1.unplug(), h2.unplug()])
    await apart(h1, h2)
    const first = h2.addressed('10.77.1.')
    await h2.plug('a', 'eth0', 2 + n)
    await first
    await h2.daemon.until('listens again', () =>
      h2.daemon.listeners.some(l => String(l['Address']).startsWith('10.77.1.'))
    )
    const sessions = Promise.all([
      when(h1.sees('h2', 'reachable', 60_000)),
      when(h2.sees('h1', 'reachable', 60_000))
    ])
    const address = h1.addressed('10.77.1.')
    await h1.plug('a', 'eth0', 2 + n)
    met.values.push(Math.max(...(await sessions)) - (await address))
  }
  return [met]
}

/** A clean stop and a kill, as the other one shows them. */
export async function endings(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2] = lab.all('h1', 'h2')
  const stop = series('clean stop → seen', 200, 200)
  const kill = series('`kill -9` → seen', 500, 500)
  for (let n = 0; n < times; n++)
    for (const [signal, into] of [
      ['SIGTERM', stop],
      ['SIGKILL', kill]
    ] as const) {
      await together(h1, h2)
      const seen = when(h1.sees('h2', 'unreachable'))
      const began = performance.now()
      h2.daemon.signal(signal)
      into.values.push((await seen) - began)
      await h2.daemon.over()
      await h2.start()
    }
  return [stop, kill]
}

/** Payload bytes sent to a stranger's computer while it knocks and while its daemon runs beside. */
export async function stranger(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  const bytes = figure('payload sent to a stranger’s computer', 'bytes', 0)
  const cable = ['src host 10.77.1.11 or src host 10.77.1.12', 'dst host 10.77.1.13']
    .map(f => `(${f})`)
    .join(' and ')
  await h3.start()
  await h3.coterie('init --name elsewhere')
  for (let n = 0; n < times; n++) {
    const capture = await lab.capture('h3')
    await h3.daemon.stop()
    await h3.start()
    await h3.listens('10.77.1.13')
    for (const host of [h1, h2])
      for (const knock of ['GET / HTTP/1.1\r\n\r\n', `COT1\x01${'x'.repeat(200 + n)}`])
        await h3.space.try(['nc', '-N', '-w', '1', host.address('a'), '24747'], { input: knock })
    await capture.stop()
    bytes.values.push((await capture.packets(cable)).reduce((sum, p) => sum + p.length, 0))
  }
  await h3.daemon.stop()
  return [bytes]
}

/** A connected device is removed: until it is out everywhere, and knows. */
export async function removals(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  const out = series('`coterie remove` typed → its sessions ended everywhere', 1000, 1000)
  const told = series('`coterie remove` typed → it knows', 1000, 1000)
  await h3.start()
  for (let n = 0; n < times; n++) {
    await h3.coterie('join - --yes', await h1.coterie('invite --ticket'))
    await Promise.all([together(h1, h3), together(h2, h3)])
    const gone = Promise.all([h1, h2].map(host => when(host.sees('h3', 'gone'))))
    const knows = when(
      h3.daemon.until('knows', () =>
        (h3.daemon.self['Notes'] as string[]).some(note => note.includes('was removed from the circle'))
      )
    )
    const began = performance.now()
    await h1.coterie('remove h3 --yes')
    out.values.push(Math.max(...(await gone)) - began)
    told.values.push((await knows) - began)
    await h3.coterie('leave --yes')
  }
  await h3.daemon.stop()
  return [out, told]
}

/** A code is typed: until both show the other one reachable. */
export async function joins(lab: Lab, times: number): Promise<Series[]> {
  const [h1, h3] = lab.all('h1', 'h3')
  const joined = series('`coterie join CODE` typed → both show the other', 3000, 3000)
  await h3.start()
  for (let n = 0; n < times; n++) {
    const { code, joined: done } = await h1.invites()
    const began = performance.now()
    const sees = Promise.all([when(h1.sees('h3', 'reachable')), when(h3.sees('h1', 'reachable'))])
    await h3.coterie(`join ${code}`)
    joined.values.push(Math.max(...(await sees)) - began)
    await done()
    await h3.coterie('leave --yes')
    await h1.sees('h3', 'gone')
  }
  await h3.daemon.stop()
  return [joined]
}
