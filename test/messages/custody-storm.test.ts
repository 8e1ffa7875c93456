/**
 * Whatever is cut or killed and whenever, and whatever holders do: each accepted message runs once at most, those of one
 * sender and tag in the order in which they were sent, and its sender learns how it ended.
 */
import t from 'tap'
import { Dice } from '../circle/dice.ts'
import { Clock } from '../sim/clock.ts'
import { type Device, World } from './custody-world.ts'

const SEEDS = 25
const MESSAGES = 30
const STORM = 60_000
const TAGS = 3

interface Weather {
  readonly kills: number
  readonly cancels: number
  /** Sender and receiver hardly ever meet. */
  readonly strangers: boolean
  readonly lies: Device['lies']
  /** Milliseconds. */
  readonly ttl: number
}

const calm: Weather = { kills: 0, cancels: 0, strangers: true, lies: '', ttl: 3_600_000 }
const storms: { readonly [name: string]: Weather } = {
  'sessions that end': calm,
  'all that meet all': { ...calm, strangers: false },
  'messages taken back': { ...calm, cancels: 20, strangers: false },
  'processes that are killed': { ...calm, kills: 30, strangers: false },
  'a holder that drops what it keeps': { ...calm, lies: 'drops', strangers: false },
  'a holder that hands over all it ever saw, again and again': {
    ...calm,
    lies: 'replays',
    strangers: false,
    cancels: 20,
    kills: 10
  },
  'messages that expire': { ...calm, ttl: 65_000, cancels: 5 }
}

for (const [name, weather] of Object.entries(storms))
  t.test(`${SEEDS} histories with ${name}`, async t => {
    const ends = new Map<string, number>()
    let byCustody = 0
    for (let seed = 0; seed < SEEDS; seed++) {
      const { world, met } = history(seed, weather)
      const [a, b, c, d] = world.devices as [Device, Device, Device, Device]
      byCustody += met
      for (const [sender, receiver] of [
        [a, c],
        [c, a]
      ] as const) {
        const runs = receiver.runs
        if (new Set(runs).size !== runs.length) t.fail(`seed ${seed}: a handler ran twice for one message`)
        for (const sent of sender.accepted) {
          const ran = runs.includes(sent.id)
          const state = sender.state(sent)
          ends.set(state, (ends.get(state) ?? 0) + 1)
          if (state === 'done' && !ran) t.fail(`seed ${seed}: done, but it never ran`)
          if (/cancelled|expired/.test(state) && ran) t.fail(`seed ${seed}: ${state}, but it ran`)
          // what is done may have been told to a process that was killed since
          if (!/^(done|dead (cancelled|expired|unknown)|forgotten)$/.test(state))
            t.fail(`seed ${seed}: ${state} in the end`)
          if (state === 'forgotten' && (weather.kills === 0 || !ran)) t.fail(`seed ${seed}: forgotten`)
        }
        for (let tag = 0; tag < TAGS; tag++) {
          // one that was taken back in vain has no place
          const order = receiver.order
            .map(each => each.split(' '))
            .filter(([, of, text]) => of === `t${tag}` && !sender.takenBack.has(text!))
            .map(([, , text]) => Number(text))
          if (order.some((number, i) => i > 0 && number < order[i - 1]!))
            t.fail(`seed ${seed}: out of order: ${order}`)
        }
        if (weather.kills === 0 && receiver.disk.received.size > 0)
          t.fail(`seed ${seed}: ${receiver.disk.received.size} messages stay`)
      }
      for (const each of [a, b, c, d])
        if (
          each.lies === '' &&
          (each.disk.copies.size > 0 || (weather.lies === '' && each.disk.deposits.size > 0))
        )
          t.fail(`seed ${seed}: ${each.disk.copies.size} copies, ${each.disk.deposits.size} deposits stay`)
    }
    const told = [...ends].map(([state, n]) => `${n} ${state}`).join(', ')
    t.ok(
      (ends.get('done') ?? 0) + (ends.get('forgotten') ?? 0) > SEEDS * MESSAGES,
      `${told}; ${byCustody} came by way of a holder`
    )
    t.ok(byCustody > SEEDS * 5)
    if (weather.cancels > 0) t.ok((ends.get('dead cancelled') ?? 0) > 20)
    if (weather.ttl < STORM * 2) t.ok((ends.get('dead expired') ?? 0) > 20)
    if (weather.kills === 0) t.equal(ends.get('dead unknown') ?? 0, 0)
  })

/** `met`: messages that were handed over by holders. */
function history(seed: number, weather: Weather): { world: World; met: number } {
  const { kills, cancels, strangers, lies, ttl } = weather
  const clock = new Clock()
  const dice = new Dice(seed + 1)
  const world = new World(clock, dice, 4)
  const [a, b, c, d] = world.devices as [Device, Device, Device, Device]
  world.holders = [b.id, d.id]
  b.lies = lies
  const pairs = [[a, b], [a, d], [c, b], [c, d], [b, d], ...(strangers ? [] : [[a, c] as const])] as const
  for (let i = 0; i < MESSAGES; i++)
    for (const [sender, receiver] of [
      [a, c],
      [c, a]
    ] as const)
      clock.after(
        // one after the other, as a user would
        Math.floor((STORM * (i + dice.nat(100) / 100)) / MESSAGES),
        () => sender.process > 0 && sender.send(receiver.id, `t${dice.nat(TAGS)}`, `${i}`, ttl)
      )
  for (let i = 0; i < 120; i++)
    clock.after(dice.nat(STORM), () => {
      const [one, other] = dice.pick(pairs)
      if (dice.chance(0.5)) world.cut(one, other)
      else world.open(one, other)
    })
  for (let i = 0; i < kills; i++)
    clock.after(dice.nat(STORM), () => {
      const device = dice.pick(world.devices)
      if (device.process > 0) device.kill()
      else device.start()
    })
  for (let i = 0; i < cancels; i++)
    clock.after(dice.nat(STORM), () => {
      const device = dice.pick([a, c])
      if (device.process > 0 && device.accepted.length > 0) device.cancel(dice.pick(device.accepted))
    })
  world.pass(STORM)
  // holders know what they handed over by the receipts
  const met = [a, c].reduce((sum, { taken }) => sum + taken, 0)
  for (const device of world.devices) if (device.process === 0) device.start()
  if (ttl < 2 * STORM) world.pass(2 * STORM)
  for (const [one, other] of [...pairs, [a, c] as const]) world.open(one, other)
  world.pass(20_000)
  return { world, met }
}
