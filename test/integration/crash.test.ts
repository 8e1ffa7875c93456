/**
 * SIGKILL at random moments while membership changes: after the restart the device is in or out, never
 * between, and the other side comes to agree.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer, type Status } from './daemon.ts'

const seed = Number(process.env['SEED'] ?? 1)
const rounds = Number(process.env['ROUNDS'] ?? 6)

/** Kills it at a moment between none and `ms` after the call began; says whether the call was answered before. */
async function cutOff(computer: Computer, ms: number, call: () => Promise<unknown>): Promise<boolean> {
  const answered = call().then(
    () => true,
    () => false
  )
  // the moment is the test: nothing is waited for here
  const first = await Promise.race([answered, delay(ms).then(() => false)])
  await computer.kill()
  await answered
  return first
}

const isInside = inside(t, import.meta.url)
t.setTimeout(Math.max(FILE_MS, rounds * 20_000))
if (isInside) {
  t.comment(`SEED=${seed}`)
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }

  t.test('init', async t => {
    for (let round = 0; round < rounds; round++) {
      const pc = await new Computer(t, 'pc').start()
      const done = await cutOff(pc, random() * 120, () => pc.call('Init', { Name: 'home' }))
      await pc.start()
      const { Device, Circle } = await pc.status()
      t.ok(Device.State === 'new' ? Circle.Members === 0 : Circle.Members === 1, `in or out: ${Device.State}`)
      if (done) t.equal(Device.State, 'ready', 'what was answered is kept')
      if (Device.State === 'new') await pc.call('Init', { Name: 'home' })
      await pc.kill()
    }
  })

  t.test('join, leave and remove', async t => {
    const [anna, ben] = await Promise.all([new Computer(t, 'anna').start(), new Computer(t, 'ben').start()])
    await anna.founds()
    const outcomes: string[] = []
    t.teardown(() => t.comment(outcomes.join('\n')))

    /** Waits until both say the same of ben; whether he is in. */
    const agreed = async () => {
      const { Device } = await ben.until('is in or out', s => s.Device.State !== 'leaving')
      const { Circle } = await ben.status()
      if (Device.State === 'new') {
        t.strictSame((await ben.status()).Peers, [], 'out: no peers')
        return false
      }
      t.equal(Device.State, 'ready')
      if (Circle.Level === 0) return false
      await Promise.all([anna.sees('ben'), ben.sees('anna')])
      return true
    }
    const joined = async () => {
      const ticket = await anna.ticket()
      await ben.joins(ticket)
      t.equal(await agreed(), true)
    }

    for (let round = 0; round < rounds; round++) {
      const ticket = await anna.ticket()
      const done = await cutOff(ben, random() * 250, () => ben.joins(ticket))
      await ben.start()
      const isIn = await agreed()
      outcomes.push(`join ${done ? 'answered' : 'cut off'}: ${isIn ? 'in' : 'out'}`)
      if (done) t.ok(isIn, 'what was answered is kept')
      if (!isIn) await ben.joins(ticket)
      t.ok(await agreed(), 'in, by the same ticket')
      await anna.until('two members', s => s.Circle.Members === 2)

      const left = await cutOff(ben, random() * 120, () => ben.call('Leave'))
      await ben.start()
      const stayed = await agreed()
      outcomes.push(`leave ${left ? 'answered' : 'cut off'}: ${stayed ? 'in' : 'out'}`)
      if (left) t.notOk(stayed, 'what was answered is kept')
      if (stayed) t.equal((await ben.call('Leave')).Told, 1)
      await anna.until('alone', s => s.Circle.Members === 1)

      await joined()
      const removed = await cutOff(anna, random() * 60, () => anna.call('Remove', { Device: 'ben' }))
      await anna.start()
      await anna.listens()
      const { Members } = (await anna.status()).Circle
      outcomes.push(`remove ${removed ? 'answered' : 'cut off'}: ${Members === 2 ? 'in' : 'out'}`)
      if (removed) t.equal(Members, 1, 'what was answered is kept')
      if (Members === 2) {
        await anna.sees('ben')
        await anna.call('Remove', { Device: 'ben' })
      }
      // one that was removed while it could not be told meets silence, as every stranger does
      const out = (s: Status) => s.Circle.Level === 0 || s.Peers.every(p => !p.Reachable)
      const { Circle } = await ben.until('is out', out)
      outcomes.push(`  ben ${Circle.Level === 0 ? 'was told' : 'meets silence'}`)
      await ben.call('Leave')
    }
  })
}
