/** What is shown of the members, and what removing and leaving mean. */
import t from 'tap'
import { width } from '../../src/cli/columns.ts'
import { checkRemovable, findDevice, leavingLines, removalLines } from '../../src/cli/consequences.ts'
import { type Device, deviceLines } from '../../src/cli/devices.ts'
import type { Look } from '../../src/cli/print.ts'

const NOW = Date.UTC(2026, 10, 21, 12) * 1000
const DAY = 86_400_000_000
const same = (text: string) => text
const look = (terminal: boolean, columns = 80): Look => ({
  terminal,
  coloured: false,
  columns,
  bold: same,
  dim: same,
  green: same,
  yellow: same,
  red: same,
  cyan: same,
  mark: fine => fine
})
const idOf = (name: string) =>
  `co1${name
    .replaceAll(/[^a-z]/g, '')
    .padEnd(8, 'x')
    .slice(0, 8)}${'a'.repeat(46)}`
const made = (name: string, level: number, by: string, more: Partial<Device> = {}): Device => ({
  Id: idOf(name),
  Name: name,
  Level: level,
  AddedBy: by && idOf(by),
  Self: false,
  Guest: false,
  ExpiresUSec: 0,
  Expired: false,
  Reachable: true,
  LastSeenUSec: 0,
  KeyChangedUSec: NOW - 12 * DAY,
  Stale: false,
  Cloned: false,
  ...more
})
const away = { Reachable: false, LastSeenUSec: NOW - 3 * DAY }
const first = made('first', 1, '')
const admin = made('admin', 2, 'first')
const self = (device: Device): Device => ({ ...device, Self: true })

t.test('devices: every line fits a terminal, whatever the names', async t => {
  const long = 'the computer in the very long corridor of the second floor'
  const wide = '書斎の計算機'
  const all = [
    self(first),
    made(long, 2, 'first', { ...away, Stale: true, Cloned: true }),
    made(wide, 10, long, {
      Reachable: false,
      LastSeenUSec: NOW - 200 * DAY,
      KeyChangedUSec: NOW - 400 * DAY
    }),
    made('guest', 10, long, { Guest: true, ExpiresUSec: NOW + 9 * DAY }),
    made('gone', 10, 'nobody', { Guest: true, Expired: true, ExpiresUSec: NOW - DAY, ...away })
  ]
  const lines = deviceLines(all, look(true), NOW)
  t.match(lines[0], /^NAME +LEVEL +ID +ADDED BY +SEEN +KEY$/)
  for (const line of lines) t.ok(width(line) <= 80, line)
  t.match(lines[2], /^the .*… +admin 2 +thecompu +first +3 days ago +12 d +cloned, stale$/)
  t.match(lines[3], /^書斎\S* +member .* 2026-05-05 +400 d$/)
  t.match(lines[4], /guest +\S+ +the .*… +reachable +12 d +until 2026-11-30$/)
  t.match(lines[5], /expired$/)
  const plain = deviceLines(all, look(false), NOW)
  t.equal(plain.length, all.length, 'no heading in a pipe')
  t.ok(plain[1]!.startsWith(long), 'and nothing cut')
  t.same(deviceLines([], look(false), NOW), [])
  const narrow = deviceLines(all, look(true, 40), NOW)
  t.match(narrow[2], /^the com…/, 'names keep eight columns')
})

t.test('removing: who it is, and what it means', async t => {
  const all = [self(first), admin, made('nas', 10, 'admin', away), made('phone', 10, 'admin', away)]
  t.same(removalLines(all, admin), [
    'admin (adminxxx): admin 2, added by first',
    'It is removed for ever: its keys are never accepted again. It may come back only by joining anew.',
    'From then on it gets nothing more from anybody; what it has received before stays on it.',
    'The devices it added stay: nas, phone.',
    'The others get a new key for finding each other, which it does not have.',
    'Offline now, these hear of it when they meet any other device, before anything else: nas, phone.'
  ])
  const nas = removalLines(all, all[2]!)
  t.equal(nas[0], 'nas (nasxxxxx): member, added by admin')
  t.match(nas.at(-2), /^nas is offline now: nobody will talk to it who knows of this\.$/)
  t.match(nas.at(-1), /^Offline now, this one hears of it when it meets .*: phone\.$/)
  const guest = made('guest', 10, 'stranger', { Guest: true })
  t.equal(removalLines([...all, guest], guest)[0], 'guest (guestxxx): guest, added by stranger')
})

t.test('removing: refused before anything is asked', async t => {
  const all = [first, admin, self(made('nas', 10, 'admin')), made('phone', 10, 'admin')]
  const refusal = (name: string) => {
    try {
      checkRemovable(all, findDevice(all, name))
      return 'fine'
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      return `${code}: ${message}`
    }
  }
  t.match(refusal('nas'), /^InvalidValue: this is the device you are on; use `coterie leave`/)
  t.match(
    refusal('phone'),
    /^NotAllowed: phone has level 10 and this device level 10, .*: first \(first device\) or admin \(admin \(level 2\)\) can, on that device$/
  )
  t.match(refusal('first'), /only the recovery code can remove it$/)
  t.match(refusal('eve'), /^NoSuchPeer: no member is called "eve"/)
  t.match(refusal(''), /^NoSuchPeer/)
  const twins = [self(first), made('a b', 10, 'first'), { ...made('ab', 10, 'first'), Name: 'a b' }]
  t.throws(() => findDevice(twins, 'a b'), { code: 'AmbiguousPeer' })
  t.throws(() => findDevice(twins, 'abxxxxxx'), { code: 'AmbiguousPeer', message: /co1abxxxxxx/ })
  t.throws(() => checkRemovable([first], first), { code: 'NotAllowed', message: /no member any more/ })
})

t.test('leaving: what is lost', async t => {
  t.match(leavingLines([self(first)], 'home'), [
    /^This device, first \(firstxxx\), leaves the circle home\.$/,
    /deleted\. It may come back only by a new invitation/,
    /^It is the last device: the circle ends with it/
  ])
  const alone = leavingLines([self(first), made('nas', 10, 'first')], 'home')
  t.match(alone[2], /only first device: without it nobody who stays can add or remove devices\. The recovery/)
  t.match(alone[3], /^1 device it added stays\.$/)
  const admins = leavingLines([self(first), admin, made('nas', 10, 'admin', away)], 'home')
  t.match(admins[2], /without it admin can add and remove only devices of greater levels/)
  t.match(admins.at(-1), /^Offline now, and told by the others later: nas\.$/)
  const two = leavingLines([self(first), made('other', 1, ''), made('nas', 10, 'first', away)], 'home')
  t.notMatch(two.join(), /only first device/)
  const nobody = leavingLines(
    [first, self(made('nas', 10, 'first'))].map(d => (d.Self ? d : { ...d, ...away })),
    'h'
  )
  t.match(nobody.at(-1), /^No other device is online, so none will hear of it: .*`coterie remove`/)
  t.equal(leavingLines([first], 'home').length, 2, 'one that was removed only clears away')
})
