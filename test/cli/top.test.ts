/** What `coterie top` shows for what happens, without a terminal. */
import t from 'tap'
import { width } from '../../src/cli/columns.ts'
import { nearness } from '../../src/cli/near.ts'
import { lookOf } from '../../src/cli/print.ts'
import { sparkline } from '../../src/cli/sparkline.ts'
import { helpPage, topLines } from '../../src/cli/top-lines.ts'
import { Scene } from '../../src/cli/top-scene.ts'
import { fakeEnergy, ids, newStatus, readyStatus } from '../implementation.ts'

const NOW = new Date(2026, 8, 1, 12, 0, 0)
const USEC = NOW.getTime() * 1000
const lookAt = (columns: number, env: { [name: string]: string } = { NO_COLOR: '1' }) =>
  lookOf({ isTTY: true, columns } as NodeJS.WriteStream, { LANG: 'C.UTF-8', TERM: 'xterm', ...env })
const near = nearness({
  eth0: [
    {
      address: '192.168.1.5',
      netmask: '',
      cidr: '192.168.1.5/24',
      family: 'IPv4',
      mac: '',
      internal: false
    }
  ]
})
const status = () => readyStatus(NOW.getTime())
const path = (id: string) => `/circle/${ids.circle}/peer/${id}`
const event = (Type: string, place: string, Kind: string, Properties: object) => ({
  Cursor: '',
  Type,
  Object: place,
  Kind,
  Properties: Properties as { [name: string]: unknown }
})
const begun = (columns = 80, rows = 24) => {
  const look = lookAt(columns)
  const scene = new Scene(look)
  scene.begin(status(), [])
  return { scene, lines: () => topLines(scene, { look, rows, nowUSec: USEC, near }).map(l => l.trimEnd()) }
}

t.test('near, by subnet', async t => {
  t.equal(near('192.168.1.77'), 'eth0')
  t.equal(near('192.168.2.77'), '')
  t.equal(near('fe80::1%wlan0'), 'wlan0')
  t.equal(near('fd00::1'), '')
  const six = nearness({
    vpn: [
      {
        address: 'fd00::5',
        netmask: '',
        cidr: 'fd00::5/64',
        family: 'IPv6',
        mac: '',
        internal: false,
        scopeid: 0
      }
    ]
  })
  t.equal(six('fd00::1'), 'vpn')
  t.equal(six('no address'), '')
})

t.test('latencies as bars', async t => {
  const samples = [0, 200, 900, 2_500, 9_000, 25_000, 90_000, 250_000, 2_000_000]
  t.equal(sparkline(samples, 12, lookAt(80)), '    ▁▂▃▄▅▆▇█')
  t.equal(sparkline(samples, 3, lookAt(80)), '▆▇█', 'the newest')
  t.equal(sparkline(samples, 9, lookAt(80, { LANG: 'C' })), ' _.,-=+*#')
  t.equal(sparkline([], 0, lookAt(80)), '')
})

t.test('the screen', async t => {
  const { scene, lines } = begun()
  scene.sample()
  scene.sample()
  const waiting = { Id: 'm', Name: 'phone', Tag: 'backup/start', State: 'queued' }
  const listener = status().Listeners[0]!
  scene.receive(event('Added', '/listener/1', 'Listener', listener), NOW)
  scene.receive(event('Added', path(ids.desktop), 'Peer', status().Peers[0]!), NOW)
  scene.receive(
    event('Added', '', 'Daemon', { Version: '1', Name: 'thinkpad', State: 'ready', Notes: [] }),
    NOW
  )
  t.same(scene.events, [], 'what was there is no event')
  scene.receive(event('ReceiptChanged', '', 'Daemon', waiting), NOW)
  scene.receive(
    event('Changed', path(ids.nas), 'Peer', {
      State: 'reachable',
      Reachable: true,
      Reason: '',
      LatencyUSec: 12_000,
      Path: 'direct',
      Addresses: ['tcp://10.8.0.3:24747'],
      LastSeenUSec: 0
    }),
    NOW
  )
  scene.sample()
  t.same(lines(), [
    'thinkpad in the circle home                              2 reachable of 3 others',
    '',
    '   NAME     STATE        LATENCY  LAST 70 s       PATH',
    '›● desktop  reachable     1.2 ms             ▃▃▃  direct  192.168.1.20  eth0',
    ' ● nas      reachable      12 ms               ▅  direct  10.8.0.3',
    ' ○ phone    unreachable                           not seen yet',
    '',
    '12:00:00  ↑ phone     backup/start  queued  m',
    '12:00:00  ● nas       reachable  12 ms  10.8.0.3  after 2 min',
    ...Array(11).fill(''),
    '',
    'Outbox     1 on the way: backup/start → phone (queued)',
    'Listening  eth0 192.168.1.5 announcing',
    'q quit  ↑↓ select  ⏎ why  W wake  p ping  ? help'
  ])
  scene.receive(event('ReceiptChanged', '', 'Daemon', { ...waiting, State: 'done' }), NOW)
  scene.receive(
    event('ReceiptChanged', '', 'Daemon', { ...waiting, Id: 'n', State: 'dead', Reason: 'expired' }),
    NOW
  )
  t.match(lines().at(-3), /^Outbox {5}1 dead: coterie outbox · nothing waits$/)

  const energy = fakeEnergy()
  scene.count(energy)
  t.equal(scene.traffic, '', 'a rate needs two')
  scene.count({
    UpUSec: energy.UpUSec + 5_000_000,
    Total: {
      ...energy.Total,
      LinkBytesSent: energy.Total.LinkBytesSent + 5_000,
      DatagramBytesReceived: energy.Total.DatagramBytesReceived + 50
    }
  })
  t.equal(lines().at(-2), 'Traffic    10 B/s in, 1 kB/s out')
})

t.test('comes, goes, is renamed', async t => {
  const { scene, lines } = begun()
  scene.receive(
    event('Added', path('co1tablet'), 'Peer', { ...status().Peers[0]!, Id: 'co1tablet', Name: 'tablet' }),
    NOW
  )
  scene.receive(event('Removed', path(ids.phone), 'Peer', {}), NOW)
  scene.receive(event('Changed', path(ids.nas), 'Peer', { Name: 'attic' }), NOW)
  scene.receive(event('Changed', `/circle/${ids.circle}`, 'Circle', { Members: 4 }), NOW)
  scene.receive(event('Changed', '', 'Daemon', { Notes: ['Something is missing.'] }), NOW)
  const text = lines().join('\n')
  t.match(text, / ● tablet {3}reachable[\s\S]* ○ attic {4}unreachable/)
  t.notMatch(lines().slice(0, 7).join('\n'), /phone/)
  t.match(text, /12:00:00 {2}● tablet[^\n]*\n12:00:00 {2}· phone {5}gone/)
  t.match(lines().at(-2), /^▲ Something is missing\.$/)
})

t.test('the daemon goes, and another one comes', async t => {
  const { scene, lines } = begun()
  scene.sample()
  scene.lost('coteried is gone', NOW)
  scene.sample()
  t.match(lines()[0], /coteried is gone$/)
  t.match(lines()[3], /desktop/, 'what was known is still shown')
  scene.begin({ ...status(), Peers: status().Peers.slice(0, 2) }, [])
  scene.sample()
  t.notMatch(lines()[0], /gone/)
  t.match(lines()[3], /▃ ▃ {2}direct/, 'a gap')
  t.match(lines().join('\n'), /12:00:00 {2}· coteried is gone/)
})

t.test('keys', async t => {
  const { scene, lines } = begun()
  const chosen = () =>
    lines()
      .find(line => line.startsWith('›'))
      ?.split(/ +/)[1]
  const press = (...names: string[]) => names.map(name => scene.press(name))
  t.equal(chosen(), 'desktop')
  press('down')
  t.equal(chosen(), 'nas')
  press('j', 'j', 'j')
  t.equal(chosen(), 'phone', 'no further than the last')
  press('up')
  t.equal(chosen(), 'nas')
  scene.receive(event('Changed', path(ids.nas), 'Peer', { State: 'reachable', Reachable: true }), NOW)
  t.equal(chosen(), 'nas', 'it stays chosen wherever it goes')
  const nas = scene.selected!
  t.same(press('w', 'return', 'W', 'p'), [
    { type: 'why', peer: nas },
    { type: 'why', peer: nas },
    { type: 'wake', peer: nas },
    { type: 'ping', peer: nas }
  ])
  press('g')
  t.equal(chosen(), 'desktop')
  press('G')
  t.equal(chosen(), 'phone')
  t.same(
    [scene.press('q'), scene.press('c', true), scene.press('z', true), scene.press('?'), scene.press('r')],
    [{ type: 'quit' }, { type: 'quit' }, { type: 'suspend' }, { type: 'help' }, { type: 'anew' }]
  )
  t.same([scene.press('x'), scene.press('x', true)], [undefined, undefined])

  scene.show({ title: 'why nas', lines: Array.from({ length: 40 }, (_, i) => `line ${i}`) })
  t.match(lines(), { 0: 'why nas', 2: 'line 0', 23: /^q back .* 19 more lines$/ })
  press('down', 'pagedown')
  t.equal(lines()[2], 'line 11')
  press('end', 'home')
  t.equal(lines()[2], 'line 0')
  t.equal(scene.press('q'), undefined, 'q leaves the page first')
  t.equal(scene.page, undefined)
  t.match(lines()[0], /thinkpad/)
})

t.test('it fits', async t => {
  const many = Array.from({ length: 30 }, (_, i) => ({
    ...status().Peers[i % 3]!,
    Id: `co1${i}`,
    Name: i % 2 ? `漢字の名前がとても長い${i}` : `a-computer-with-a-long-name-${i}\x1b[2J`,
    Circle: i % 4 ? ids.circle : 'work'
  }))
  const work = { ...status().Circle, Id: 'work', Name: 'the place where I work' }
  for (const columns of [20, 40, 48, 60, 80, 120, 250])
    for (const rows of [4, 8, 12, 24, 60])
      for (const env of [{ NO_COLOR: '1' }, { LANG: 'C' }] as { [name: string]: string }[]) {
        const look = lookAt(columns, env)
        const scene = new Scene(look)
        scene.begin(
          { ...status(), Circles: [status().Circle, work], Peers: many, Notes: ['x'.repeat(300)] },
          []
        )
        for (let i = 0; i < 70; i++) scene.sample()
        for (let i = 0; i < 17; i++) scene.press('down')
        for (let i = 0; i < 300; i++) scene.remark(`something that happens ${i} `.repeat(6), NOW)
        const view = { look, rows, nowUSec: USEC, near }
        const why = { title: `why ${many[0]!.Name}`, lines: ['x'] }
        for (const page of [undefined, helpPage(look), why]) {
          scene.show(page)
          const lines = topLines(scene, view)
          const name = `${columns} × ${rows} ${JSON.stringify(env)}`
          t.equal(lines.length, rows, name)
          t.same(
            lines.filter(line => width(line) > columns || line.includes('\x1b[2J')),
            [],
            name
          )
          if (page === undefined && rows >= 8) {
            const chosen = scene.selected!
            t.ok(
              scene.peers.indexOf(chosen) === 17 && lines.some(line => /^(\x1b\[7m)?[›>]/.test(line)),
              `${name}: the chosen one is seen`
            )
          }
          if (page === undefined && rows >= 12) t.match(lines.join('\n'), /happens/, `${name}: and events`)
        }
      }
})

t.test('of one circle only; and with nobody', async t => {
  const look = lookAt(80)
  const scene = new Scene(look, 'work')
  const Peers = [status().Peers[0]!, { ...status().Peers[1]!, Circle: 'work' }]
  scene.begin({ ...status(), Peers }, [])
  t.same(
    scene.peers.map(p => p.Name),
    ['nas']
  )
  scene.receive(event('Changed', path(ids.desktop), 'Peer', { LatencyUSec: 5 }), NOW)
  t.equal(scene.peers.length, 1)
  const receipt = { Circle: ids.circle, Id: 'm', Name: 'nas', Tag: 'x', State: 'queued' }
  scene.receive(event('ReceiptChanged', '', 'Daemon', receipt), NOW)
  t.same([scene.waiting, scene.events], [[], []], 'nor of messages of another circle')
  const work = { ...status().Circle, Id: 'work', Name: 'work' }
  scene.begin({ ...status(), Circles: [status().Circle, work], Peers }, [])
  t.match(topLines(scene, { look, rows: 24, nowUSec: USEC, near })[0], /^thinkpad in the circle work /)
  const view = { look, rows: 24, nowUSec: USEC, near }
  const none = new Scene(look)
  none.begin(newStatus(), [])
  t.match(topLines(none, view).slice(0, 4), [
    /thinkpad is in no circle yet/,
    '',
    /coterie init/,
    /coterie join CODE/
  ])
  const first = new Scene(look)
  first.begin({ ...status(), Peers: [] }, [])
  t.match(topLines(first, view)[2], /No other device has joined/)
})
