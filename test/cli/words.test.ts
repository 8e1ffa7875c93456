import t from 'tap'
import { width } from '../../src/cli/columns.ts'
import { aligned, lookOf, printable, wrapped } from '../../src/cli/print.ts'
import { statusLines } from '../../src/cli/status.ts'
import { EventLines } from '../../src/cli/watch.ts'
import {
  address,
  ago,
  duration,
  latency,
  level,
  parseSpan,
  reason,
  result,
  shortId,
  since,
  span
} from '../../src/cli/words.ts'
import { ids, newStatus, readyStatus } from '../implementation.ts'

const SECOND = 1_000_000
const NOW = Date.UTC(2026, 8, 1, 12) * 1000
const pipe = lookOf({ isTTY: false } as NodeJS.WriteStream, { LANG: 'C.UTF-8' })

t.test('times', async t => {
  const table: [number, string][] = [
    [-10, 'just now'],
    [0, 'just now'],
    [5, '5 s ago'],
    [59, '59 s ago'],
    [60, '1 min ago'],
    [125, '2 min ago'],
    [3600, '1 h ago'],
    [86_399, '23 h ago'],
    [86_400, 'yesterday'],
    [2 * 86_400, '2 days ago'],
    [31 * 86_400, 'on 2026-08-01']
  ]
  for (const [seconds, text] of table) t.equal(ago(NOW - seconds * SECOND, NOW), text)
})

t.test('moments', async t => {
  const at = (ms: number) => new Date(2026, 8, 1, 12, 5).getTime() * 1000 - ms * 1000
  t.equal(since(at(3_600_000), at(0)), 'since 11:05')
  t.equal(since(at(13 * 3_600_000), at(0)), 'since yesterday, 23:05')
  t.equal(since(at(40 * 3_600_000), at(0)), 'since 2026-08-30')
  t.same(
    [5, 130, 7300, 3 * 86_400].map(s => duration(s * SECOND)),
    ['5 s', '2 min', '2 h', '3 days']
  )
  t.same(['no-route', 'EPERM'].map(result), ['no route from here', 'EPERM'])
})

t.test('durations', async t => {
  const table: [string, number | undefined][] = [
    ['90s', 90],
    ['30m', 1800],
    ['30min', 1800],
    ['12h', 43_200],
    ['1h30m', 5400],
    ['2d', 172_800],
    ['1w', 604_800],
    ['', undefined],
    ['0s', undefined],
    ['10', undefined],
    ['1x', undefined],
    ['-1h', undefined],
    ['1.5h', undefined],
    ['99999999999999w', undefined]
  ]
  for (const [text, seconds] of table) {
    t.equal(parseSpan(text), seconds === undefined ? undefined : seconds * SECOND, JSON.stringify(text))
  }
  t.equal(span(86_400 * SECOND), '1 day')
  t.equal(span(43_200 * SECOND), '12 hours')
  t.equal(span(5400 * SECOND), '90 minutes')
  t.equal(span(1 * SECOND), '1 second')
})

t.test('latencies, addresses, levels', async t => {
  t.same([0, 84, 840, 1234, 9990, 12_345, 120_000, 1_500_000].map(latency), [
    '',
    '0.08 ms',
    '0.84 ms',
    '1.2 ms',
    '10 ms',
    '12 ms',
    '120 ms',
    '1.5 s'
  ])
  const table: [string, string][] = [
    ['tcp://192.168.1.5:24747', '192.168.1.5'],
    ['tcp://192.168.1.5:24748', '192.168.1.5:24748'],
    ['tcp://[fe80::1%25eth0]:24747', 'fe80::1%eth0'],
    ['tcp://[fd00::1]:4', '[fd00::1]:4'],
    ['relay://co1abc', 'relay://co1abc']
  ]
  for (const [uri, text] of table) t.equal(address(uri), text)
  t.same([0, 1, 2, 9, 10, 11, 12].map(level), [
    'recovery code',
    'first device',
    'admin (level 2)',
    'admin (level 9)',
    'member',
    'relay',
    'level 12'
  ])
  t.equal(reason('timeout'), 'no answer')
  t.equal(reason('something-new'), 'something-new')
  t.equal(shortId(ids.desktop), 'desktopp')
})

t.test('text on a terminal', async t => {
  t.same([...'a☂漢é'].map(width), [1, 1, 2, 1])
  t.equal(width('e\u0301'), 1, 'a combining accent takes no room')
  t.equal(width('👩‍💻'), 4)
  t.equal(width('\x1b[1mbold\x1b[0m'), 4)
  t.same(
    aligned([
      ['漢字', 'x'],
      ['abc', 'y'],
      ['z', '']
    ]),
    ['漢字  x', 'abc   y', 'z']
  )
  t.equal(printable('a\x1b[2Jb\u202ec\nd\x9b'), 'a\ufffd[2Jb\ufffdc\ufffdd\ufffd')
  t.same(wrapped('one two three', 9, '! '), ['! one two', '  three'])
  t.same(wrapped('unbreakable', 5), ['unbreakable'])
})

t.test('status', async t => {
  const lines = (status = readyStatus(NOW / 1000)) => statusLines(status, pipe, NOW)
  t.same(lines(), [
    'thinkpad in the circle home',
    'first device · thinkpad · 1 of 3 others reachable',
    '',
    '  desktop  reachable     1.2 ms  192.168.1.20',
    '  nas      unreachable           last seen 2 min ago · no answer',
    '  phone    unreachable           not seen yet',
    '',
    '  Listening  eth0  192.168.1.5, fe80::5  announcing',
    '  port 24747 · network by NetworkManager · on the session bus · version 0.1.0'
  ])

  const ready = readyStatus(NOW / 1000)
  const [desktop, nas] = ready.Peers
  t.same(
    lines({
      ...ready,
      Peers: [
        { ...nas!, State: 'asleep', AsleepSinceUSec: NOW - 600 * SECOND },
        { ...desktop!, Name: 'b', State: 'suspect', Reachable: false, Path: 'relay' },
        { ...desktop!, Name: 'evil\x1b[2J\nfirst device' }
      ]
    }).slice(3, 6),
    [
      '  evil\ufffd[2J\ufffdfirst device  reachable   1.2 ms  192.168.1.20',
      '  b                      suspect     1.2 ms  does not answer, being asked',
      `  nas                    asleep              ${since(NOW - 600 * SECOND, NOW)}`
    ],
    'reachable first; no control character of a name gets out'
  )

  const alone = lines({ ...ready, Peers: [], Circle: { ...ready.Circle, Members: 1 } })
  t.match(alone[1], /the only device so far/)
  t.match(alone.join('\n'), /To let one in:\n {2}coterie invite +here\n {2}coterie join CODE/)
  t.match(lines({ ...ready, Listeners: [] }).join('\n'), /Listening +nowhere/)

  const port = { ...ready.Listeners[0]!, Interface: 'wlan0', Port: 24748, Policy: 'listen' }
  t.match(lines({ ...ready, Listeners: [...ready.Listeners, port] }).slice(-3), [
    /Listening {2}eth0 {3}192\.168\.1\.5, fe80::5 {2}port 24747, announcing/,
    /wlan0 {2}192\.168\.1\.5 {11}port 24748, listening only/,
    /^ {2}network by/
  ])

  const work = { ...ready.Circle, Id: 'w', Name: 'work' }
  t.same(
    statusLines(
      { ...ready, Circles: [ready.Circle, work], Peers: [{ ...desktop!, Circle: 'w' }, nas!] },
      pipe,
      NOW,
      true
    ).slice(3, 8),
    [
      'home',
      '  nas      unreachable           last seen 2 min ago · no answer',
      '',
      'work',
      '  desktop  reachable     1.2 ms  192.168.1.20'
    ]
  )

  const none = lines(newStatus())
  t.equal(none[0], 'thinkpad is in no circle yet.')
  t.match(none.at(-2), /^▲ There is no session bus here/, 'what is missing comes last')
  t.notMatch(none.join('\n'), /Listening/)

  const locked = lines({ ...newStatus(), Device: { Id: '', Name: 'thinkpad', State: 'locked' } })
  t.equal(locked[0], 'thinkpad is locked: its keys cannot be read now.')
  t.notMatch(locked.join('\n'), /coterie init/, 'a locked device has a circle')
  t.match(lines({ ...ready, Device: { ...ready.Device, State: 'leaving' } })[2], /is leaving/)
})

t.test('watch', async t => {
  const lines = new EventLines(pipe)
  lines.know([{ Id: ids.nas, Name: 'nas' }])
  const say = (Type: string, path: string, Kind: string, Properties: object) =>
    lines
      .of(
        { Cursor: 'c', Type, Object: path, Kind, Properties: { ...Properties } },
        new Date(2026, 0, 1, 9, 5, 7)
      )
      .join('\n')
  const peer = (id: string) => `/circle/${ids.circle}/peer/${id}`
  t.equal(
    say('Changed', peer(ids.nas), 'Peer', { State: 'unreachable', Reason: 'timeout', Reachable: false }),
    '09:05:07  nas  unreachable  no answer'
  )
  t.equal(say('Changed', peer(ids.nas), 'Peer', { LatencyUSec: 2000 }), '09:05:07  nas  2.0 ms')
  t.equal(say('Changed', peer(ids.nas), 'Peer', { LastSeenUSec: 1 }), '', 'nothing a person would read')
  t.equal(say('Changed', peer(ids.phone), 'Peer', { State: 'reachable' }), '09:05:07  phonepho  reachable')
  t.equal(
    say('Changed', peer(ids.phone), 'Peer', { Name: 'pixel', State: 'asleep' }),
    '09:05:07  pixel  asleep'
  )
  t.equal(say('Removed', peer(ids.phone), 'Peer', {}), '09:05:07  pixel  gone')
  const message = { Circle: 'c', Id: 'id', Peer: ids.nas, Name: 'nas', Tag: 'backup/start' }
  t.equal(
    say('MessageReceived', '', 'Daemon', { ...message, Size: 12 }),
    '09:05:07  nas  sent backup/start  12 B  id'
  )
  const receipt = { ...message, State: 'done', Reason: '', Exit: 0 }
  t.equal(say('ReceiptChanged', '', 'Daemon', receipt), '09:05:07  nas  backup/start  done  id')
  t.equal(
    say('ReceiptChanged', '', 'Daemon', { ...receipt, State: 'dead', Reason: 'failed', Exit: 3 }),
    '09:05:07  nas  backup/start  dead  its handler ended with 3  id'
  )
  const listener = { Interface: 'eth0', Address: '10.0.0.1', Port: 24747, Policy: 'announce' }
  t.equal(
    say('Added', '/listener/1', 'Listener', listener),
    '09:05:07  listener eth0 10.0.0.1 port 24747  announcing'
  )
  t.equal(
    say('Removed', '/listener/1', 'Listener', {}),
    '09:05:07  listener eth0 10.0.0.1 port 24747  closed'
  )
  t.equal(
    say('Added', `/circle/${ids.circle}`, 'Circle', { Name: 'home', Members: 2 }),
    '09:05:07  circle home  2 members'
  )
  t.equal(
    say('Changed', '', 'Daemon', { DBus: 'taken' }),
    '09:05:07  coteried  name on the session bus taken'
  )
  t.equal(
    say('CloneDetected', '', 'Daemon', { Id: 'co1x' }),
    '09:05:07  x  exists twice: a disk was copied; remove one of them'
  )
  t.match(say('Gap', '', '', {}), /missed/)
})
