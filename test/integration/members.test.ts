/** Members in use, with real daemons: names, keys, guests, a copied disk, removing and leaving. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

const device = async (at: Computer, name: string) =>
  (await at.call('Devices')).Devices.find(({ Name }) => Name === name)
const notes = (at: Computer, pattern: RegExp) =>
  at.until(String(pattern), ({ Notes }) => Notes.some(note => pattern.test(note)))

if (inside(t, import.meta.url)) {
  t.test('another name, another key, over restarts', async t => {
    const [anna, ben] = (await Promise.all(['anna', 'ben'].map(name => new Computer(t, name).start()))) as [
      Computer,
      Computer
    ]
    await anna.founds()
    await ben.joins(await anna.ticket())
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    t.match(await ben.coterie('rename study'), { code: 0, out: 'This device is now called study.\n' })
    await anna.sees('study')
    t.match(await ben.coterie(['rename', 'a\tb']), { code: 1, err: /no control characters/ })
    const before = (await device(anna, 'study'))!.KeyChangedUSec
    t.match(await ben.coterie('rekey'), { code: 0, out: /a new static key/ })
    await ben.stop()
    await anna.until('it is gone', ({ Peers }) => !Peers[0]!.Reachable)
    t.ok((await device(anna, 'study'))!.KeyChangedUSec > before)
    await ben.start()
    await Promise.all([anna.sees('study'), ben.sees('anna')])
    await anna.kill()
    await ben.call('Rekey')
    await ben.call('Rekey')
    await anna.start()
    await Promise.all([anna.sees('study'), ben.sees('anna')])
    t.match(await ben.coterie('devices'), {
      out: /^anna +first device +\w{8} +reachable +today\nstudy +member +\w{8} +anna +this device +today\n$/
    })
  })

  t.test('a guest for some seconds', async t => {
    const [anna, ben] = (await Promise.all(['anna', 'ben'].map(name => new Computer(t, name).start()))) as [
      Computer,
      Computer
    ]
    await anna.founds()
    const { Ticket } = await anna.call('MakeTicket', { GuestForUSec: 4e6 })
    await ben.joins(Ticket)
    const { ExpiresUSec = 0 } = (await device(anna, 'ben'))!
    const over = () => Date.now() * 1000 >= ExpiresUSec
    await anna.until('sees it', ({ Peers }) => over() || Peers.some(({ Reachable }) => Reachable))
    const guest = await device(anna, 'ben')
    // on a slow machine its time may be over already
    t.match(guest, { Guest: true, Level: 10, ...(!over() && { Expired: false }) })
    await anna.until('lets it in no more', ({ Peers }) => Peers.length === 0)
    t.match(await device(anna, 'ben'), { Guest: true, Expired: true, Reachable: false })
    t.match((await anna.coterie('devices')).out, /^ben +guest .* expired$/m)
    await ben.until('it sees nobody', ({ Peers }) => !Peers[0]!.Reachable)
  })

  t.test('a copied disk: all say so, and the removal of both ends it', async t => {
    const [anna, ben] = (await Promise.all(['anna', 'ben'].map(name => new Computer(t, name).start()))) as [
      Computer,
      Computer
    ]
    await anna.founds()
    await ben.joins(await anna.ticket())
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    await ben.stop()
    const copy = new Computer(t, 'copy')
    for (const place of ['.local/state/coterie', '.local/share/coterie'])
      cpSync(join(ben.directory, place), join(copy.directory, place), {
        recursive: true,
        filter: path => !path.endsWith('.sock')
      })
    await Promise.all([ben.start(), copy.start()])
    await Promise.all([anna, ben, copy].map(each => notes(each, /exists twice/)))
    t.match(await device(anna, 'ben'), { Cloned: true })
    t.match((await anna.coterie('devices')).out, /^ben .* cloned$/m)
    await anna.coterie('remove ben --yes')
    await Promise.all([ben, copy].map(each => notes(each, /was removed/)))
    const { Notes } = await anna.status()
    t.notOk(Notes.some(note => /exists twice/.test(note)))
  })
}
