/** What fits into so many columns, and in which colours. */
import t from 'tap'
import { cut, fitted, padded, width } from '../../src/cli/columns.ts'
import { addressLines } from '../../src/cli/peers.ts'
import { lookOf, printable } from '../../src/cli/print.ts'
import { statusLines } from '../../src/cli/status.ts'
import { EventLines } from '../../src/cli/watch.ts'
import { ids, readyStatus } from '../implementation.ts'

const NOW = Date.UTC(2026, 8, 1, 12) * 1000
const terminal = (columns: number, env: { [name: string]: string } = {}) =>
  lookOf({ isTTY: true, columns } as NodeJS.WriteStream, { LANG: 'C.UTF-8', TERM: 'xterm', ...env })
const bare = (text: string) => text.replace(/\x1b\[\d+m/g, '')

t.test('how wide', async t => {
  const table: [string, number][] = [
    ['', 0],
    ['plain', 5],
    ['漢字', 4],
    ['한국', 4],
    ['e\u0301', 1],
    ['x\u20dd', 1],
    ['●◐☾○▁█…·→', 9],
    ['😀', 2],
    ['🇩🇪', 2],
    ['👩‍💻', 4],
    ['\u{20000}', 2],
    ['नी', 2],
    ['\x1b[1mbold\x1b[0m', 4],
    ['ｱ', 1],
    ['Ａ', 2]
  ]
  for (const [text, columns] of table) t.equal(width(text), columns, JSON.stringify(text))
})

t.test('cut, and filled up', async t => {
  t.equal(cut('laptop', 6), 'laptop')
  t.equal(cut('laptops', 6), 'lapto…')
  t.equal(cut('漢字漢字', 6), '漢字…', 'no half of a character')
  t.equal(cut('e\u0301e\u0301e\u0301', 2), 'e\u0301…', 'an accent stays with its letter')
  t.equal(cut('abc', 0), '')
  t.equal(cut('abc', 2, '...'), '')
  t.equal(cut('\x1b[1mlaptops\x1b[0m', 6), '\x1b[1mlapto…\x1b[0m', 'a colour ends')
  t.equal(cut('a\x1b[1mb\x1b[0mcdef', 4), 'a\x1b[1mb\x1b[0mc…')
  t.equal(padded('漢', 4), '漢  ')
  t.same(
    fitted(
      [
        ['a long name indeed', 'here', 'x'],
        ['b', 'a place far away', 'y']
      ],
      24,
      [0, 1]
    ),
    [
      ['a long n…', 'here', 'x'],
      ['b', 'a place f…', 'y']
    ]
  )
})

t.test('what other devices are called cannot disturb a terminal', async t => {
  const kept = 'ünï 漢字 👩‍💻 e\u0301 नी نام\u200cه'
  t.equal(printable(kept), kept)
  for (const bad of [
    '\x1b',
    '\x07',
    '\x9b',
    '\r',
    '\n',
    '\u202e',
    '\u2066',
    '\u200b',
    '\ufeff',
    '\u2028',
    '\u{e0041}'
  ])
    t.equal(printable(`a${bad}b`), 'a\ufffdb', `U+${bad.codePointAt(0)!.toString(16)}`)
})

t.test('colours: who wants which', async t => {
  const table: [boolean, { [name: string]: string }, boolean][] = [
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [true, { CLICOLOR: '0' }, false],
    [false, { CLICOLOR: '1' }, false],
    [false, { CLICOLOR_FORCE: '1' }, true],
    [false, { CLICOLOR_FORCE: '0' }, false],
    [true, { CLICOLOR_FORCE: '0' }, true],
    [false, { FORCE_COLOR: '1' }, true],
    [false, { FORCE_COLOR: '3', TERM: 'dumb' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { FORCE_COLOR: 'false' }, false],
    [true, { FORCE_COLOR: '' }, true],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
    [false, { CLICOLOR_FORCE: '1', NO_COLOR: '1' }, false]
  ]
  for (const [isTTY, env, wanted] of table) {
    const look = lookOf({ isTTY } as NodeJS.WriteStream, { LANG: 'C.UTF-8', TERM: 'xterm', ...env })
    const name = `${isTTY ? 'terminal' : 'pipe'} ${JSON.stringify(env)}`
    t.equal(look.coloured, wanted, name)
    t.equal(look.green('x') !== 'x', wanted, name)
    t.equal(look.terminal, isTTY, `${name}: the layout is that of what it is`)
  }
})

/** Names that are hard on a terminal. */
const status = () => {
  const ready = readyStatus(NOW / 1000)
  const [desktop, nas, phone] = ready.Peers
  return {
    ...ready,
    Peers: [
      { ...desktop!, Addresses: ['tcp://[fd12:3456:789a:1:c861:91ff:fe7d:3d57]:24748'] },
      { ...desktop!, Name: 'the-workstation-in-the-basement-with-the-loud-fans.example' },
      { ...nas!, Name: '漢字コンピューターの名前がとても長いです' },
      { ...phone!, Name: '📱 phone', State: 'asleep', AsleepSinceUSec: NOW - 3_600_000_000 },
      { ...phone!, Name: 'tablet', State: 'suspect' }
    ],
    Notes: ['There is no session bus here: panels see nothing; start the daemon inside a desktop session.']
  }
}

t.test('status fits narrow terminals and wide ones', async t => {
  for (const columns of [40, 45, 50, 60, 80, 100, 200])
    for (const env of [{}, { LANG: 'C' }, { NO_COLOR: '1' }] as { [name: string]: string }[]) {
      const lines = statusLines(status(), terminal(columns, env), NOW)
      t.same(
        lines.filter(line => width(line) > columns && bare(line).trim().includes(' ')),
        [],
        `${columns} columns`
      )
      t.equal(lines.join('').includes('\x1b'), !('NO_COLOR' in env))
    }
  t.same(statusLines(status(), terminal(48), NOW).map(bare), [
    'thinkpad in the circle home',
    'first device · thinkpad · 2 of 5 others',
    'reachable',
    '',
    '  ● desktop                 reachable     1.2 ms',
    '    [fd12:3456:789a:1:c861:91ff:fe7d:3d57]:24748',
    '  ● the-workstation-in-th…  reachable     1.2 ms',
    '    192.168.1.20',
    '  ◐ tablet                  suspect',
    '    does not answer, being asked',
    '  ☾ 📱 phone                asleep',
    `    ${
      bare(statusLines(status(), terminal(200), NOW)[6]!)
        .trim()
        .split(/ {2,}/)[2]
    }`,
    '  ○ 漢字コンピューターの…   unreachable',
    '    last seen 2 min ago · no answer',
    '',
    '  Listening',
    '    eth0  192.168.1.5, fe80::5, announcing',
    '  port 24747 · network by NetworkManager · on',
    '  the session bus · version 0.1.0',
    '',
    '▲ There is no session bus here: panels see',
    '  nothing; start the daemon inside a desktop',
    '  session.'
  ])
  t.match(
    statusLines(status(), terminal(200), NOW).map(bare)[4],
    /^ {2}● the-workstation-in-the-basement-with-the-loud-fans\.example {2}reachable {5}1\.2 ms {2}192/,
    'nothing is cut where there is room'
  )
  const piped = statusLines(status(), lookOf({} as NodeJS.WriteStream, { LANG: 'C.UTF-8' }), NOW)
  t.match(piped.join('\n'), /the-workstation-in-the-basement-with-the-loud-fans\.example {2}reachable/)
})

t.test('so do the addresses', async t => {
  for (const columns of [40, 50, 60, 80, 200]) {
    const lines = addressLines(status().Peers, terminal(columns, { NO_COLOR: '1' }), NOW)
    const wide = lines.filter(line => width(line) > columns && line.trim().includes(' '))
    t.same(wide, [], `${columns} columns`)
    t.match(lines.join('\n'), '[fd12:3456:789a:1:c861:91ff:fe7d:3d57]:24748', 'and are whole')
  }
})

t.test('circles: the one that is shown, or all', async t => {
  const ready = readyStatus(NOW / 1000)
  const Circles = ['home', 'work', 'club'].map(name => ({ ...ready.Circle, Id: name, Name: name }))
  const Peers = [{ ...ready.Peers[0]!, Circle: 'home' }]
  const all = { ...ready, Circle: Circles[0]!, Circles, Peers }
  const look = terminal(80, { NO_COLOR: '1' })
  t.equal(statusLines(all, look, NOW)[2], 'also in work, club: coterie status --all')
  t.same(statusLines(all, look, NOW, true).slice(3, 11), [
    'home',
    '  ● desktop  reachable   1.2 ms  192.168.1.20',
    '',
    'work',
    '  no other device yet',
    '',
    'club',
    '  no other device yet'
  ])
})

t.test('watch on a terminal: names in one column, and how long one was away', async t => {
  const look = terminal(64, { NO_COLOR: '1' })
  const lines = new EventLines(look)
  lines.know([
    { Id: ids.desktop, Name: 'the-workstation-in-the-basement' },
    { Id: ids.nas, Name: 'nas' }
  ])
  const at = (day: number, s: number) => new Date(2026, 0, day, 9, 5, s)
  const peer = (id: string, Properties: object, now = at(1, 7)) =>
    lines.of(
      {
        Cursor: '',
        Type: 'Changed',
        Object: `/circle/c/peer/${id}`,
        Kind: 'Peer',
        Properties: Properties as { [name: string]: unknown }
      },
      now
    )
  const gone = { State: 'unreachable', Reason: 'timeout', LastSeenUSec: at(1, 7).getTime() * 1000 }
  t.same(peer(ids.nas, gone), ['09:05:07  ○ nas                 unreachable  no answer'])
  t.same(peer(ids.desktop, { State: 'suspect' }), [
    '09:05:07  ◐ the-workstation-i…  suspect  does not answer, being',
    '                                asked'
  ])
  t.same(
    peer(
      ids.nas,
      { State: 'reachable', LatencyUSec: 1500, Addresses: ['tcp://192.168.1.30:24747'], LastSeenUSec: 0 },
      at(1, 49)
    ),
    [
      '09:05:49  ● nas                 reachable  1.5 ms  192.168.1.30',
      '                                after 42 s'
    ]
  )
  t.same(peer(ids.nas, { LatencyUSec: 3000 }, at(2, 0)), [
    '2026-01-02',
    '09:05:00  · nas                 3.0 ms'
  ])
})
