/** Three real daemons: what is sent to one that sleeps is kept, sealed, by the third; and comes though the sender is gone. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside, type Teardown } from '../namespace.ts'
import { ends, handlers, lines } from './correspondents.ts'
import { Computer } from './daemon.ts'

async function three(t: Teardown, names: readonly string[]): Promise<[Computer, Computer, Computer]> {
  const computers = names.map(name => new Computer(t, name)) as [Computer, Computer, Computer]
  const [first, ...others] = computers
  await Promise.all(computers.map(computer => computer.start()))
  await first.founds()
  for (const other of others) await other.joins(await first.ticket())
  for (const computer of computers)
    for (const { name } of computers) if (name !== computer.name) await computer.sees(name)
  return computers
}

const kept = async (on: Computer): Promise<number> => (await on.aside('Outbox')).KeptCopies
/** Nothing tells when a copy goes: it is asked for until it has. */
async function keeps(on: Computer, copies: number): Promise<void> {
  let now = -1
  const look = async () => {
    while (now !== copies) now = await kept(on)
  }
  await within(PATIENCE_MS, `${on.name} keeps ${copies}`, look(), () => `it keeps ${now}\n${on.story()}`)
}

if (inside(t, import.meta.url)) {
  t.test('anna sends, nas keeps it, anna goes, laptop comes', async t => {
    const [anna, nas, laptop] = await three(t, ['anna', 'nas', 'laptop'])
    const out = join(laptop.directory, 'out')
    await handlers(laptop, { 'message/note': `{ cat; echo; } >> ${out}` })
    await laptop.stop()
    t.match(await anna.coterie('send laptop note first --wait=held'), {
      code: 0,
      out: /held for laptop by nas/
    })
    for (const body of ['second', 'third'])
      t.match(await anna.coterie(`send laptop note ${body} --wait=held`), { code: 0 })
    t.match(await anna.coterie('outbox'), { out: /laptop +note +held .* by nas/ })
    t.match(await nas.coterie('outbox'), { out: /Nothing waits to be sent.*\n.*keeps 3 sealed/ })
    t.notOk(readFileSync(nas.database).includes('second'))

    t.comment('what was acknowledged is there after a kill')
    await nas.kill()
    const { Messages: waiting } = await anna.call('Outbox')
    await anna.stop()
    await nas.start()
    t.equal(await kept(nas), 3)
    await laptop.start()
    t.same(await lines(out, all => all.length === 3), ['first', 'second', 'third'], 'once each, in order')
    await keeps(nas, 0)

    t.comment('anna hears of it when she comes back')
    await anna.start()
    for (const { Id } of waiting) t.match(await ends(anna, Id), { State: 'done', HeldBy: [] })
    t.equal(readFileSync(out, 'utf8'), 'first\nsecond\nthird\n')
    t.same((await anna.call('Outbox')).Messages, [])
  })

  t.test('a sender that is removed while its message waits with another', async t => {
    const [anna, ben, laptop] = await three(t, ['anna', 'ben', 'laptop'])
    const out = join(laptop.directory, 'out')
    await handlers(laptop, { 'message/note': `{ cat; echo; } >> ${out}` })
    await laptop.stop()
    t.match(await ben.coterie('send laptop note never --wait=held'), { out: /held for laptop by anna/ })
    t.equal(await kept(anna), 1)
    t.match(await anna.coterie('remove ben --yes'), { code: 0 })
    await keeps(anna, 0)
    await laptop.start()
    await laptop.sees('anna')
    await anna.call('Send', { Peers: ['laptop'], Tag: 'note', Body: 'of a member' })
    t.same(await lines(out, all => all.length > 0), ['of a member'])
  })
}
