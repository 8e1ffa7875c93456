import t from 'tap'
import { advice, type Case } from '../../src/daemon/circle/advice.ts'
import type { CandidateView } from '../../src/mesh/mesh.ts'

const candidate = (host: string, result: string, more: Partial<CandidateView> = {}): CandidateView => ({
  address: `tcp://${host}:24747`,
  sources: [{ source: 'gossip', agoMs: 1000 }],
  lastTriedAgoMs: result === '' ? Infinity : 1000,
  result,
  lastResultAgoMs: result === '' ? Infinity : 1000,
  lastProbedAgoMs: Infinity,
  probeResult: '',
  roundTripUSec: 0,
  link: 'wired',
  metered: false,
  near: true,
  chosen: false,
  why: result === '' ? 'untried' : 'failed',
  ...more
})
const heard = (host: string, more = {}) => ({
  interface: 'wlan0',
  host,
  listenOnly: false,
  followed: true,
  ...more
})
const lost: Case = {
  name: 'nas',
  state: 'unreachable',
  reason: 'timeout',
  candidates: [],
  heard: [],
  clockAhead: 0,
  clockFar: false,
  apart: [],
  together: false,
  reachedBy: [],
  here: {
    networks: ['10.0.0.0/24'],
    near: address => address.startsWith('tcp://10.0.0.'),
    announcing: ['wlan0'],
    listening: [],
    others: false
  }
}

/** What is so, and how the sentences begin, or what they say. */
const table: [string, Partial<Case>, RegExp[]][] = [
  ['all is well', { state: 'reachable', reason: '' }, []],
  [
    'but its clock is not',
    { state: 'reachable', clockAhead: -700 },
    [/^The clock of nas is at least 11 min behind this one: .*`sudo timedatectl set-ntp true`/]
  ],
  ['a little is nothing', { state: 'reachable', clockAhead: 200 }, []],
  ['asleep', { state: 'asleep' }, [/`coterie wake nas`/]],
  ['asleep, a name for a shell', { state: 'asleep', name: "it's" }, [/`coterie wake 'it'\\''s'`/]],
  [
    'no network here',
    { reason: 'no-network', here: { ...lost.here, announcing: [] } },
    [/^This device has no network/]
  ],
  ['no address here', { reason: 'no-network' }, [/no address in the network yet/]],
  [
    'isolated',
    { reason: 'isolated', candidates: [candidate('10.0.0.9', 'timeout')] },
    [/^Most of what this device asked/, /Nobody answers at 10\.0\.0\.9/]
  ],
  [
    'nothing but guesses',
    {
      candidates: [candidate('100.64.0.9', 'handshake', { sources: [{ source: 'overlay', agoMs: 1 }] })]
    },
    [/^No address of nas is known/]
  ],
  ['nothing is known', {}, [/^No address of nas is known and is not heard on wlan0/]],
  [
    'stopped',
    { reason: 'stopped', candidates: [candidate('10.0.0.9', 'refused')] },
    [/said goodbye/, /nobody listens there/]
  ],
  [
    'heard and silent: a firewall',
    { heard: [heard('10.0.0.9')], candidates: [candidate('10.0.0.9', 'timeout')], together: true },
    [
      /^nas is heard from 10\.0\.0\.9, and its port does not answer: a firewall.*`sudo ufw allow 24747:24756\/tcp`/
    ]
  ],
  [
    'heard and silent, and that is all we know',
    { heard: [heard('10.0.0.9')], candidates: [candidate('10.0.0.9', 'timeout')] },
    [/: most likely a firewall there.* Or the access point keeps devices apart: that shows within a minute/]
  ],
  [
    'heard and silent, and no neighbour: the access point',
    { heard: [heard('10.0.0.9')], candidates: [candidate('10.0.0.9', 'unreachable')], apart: ['wlan0'] },
    [/^nas is heard on wlan0 and the gateway answers.*keeps devices apart/]
  ],
  [
    'others reach it in this very network, no neighbour',
    { reachedBy: ['desk'], candidates: [candidate('10.0.0.9', 'timeout')], apart: ['wlan0'] },
    [/^nas is there and the gateway answers/, /Nobody answers at 10\.0\.0\.9/]
  ],
  ['refused', { candidates: [candidate('10.0.0.9', 'refused')] }, [/`systemctl --user start coterie`/]],
  [
    'refused though heard',
    { heard: [heard('10.0.0.9')], candidates: [candidate('10.0.0.9', 'refused')] },
    [/^10\.0\.0\.9 refuses though nas announces itself/]
  ],
  [
    'somebody else',
    { candidates: [candidate('10.0.0.9', 'handshake')] },
    [/does not answer as nas would: it is another computer by now/]
  ],
  [
    'barred',
    { candidates: [candidate('10.1.0.9', 'barred')] },
    [/^The way to 10\.1\.0\.9 goes by an interface/, /in other networks/]
  ],
  [
    'only listened on',
    { heard: [heard('10.0.0.9', { listenOnly: true, followed: false })] },
    [/^nas is heard on wlan0, where this device only listens.*`nmcli connection modify/]
  ],
  [
    'other networks',
    { candidates: [candidate('10.7.0.9', 'timeout'), candidate('2001:db8::9', 'no-route')].map(named6) },
    [/^All known addresses of nas are in other networks.* \(here: 10\.0\.0\.0\/24\)/]
  ],
  [
    'near and silent',
    { candidates: [candidate('10.0.0.9', 'timeout')] },
    [/^Nobody answers at 10\.0\.0\.9, in the network/]
  ],
  [
    'others reach it',
    { reason: 'path', reachedBy: ['desk', 'tab'], candidates: [candidate('10.7.0.9', 'timeout')] },
    [/^desk and tab reach nas: it is up/, /in other networks/]
  ],
  [
    'a clock so wrong that it is not understood',
    { clockAhead: 7300, clockFar: true, heard: [heard('10.0.0.9', { followed: false })] },
    [/^The clock of nas is at least 2 h ahead of this one, so that its announcements are not understood/]
  ],
  ['not tried yet', { candidates: [candidate('10.0.0.9', '')] }, [/are being tried/]],
  [
    'nothing stands out',
    {
      candidates: [candidate('10.0.0.9', 'timeout'), candidate('10.7.0.9', 'EPERM')],
      heard: [heard('10.0.0.3')]
    },
    [/^nas does not answer at any address/]
  ]
]

function named6(one: CandidateView): CandidateView {
  return one.address.includes('db8') ? { ...one, address: 'tcp://[2001:db8::9]:24747' } : one
}

for (const [name, facts, expected] of table)
  t.test(name, async t => {
    const said = advice({ ...lost, ...facts })
    t.equal(said.length, expected.length, JSON.stringify(said))
    for (const [i, pattern] of expected.entries()) t.match(said[i], pattern)
    for (const sentence of said) t.match(sentence, /[.)]$/, 'a whole sentence')
  })
