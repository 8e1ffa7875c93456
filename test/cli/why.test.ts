import t from 'tap'
import { matrixLines } from '../../src/cli/matrix.ts'
import { lookOf } from '../../src/cli/print.ts'
import { whyLines } from '../../src/cli/why.ts'
import { fakeMatrix, fakeWhy, ids } from '../implementation.ts'
import { desk } from './command.ts'

const NOW = Date.UTC(2026, 8, 1, 12) * 1000
const environment = { LANG: 'C.UTF-8', NO_COLOR: '1' }
const terminal = (columns: number) => lookOf({ isTTY: true, columns } as NodeJS.WriteStream, environment)
const pipe = lookOf({ isTTY: false } as NodeJS.WriteStream, environment)

t.test('why not', async t => {
  t.same(whyLines(fakeWhy(NOW), terminal(80), NOW), [
    'nas is unreachable: no answer',
    'last seen 2 min ago · last sign of life 2 min ago, straight from it',
    '',
    'ADDRESS       NAMED BY           TRIED    RESULT              ROUND TRIP',
    '192.168.1.30  heard 8 s ago      6 s ago  no answer',
    '10.8.0.3      its word, 2 h ago  6 s ago  no route from here',
    '192.0.2.7     configuration      never    its turn comes',
    '',
    'Heard on  eth0  192.168.1.30  8 s ago',
    '',
    '→ nas is heard from 192.168.1.30, and its port does not answer: a firewall there',
    '  lets nobody in. On nas: `sudo ufw allow 24747:24756/tcp`, or what `coterie',
    '  doctor` says there.'
  ])
  t.same(
    whyLines({ ...fakeWhy(NOW), Heard: [], Advice: [] }, terminal(50), NOW).slice(4, 9),
    [
      '192.168.1.30',
      '    heard 8 s ago · tried 6 s ago · no answer',
      '10.8.0.3',
      '    its word, 2 h ago · tried 6 s ago · no route',
      '    from here'
    ],
    'where a table has no room'
  )
  for (const line of whyLines(fakeWhy(NOW), pipe, NOW)) t.notMatch(line, /ADDRESS/)
})

t.test('why so', async t => {
  const why = fakeWhy(NOW)
  const [first, second, third] = why.Candidates
  const lines = whyLines(
    {
      ...why,
      State: 'reachable',
      Reason: '',
      LatencyUSec: 1200,
      LastSeenUSec: 0,
      Candidates: [
        { ...first!, InUse: true, Why: 'in-use', Result: 'connected', RoundTripUSec: 1200 },
        { ...second!, Why: 'kind', Link: 'tunnel', Result: 'connected', RoundTripUSec: 30_000 },
        third!
      ],
      Heard: [],
      Advice: []
    },
    pipe,
    NOW
  )
  t.same(lines, [
    'nas is reachable: 1.2 ms',
    'last sign of life 2 min ago, straight from it',
    '',
    '192.168.1.30  heard 8 s ago      6 s ago  in use              1.2 ms',
    '10.8.0.3      its word, 2 h ago  6 s ago  worse: by a tunnel  30 ms',
    '192.0.2.7     configuration      never    not needed',
    '',
    'The way in use: by cable, in this network. It stays until a better one is',
    'proved: by cable before wireless before a tunnel, without a router before with',
    'one, then the faster.'
  ])
})

t.test('who sees whom', async t => {
  t.same(matrixLines(fakeMatrix(), terminal(80)), [
    '          thinkpad  desktop  nas      phone',
    'thinkpad  ·         1.2 ms   no       no',
    'desktop   1.3 ms    ·        0.80 ms  asleep',
    '',
    'thinkpad → nas    unreachable  no answer, for 2 min',
    'thinkpad → phone  unreachable  not seen yet, for 2 min',
    'desktop → phone   asleep       for 2 min',
    'Not told: what is seen by nas, phone.'
  ])
  t.same(matrixLines(fakeMatrix(), terminal(30)).slice(0, 3), [
    'thinkpad sees 1 of 3, not nas',
    '         (unreachable: no',
    '         answer), phone'
  ])
  t.equal(matrixLines(fakeMatrix(), pipe)[0], 'thinkpad  desktop   reachable    1.2 ms', 'rows for a script')
  t.equal(matrixLines([], pipe)[0], 'There is no other device to see.')
})

t.test('the commands', async t => {
  const { coterie, facts } = await desk(t)
  const why = await coterie('why nas')
  t.equal(why.code, 0, 'the question was answered')
  t.match(why.out, /^nas is unreachable: no answer\n/)
  t.same(facts.calls.at(-1), { method: 'Why', params: { Circle: '', Peer: 'nas' } })
  t.same(JSON.parse((await coterie('why nas --json')).out), facts.why)
  t.equal((await coterie('why nobody')).code, 1)
  t.equal((await coterie('why')).code, 2)
  t.match((await coterie('status --matrix')).out, /^thinkpad {2}desktop/)
  t.equal(JSON.parse((await coterie('status --matrix --json')).out).Rows[0].Peer, ids.desktop)
  t.match((await coterie('status --matrix --all')).err, /--matrix/)
})
