/** What the icon and its menu show of the daemon. */
import t from 'tap'
import type { Entry } from '../../src/cli/tray/menu.ts'
import { entriesOf, faceOf, type Peer, type Status, type Wishes } from '../../src/cli/tray/view.ts'

const NOW = new Date(2026, 10, 21, 14, 30).getTime() * 1000
const at = (hour: number, minute: number) => new Date(2026, 10, 21, hour, minute).getTime() * 1000
const peer = (Name: string, State: string, more: Partial<Peer> = {}): Peer =>
  ({
    ...{ Id: `co1${Name}`, Name, Circle: 'c1', State, Reason: '', Reachable: State === 'reachable' },
    ...{ Addresses: [], LatencyUSec: 0, Path: '', LastSeenUSec: 0, AsleepSinceUSec: 0 },
    ...more
  }) as unknown as Peer
const circle = (Id: string, Name: string) => ({ Id, Name, Level: 1, Members: 3 })
const status = (Peers: Peer[], more: object = {}): Status =>
  ({
    ...{ Device: { Id: 'co1desk', Name: 'desk', State: 'ready' }, Circle: circle('c1', 'home') },
    ...{ Circles: [circle('c1', 'home')], Peers },
    ...more
  }) as unknown as Status

const clicked: string[] = []
const note = (what: string) => (peer?: Peer) => void clicked.push(peer ? `${what} ${peer.Name}` : what)
const wishes: Wishes = {
  sendFile: note('file'),
  sendClipboard: note('clipboard'),
  wake: note('wake'),
  why: note('why'),
  invite: note('invite'),
  cancelInvitation: note('cancel'),
  quit: note('quit')
}
const quiet = { start: 'npm start', inviting: false, trouble: '' }
const menu = (picture: Status | undefined, more: Partial<typeof quiet> = {}) =>
  entriesOf(picture, { ...quiet, ...more }, wishes, NOW)
const labels = (entries: readonly Entry[] = []) => entries.map(({ label }) => label)

t.test('the icon is that of the best state', async t => {
  const icon = (...states: string[]) =>
    faceOf(status(states.map((state, i) => peer(`p${i}`, state))), '', NOW).icon
  t.equal(icon('asleep', 'suspect', 'reachable'), 'coterie-reachable')
  t.equal(icon('asleep', 'suspect', 'unreachable'), 'coterie-suspect')
  t.equal(icon('asleep', 'asleep'), 'coterie-asleep')
  t.equal(icon('asleep', 'unreachable'), 'coterie-unreachable')
  t.equal(icon(), 'coterie-unreachable')
  t.equal(icon('a word of a later version'), 'coterie-unreachable')
})

t.test('states in words that stay true while they are looked at', async t => {
  const peers = [
    peer('nas', 'asleep', { AsleepSinceUSec: at(14, 5) }),
    peer('old', 'unreachable', { Reason: 'never-seen' }),
    peer('phone', 'unreachable', { Reason: 'timeout', LastSeenUSec: at(9, 0) }),
    peer('tab', 'suspect', { LatencyUSec: 4_000, Addresses: ['tcp://192.0.2.8:24747'] }),
    peer('lap', 'reachable', { LatencyUSec: 1_234, Addresses: ['tcp://[fe80::1%25eth0]:24747'] })
  ]
  const entries = menu(status(peers))
  t.same(labels(entries), [
    ...['home: 1 of 5 other devices reachable', '', 'lap  1.2 ms', 'tab  does not answer'],
    ...['nas  asleep since 14:05', 'old  not seen yet', 'phone  away since 09:00'],
    ...['', 'Invite a device…', '', 'Hide this icon']
  ])
  const below = (name: string) => labels(entries.find(e => e.label.startsWith(name))?.below)
  const [file, clipboard] = ['Send a file…', 'Send the clipboard']
  t.same(below('lap'), ['Reachable, 1.2 ms', 'fe80::1%eth0', '', file, clipboard, 'Why?'])
  t.same(below('phone'), ['Away since 09:00, no answer', '', file, clipboard, 'Wake', 'Why?'])
  t.same(faceOf(status(peers), '', NOW), {
    icon: 'coterie-reachable',
    title: 'home: 1 of 5 other devices reachable',
    more: 'lap: reachable\ntab: does not answer\nnas: asleep since 14:05\nold: not seen yet\nphone: away since 09:00',
    label: '1'
  })
  for (const entry of entries.find(e => e.label.startsWith('nas'))!.below!) entry.act?.()
  t.same(clicked, ['file nas', 'clipboard nas', 'wake nas', 'why nas'])
})

t.test('where there is little to show', async t => {
  const { Device } = status([])
  const none = { Circle: { Id: '', Name: '', Level: 0, Members: 0 }, Circles: [] }
  const end = ['', 'Hide this icon']
  t.same(labels(menu(undefined)), ['Coterie is not running', '', 'To start it: npm start', ...end])
  t.same(labels(menu(status([], { ...none, Device: { ...Device, State: 'new' } }))), [
    ...['desk is in no circle yet', '', 'To start one: coterie init', 'To join one: coterie join CODE'],
    ...end
  ])
  t.same(labels(menu(status([], { ...none, Device: { ...Device, State: 'locked' } }))), [
    'desk is locked: its keys cannot be read now',
    ...end
  ])
  t.same(labels(menu(status([]))), ['desk is the only device in home', '', 'Invite a device…', ...end])
  const removed = { Circle: { ...circle('c1', 'home'), Level: 0 } }
  t.same(labels(menu(status([], removed))), ['desk was removed from home', ...end])
})

t.test('several circles, each with its name; names are harmless', async t => {
  const both = { Circles: [circle('c1', 'home'), circle('c2', 'work')] }
  const peers = [peer('b', 'reachable', { Circle: 'c2' }), peer('a\u202ex', 'reachable')]
  t.same(labels(menu(status(peers, both))).slice(0, 6), [
    ...['2 of 2 other devices reachable', '', 'home', 'a\ufffdx', 'work', 'b']
  ])
})

t.test('an invitation, and what could not be told', async t => {
  const entries = menu(status([]), { inviting: true, trouble: 'nas: no answer' })
  t.same(labels(entries).slice(1), ['', 'Cancel the invitation', '', 'nas: no answer', 'Hide this icon'])
})
