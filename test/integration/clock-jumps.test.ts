/** The wall clock of a computer jumps: to 1970, 2038 and 2106, back, and again and again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

/** Read at SIGUSR2: how wrong the clock is from now on. The monotonic clock is as ever, as after `date --set`. */
const clock = (file: string) => `
import { readFileSync, writeFileSync } from 'node:fs'
let wrong = 0
const Right = Date
globalThis.Date = class extends Right {
  constructor(...given) { given.length ? super(...given) : super(Right.now() + wrong) }
  static now() { return Right.now() + wrong }
}
process.on('SIGUSR2', () => {
  wrong = Number(readFileSync(${JSON.stringify(file)}, 'utf8'))
  writeFileSync(${JSON.stringify(`${file}.set`)}, String(wrong))
})`

const YEAR = 365.25 * 86_400_000
const moments = {
  '1970': () => 1_000 - Date.now(),
  '2038, when 31 bits of seconds are over': () => 2 ** 31 * 1000 - Date.now() - 500,
  '2106, when 32 bits are': () => 2 ** 32 * 1000 - Date.now() - 500,
  'a day ago': () => -86_400_000,
  'the day after tomorrow': () => 2 * 86_400_000
}

if (inside(t, import.meta.url)) {
  t.test('presence does not go by the wall clock', async t => {
    const anna = new Computer(t, 'anna')
    const ben = new Computer(t, 'ben')
    const carl = new Computer(t, 'carl')
    const file = join(anna.directory, 'clock')
    anna.environment['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(clock(file))}`
    const jump = async (wrongMs: number) => {
      writeFileSync(file, String(wrongMs))
      anna.signal('SIGUSR2')
      const done = () => {
        try {
          return Number(readFileSync(`${file}.set`, 'utf8')) === wrongMs
        } catch {
          return false
        }
      }
      while (!done()) await anna.call('Version')
    }
    await Promise.all([anna, ben, carl].map(computer => computer.start()))
    await anna.founds()
    await ben.joins(await anna.ticket())
    await carl.joins(await anna.ticket())
    const both = async () => {
      await Promise.all([anna.sees('ben'), anna.sees('carl'), ben.sees('anna'), carl.sees('anna')])
      await Promise.all([
        anna.call('Ping', { Peer: 'ben', Count: 3 }),
        ben.call('Ping', { Peer: 'anna', Count: 3 })
      ])
    }
    await both()

    for (const [when, wrong] of Object.entries(moments)) {
      await jump(wrong())
      await both()
      t.comment(`while it is ${when} there, one goes and comes back`)
      await carl.kill()
      const { Peers } = await anna.until('sees it go', s =>
        s.Peers.some(p => p.Name === 'carl' && !p.Reachable)
      )
      const seen = Number(Peers.find(({ Name }) => Name === 'carl')!.LastSeenUSec) / 1000
      t.ok(
        Math.abs(seen - (Date.now() + wrong())) < YEAR,
        `last seen by that clock: ${new Date(seen).toISOString()}`
      )
      await carl.start()
      await both()
      await jump(0)
      await both()
    }

    t.comment('back and forth, faster than anything can follow')
    const all = Object.values(moments)
    for (let n = 0; n < 60; n++) await jump(n % 2 ? 0 : all[(n / 2) % all.length]!())
    await jump(0)
    await both()

    t.comment('its word is still newer than what it said in 2106, also after a restart')
    await anna.stop()
    await anna.start()
    await both()
    t.notMatch(anna.log.join('\n'), /internal error|Error:/)
    t.equal((await ben.status()).Peers.find(({ Name }) => Name === 'anna')?.State, 'reachable')
  })
}
