import t from 'tap'
import { energyLines } from '../../src/cli/energy.ts'
import { lookOf } from '../../src/cli/print.ts'
import { fakeEnergy } from '../implementation.ts'
import { bare, desk } from './command.ts'

const env = { LANG: 'C.UTF-8', TERM: 'xterm' }
const pipe = lookOf({ isTTY: false } as NodeJS.WriteStream, env)
const terminal = lookOf({ isTTY: true, columns: 80 } as NodeJS.WriteStream, env)

const plain = [
  'On battery (by UPower): a silent link is asked after 1 minute.',
  '2 links to other devices.',
  '',
  '  wake-ups                      8         1800',
  '  of them by own timer        2.4          400',
  '  packets to peers            2.4          400',
  '  packets from peers          3.2          401',
  '  bytes to peers            197 B        33 kB',
  '  bytes from peers          248 B        33 kB',
  '  UDP sent                    2.4          400',
  '  UDP received                  4          402',
  '  UDP bytes sent            118 B        20 kB',
  '  UDP bytes received        196 B        20 kB',
  '  multicast sent              0.8          150',
  '  multicast heard             2.4          450',
  '  multicast bytes sent      200 B        38 kB',
  '  multicast bytes heard     720 B       135 kB',
  '  D-Bus signals sent            0           12',
  '',
  'a minute: of the last 75 s; since start: 2.5 h ago'
]

t.test('in a pipe', async t => {
  t.strictSame(energyLines(fakeEnergy(), pipe), plain)
})

t.test('on a terminal: headings and colours', async t => {
  const lines = energyLines(fakeEnergy(), terminal)
  t.match(lines[0], /\x1b\[33mOn battery\x1b\[0m/)
  t.match(bare(lines[3]!), /^ +A MINUTE +SINCE START$/)
  const ends = lines.slice(3, 19).map(line => bare(line).length)
  t.equal(new Set(ends).size, 1, 'numbers end in one column')
})

t.test('mains, no links, just started', async t => {
  const energy = { ...fakeEnergy(), Power: 'mains', PowerSource: '', KeepaliveUSec: 15e6, SlowLinks: 1 }
  t.same(energyLines(energy, pipe).slice(0, 2), [
    'On mains (nobody says otherwise): a silent link is asked after 15 seconds.',
    '2 links to other devices, 1 of them to a device that saves energy or bytes.'
  ])
  t.equal(
    energyLines({ ...energy, Metered: true, KeepaliveUSec: 60e6 }, pipe)[0],
    'On mains (nobody says otherwise), on metered networks: a silent link is asked after 1 minute.'
  )
  t.equal(
    energyLines({ ...energy, SlowLinks: 0, FarLinks: 1, FarKeepaliveUSec: 22.5e6 }, pipe)[1],
    '2 links to other devices, 1 to other networks, asked after 23 seconds at most.'
  )
  const fresh = { ...energy, Links: 1, SlowLinks: 0, LatelyUSec: 0, UpUSec: 0 }
  t.equal(energyLines(fresh, pipe)[1], '1 link to other devices.')
  t.match(energyLines(fresh, pipe)[3], /^ {2}wake-ups +10 +1800$/, 'what there was')
})

t.test('it goes alone', async t => {
  const { coterie } = await desk(t)
  t.match(await coterie('status --energy --all'), { code: 2, err: /of all circles together/ })
  const { out, code } = await coterie('status --energy')
  t.equal(code, 0)
  t.same(out.trimEnd().split('\n'), plain)
})
