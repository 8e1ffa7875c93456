import t from 'tap'
import type { PeerId } from '../../src/crypto/identity.ts'
import { peerId, peerKey } from '../../src/crypto/identity.ts'
import { Cards } from '../../src/daemon/circle/cards.ts'
import type { StoredCircle } from '../../src/daemon/circle/stored.ts'
import { Waking } from '../../src/daemon/circle/waking.ts'
import type { Write } from '../../src/host/database.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'
import { addressOf, formatHost } from '../../src/wire/address.ts'
import type { Card } from '../../src/wire/extra.ts'
import { decodeWake, encodeWake, type WakeFrame } from '../../src/wire/wake.ts'
import { generator } from '../random.ts'
import { Clock } from '../sim/clock.ts'

const DAY = 86_400_000
const ids = [1, 2, 3, 4, 5].map(n => peerId(new Uint8Array(32).fill(n)))
const [self, sleeper, near, far, late] = ids as [PeerId, PeerId, PeerId, PeerId, PeerId]
const card = (ip: string, n: number): Card => ({
  address: addressOf(ip, 24_747)!,
  mac: Uint8Array.of(2, 0x77, 0, 0, 0, n)
})
const row = { gid: new Uint8Array(32) } as StoredCircle['row']

function kept(cards: StoredCircle['cards'] = []) {
  const clock = { wall: 100 * DAY }
  const writes: Write[] = []
  const around = {
    wall: () => clock.wall,
    log: () => {},
    commit: async (all: readonly Write[]) => void writes.push(...all)
  }
  const all = new Cards({ row, cards } as unknown as StoredCircle, around)
  const shown = (peer: PeerId) => all.of(peer).map(({ address, mac }) => `${formatHost(address)} ${mac[5]}`)
  const stored = () =>
    writes
      .splice(0)
      .map(write =>
        'put' in write
          ? `+${(write.put as { address: string }).address}`
          : `-${(write as { address: string }).address}`
      )
  return { all, clock, shown, stored }
}

t.test('cards are remembered by network', async t => {
  const { all, clock, shown, stored } = kept()
  all.told(sleeper, [card('192.168.1.5', 1), card('10.0.0.5', 2)])
  t.same(shown(sleeper), ['192.168.1.5 1', '10.0.0.5 2'])
  t.same(stored(), ['+192.168.1.5', '+10.0.0.5'])
  clock.wall += 1_000
  all.told(sleeper, [card('192.168.1.5', 1), card('10.0.0.5', 2)])
  t.same(stored(), [], 'nothing new')
  all.told(sleeper, [card('192.168.1.9', 1)])
  t.same(shown(sleeper), ['192.168.1.9 1', '10.0.0.5 2'], 'another address of the same network')
  t.same(stored(), ['-192.168.1.5', '+192.168.1.9'])
  clock.wall += 2 * DAY
  all.told(sleeper, [card('192.168.1.9', 1)])
  t.same(stored(), ['+192.168.1.9'], 'seen again after long')
  for (let n = 0; n < 20; n++) all.told(sleeper, [card(`10.1.${n}.5`, 2)])
  t.equal(shown(sleeper).length, 8, 'not without bound')
  all.told(near, [card('10.0.0.6', 3)])
  stored()
  all.keep(new Map([[near, 1]]))
  t.same([shown(sleeper), shown(near).length], [[], 1])
  t.equal(stored().length, 8, 'gone from the disk too')
})

t.test('what was stored comes back, seen last first', async t => {
  const at = (address: string, seenMs: number) =>
    ({ table: 'card', gid: row.gid, peer: sleeper, address, mac: card(address, 1).mac, seenMs }) as const
  const { shown } = kept([at('10.0.0.1', 1), at('10.0.1.1', 3), at('nonsense', 4), at('10.0.2.1', 2)])
  t.same(shown(sleeper), ['10.0.1.1 1', '10.0.2.1 1', '10.0.0.1 1'])
})

/** One device of five; it is on the networks `here`. */
function waker(here: readonly string[], wanted = 2) {
  const clock = new Clock()
  const packets: string[] = []
  const frames: { to: PeerId; frame: WakeFrame }[] = []
  const sought: PeerId[] = []
  const progress: string[] = []
  const views = new Map<PeerId, PeerView>()
  const show = (id: PeerId, state: PeerView['state'], address: string, latencyUSec = 0) =>
    views.set(id, { id, state, addresses: [`tcp://${address}:24747`], latencyUSec } as unknown as PeerView)
  show(sleeper, 'asleep', '192.168.1.5')
  show(far, 'reachable', '10.9.0.3', 10)
  show(near, 'reachable', '192.168.1.3', 900)
  show(late, 'unreachable', '192.168.1.4')
  /** What is answered to an ask; undefined: nothing. */
  const answers = new Map<PeerId, 'sent' | 'elsewhere' | 'recently' | undefined>()
  const abort = new AbortController()
  const waking = new Waking(
    { row, cards: [] } as unknown as StoredCircle,
    {
      now: () => clock.now,
      wall: () => 100 * DAY + clock.now,
      commit: async () => {},
      after: (ms, act) => clock.after(ms, act),
      log: () => {},
      wakeCard: async ({ address, mac }, forOthers) => {
        if (!here.some(net => formatHost(address).startsWith(net))) return false
        packets.push(`${mac[5]}${forOthers ? ' for others' : ''}`)
        return true
      }
    },
    { self, members: new Map(ids.map((id, i) => [id, { name: `d${i}` }])) as never },
    {
      peers: views,
      send: (to, _kind, body) => {
        const frame = decodeWake(body)!
        frames.push({ to, frame })
        const result = answers.get(to)
        if (frame.type === 'ask' && result !== undefined)
          clock.after(5, () => waking.receive(to, encodeWake({ type: 'answer', token: frame.token, result })))
        return views.get(to)?.state === 'reachable'
      },
      seek: peer => sought.push(peer)
    }
  )
  waking.told(sleeper, [card('192.168.1.5', 1)])
  const call = { signal: abort.signal, progress: (sentence: string) => progress.push(sentence) }
  const wake = () => waking.wake(ids[wanted - 1]!, 20_000, call)
  /** Runs until the promise is settled. */
  const done = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false
    const end = () => {
      over = true
    }
    promise.then(end, end)
    for (;;) {
      for (let i = 0; i < 20; i++) await null
      if (over) return promise
      clock.run(clock.now + 5)
    }
  }
  const comes = () => {
    show(sleeper, 'reachable', '192.168.1.5')
    waking.changed()
  }
  return { abort, answers, clock, comes, done, frames, packets, progress, show, sought, wake, waking }
}

t.test('on the same network: by itself', async t => {
  const { wake, done, packets, frames, sought, clock, comes } = waker(['192.168.1.'])
  clock.after(3_000, comes)
  t.same(await done(wake()), { by: [self], came: true })
  t.same([packets, frames, sought], [['1'], [], [sleeper]])
  t.ok(clock.now < 3_100)
  t.same(await done(wake()), { by: [], came: true }, 'it is awake')
})

t.test('else those are asked first that are there', async t => {
  const { wake, done, packets, frames, answers, clock, comes, progress } = waker([])
  answers.set(near, 'sent')
  clock.after(4_000, comes)
  t.same(await done(wake()), { by: [near], came: true })
  t.same(packets, [])
  t.same(
    frames.map(({ to, frame }) => [to, frame.type]),
    [[near, 'ask']]
  )
  t.same(progress, ['asking d2 to wake d1', 'the packet is sent; waiting for d1'])
})

t.test('one is silent, one is elsewhere, nobody could', async t => {
  const { wake, done, frames, answers, clock } = waker([])
  answers.set(far, 'elsewhere')
  await t.rejects(done(wake()), { code: 'Unreachable', message: /nobody who is awake is on a network/ })
  t.same(
    frames.map(({ to }) => to),
    [near, far]
  )
  t.ok(clock.now >= 1_000 && clock.now < 1_100)
})

t.test('nobody knows how', async t => {
  const { wake, done } = waker(['192.168.1.'], 5)
  await t.rejects(done(wake()), { code: 'Unreachable', message: /d4 never said how it can be woken/ })
})

t.test('another network with the same numbers: then others are asked all the same', async t => {
  const { wake, done, answers, frames, clock } = waker(['192.168.1.'])
  answers.set(near, 'recently')
  t.same(await done(wake()), { by: [self, near], came: false })
  t.equal(frames.length, 1)
  t.ok(clock.now >= 20_000)
})

t.test('the caller goes', async t => {
  const { wake, done, abort, clock } = waker(['192.168.1.'])
  clock.after(100, () => abort.abort(new Error('gone')))
  await t.rejects(done(wake()), /gone/)
  t.ok(clock.now < 200)
})

t.test('asked by others: sends it, but not again and again', async t => {
  const { waking, packets, frames, clock } = waker(['192.168.1.'])
  const ask = async (from: PeerId, target = sleeper) => {
    waking.receive(from, encodeWake({ type: 'ask', token: 9, target: peerKey(target)! }))
    for (let i = 0; i < 20; i++) await null
    return frames.splice(0).map(({ to, frame }) => [to, frame.type === 'answer' && frame.result])
  }
  t.same(await ask(far), [[far, 'sent']])
  t.same(packets, ['1 for others'])
  t.same(await ask(far), [[far, 'recently']])
  t.same(await ask(near), [[near, 'recently']])
  t.equal(packets.length, 1)
  clock.run(clock.now + 6_000)
  t.same(await ask(near), [[near, 'sent']])
  t.same(await ask(near, late), [[near, 'elsewhere']], 'nobody told how')
  t.same(await ask(near, self), [], 'no peer of ours')
  t.same(await ask(near, peerId(new Uint8Array(32).fill(9))), [], 'no member')
  let answered = 0
  for (let i = 0; i < 50; i++) answered += (await ask(far)).length
  t.ok(answered <= 5, `${answered} of 50 are answered`)
})

t.test('answers of others than those who were asked, and garbage', async t => {
  const { wake, done, waking, frames, clock } = waker([])
  const promise = done(wake())
  const random = generator(1)
  for (let token = 1; token < 4; token++)
    waking.receive(late, encodeWake({ type: 'answer', token, result: 'sent' }))
  for (let i = 0; i < 500; i++)
    waking.receive(
      far,
      Uint8Array.from({ length: Math.floor(random() * 40) }, () => random() * 256)
    )
  await t.rejects(promise, { code: 'Unreachable' })
  t.ok(frames.length >= 2 && clock.now > 1_000)
})
