/** Messages where there is no room, and where a database was put back; between real daemons. */
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { correspondents, ends, handlers, lines, sends } from './correspondents.ts'
import { type Computer, failure } from './daemon.ts'
import { openDatabase } from './kept.ts'
import { onSmallDisk } from './small-disk.ts'

const MESSAGES = 20_000

const send = async (from: Computer, body: string, tag = 'log') =>
  (await from.aside('Send', { Peers: ['ben'], Tag: tag, Body: body })).Messages[0]!.Id
const say = (file: string) => `{ cat; echo; } >> ${file}`
const noted = (computer: Computer, there: boolean) =>
  computer.until(
    there ? 'says that messages wait' : 'all is well',
    s => s.Notes.some(n => /messages wait to be stored: the disk is full/.test(n)) === there
  )

if (inside(t, import.meta.url)) {
  t.test('the disk of the sender is full', async t => {
    const { computer: anna, fill, free } = onSmallDisk(t, 'anna', 12_288)
    const [, ben] = await correspondents(t, { anna })
    const log = join(ben.directory, 'log')
    await handlers(ben, { 'message/log': say(log) })
    await ben.stop()
    const kept = [await send(anna, 'one'), await send(anna, 'two')]
    fill()
    t.match(await failure(send(anna, 'x'.repeat(100_000))), /^NoSpace: it was not accepted: the disk is full/)
    t.match(await anna.coterie(['send', 'ben', 'log', 'y'.repeat(100_000)]), {
      code: 1,
      err: /^coterie: it was not accepted: the disk is full/
    })
    for (let i = 0; ; i++) {
      const id = await send(anna, 'small').catch(() => '')
      if (id === '') break
      kept.push(id)
      t.ok(i < 1_000, 'what fits into a page is taken until there is no page')
    }
    t.comment(`${kept.length} were accepted`)
    t.same(
      (await anna.call('Outbox')).Messages.map(({ Id }) => Id),
      kept,
      'what was accepted is kept'
    )

    t.comment('its receiver comes while the disk is full')
    await ben.start()
    await lines(log, all => all.length === kept.length)
    await noted(anna, true)
    t.equal((await anna.status()).Device.State, 'ready')
    await anna.kill()
    free()
    await anna.start()
    await anna.until('knows how they ended', () => true)
    for (const id of kept) {
      const ended = await ends(anna, id).catch(error => String(error))
      t.match(ended, typeof ended === 'string' ? /no message/ : { State: 'done' })
    }
    t.match(await sends(anna, 'ben', 'log', 'after'), { State: 'done' })
    const said = await lines(log, () => true)
    t.same(said.slice(0, 2), ['one', 'two'], 'in order')
    t.equal(said.length, kept.length + 1, 'each once')
    fill()
    t.match(await failure(send(anna, 'x'.repeat(100_000))), /^NoSpace/)
    free()
    t.match(await sends(anna, 'ben', 'log', 'at last'), { State: 'done' }, 'and without a restart')
    await noted(anna, false)
  })

  t.test('the disk of the receiver is full', async t => {
    const { computer: ben, place, fill, free } = onSmallDisk(t, 'ben', 12_288)
    const [anna] = await correspondents(t, { ben })
    const log = join(anna.directory, 'ben')
    const gate = join(anna.directory, 'gate')
    const begun = join(anna.directory, 'begun')
    await handlers(ben, {
      'message/log': say(log),
      'message/wait': `echo runs > ${begun}; while [ ! -e ${gate} ]; do sleep 0.05; done`
    })
    t.match(await sends(anna, 'ben', 'log', 'before'), { State: 'done' })
    const runs = await send(anna, '', 'wait')
    await lines(begun, all => all.length > 0)
    fill()
    const body = 'x'.repeat(100_000)
    const waiting = [await send(anna, `first ${body}`), await send(anna, `second ${body}`)]
    await noted(ben, true)
    for (const id of waiting)
      t.match(
        await failure(anna.call('WaitMessage', { Id: id, State: 'received', TimeoutUSec: 500_000 })),
        /it waits here for ben/
      )
    t.same(await lines(log, () => true), ['before'], 'nothing runs that is not on disk')
    t.equal((await ben.status()).Device.State, 'ready', 'and the daemon lives')
    writeFileSync(gate, '')
    t.match(
      await failure(anna.call('WaitMessage', { Id: runs, TimeoutUSec: 1e6 })),
      /runs still/,
      'nor is an end told'
    )
    t.equal((await anna.call('Ping', { Peer: 'ben' })).LatencyUSec.length, 1)

    t.comment('room again')
    free()
    for (const id of [runs, ...waiting]) t.match(await ends(anna, id), { State: 'done', Reason: '' })
    await noted(ben, false)
    t.same(
      (await lines(log, () => true)).map(line => line.slice(0, 6)),
      ['before', 'first ', 'second']
    )

    t.comment('it is killed while its disk is full')
    fill()
    const third = await send(anna, `third ${body}`)
    await noted(ben, true)
    await ben.kill()
    free()
    await ben.start()
    t.match(await ends(anna, third), { State: 'done' })
    t.equal((await lines(log, () => true)).length, 4, 'each once')
    t.ok(existsSync(place))
  })

  t.test('a database that was put back', async t => {
    const [anna, ben] = await correspondents(t)
    const log = join(ben.directory, 'log')
    await handlers(ben, { 'message/log': say(log) })
    const copy = async (computer: Computer) => {
      await computer.stop()
      copyFileSync(computer.database, `${computer.database}.copy`)
      await computer.start()
    }
    const putBack = async (computer: Computer) => {
      await computer.stop()
      for (const end of ['-wal', '-shm']) rmSync(`${computer.database}${end}`, { force: true })
      copyFileSync(`${computer.database}.copy`, computer.database)
      await computer.start()
    }
    t.comment('of the sender, with a message in it that waits')
    await ben.stop()
    const first = await send(anna, 'first')
    await copy(anna)
    await ben.start()
    t.match(await ends(anna, first), { State: 'done' })
    t.match(await sends(anna, 'ben', 'log', 'second'), { State: 'done' })
    await putBack(anna)
    t.match(
      await ends(anna, first),
      { State: 'dead', Reason: 'unknown' },
      'it may have run, and does not again'
    )
    t.match(await sends(anna, 'ben', 'log', 'third'), { State: 'done' }, 'what is new is not swallowed')
    t.match(await sends(anna, 'ben', 'log', 'fourth'), { State: 'done' })

    t.comment('of the receiver')
    await copy(ben)
    t.match(await sends(anna, 'ben', 'log', 'fifth'), { State: 'done' })
    await putBack(ben)
    t.match(await sends(anna, 'ben', 'log', 'sixth'), { State: 'done' })
    await putBack(ben)
    await putBack(anna)
    await Promise.all([anna.sees('ben'), ben.sees('anna')])
    t.match(await sends(anna, 'ben', 'log', 'seventh'), { State: 'done' })
    t.same(
      (await lines(log, () => true)).filter(line => line !== 'first').concat(),
      ['second', 'third', 'fourth', 'fifth', 'sixth', 'seventh'],
      'nothing was swallowed, and nothing ran twice'
    )
    t.comment((await lines(log, () => true)).join(' '))
  })

  t.test('the outbox is full', async t => {
    const [anna, ben] = await correspondents(t)
    await ben.stop()
    await send(anna, 'the first')
    await anna.stop()
    const sql = openDatabase(anna)
    const columns = (sql.pragma('table_info(outgoing)') as { name: string }[]).map(({ name }) => name)
    const another = columns.map(name =>
      name === 'seq' ? 'seq + n' : name === 'id' ? `'aaaaaaaa' || text` : name
    )
    sql.exec(`INSERT INTO outgoing (${columns}) SELECT ${another} FROM outgoing,
      (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${MESSAGES - 2})
        SELECT n, replace(replace(replace(replace(printf('%08d', n), '0', 'q'), '1', 'r'), '8', 's'), '9', 't') AS text
        FROM c)`)
    sql.exec(`UPDATE counter SET next = ${MESSAGES}`)
    sql.close()
    await anna.start()
    const last = await send(anna, 'the last')
    t.match(await failure(send(anna, 'more')), /^OutboxFull: too much waits to be sent; `coterie outbox`/)
    t.match(await anna.coterie('send ben log more'), { code: 1, err: /too much waits to be sent/ })
    const { out } = await anna.coterie('outbox')
    t.equal(out.trimEnd().split('\n').length, MESSAGES, 'all of it is listed')
    await anna.coterie(`outbox cancel ${last}`)
    t.match(await failure(send(anna, 'more')), /^OutboxFull/, 'a dead letter takes room')
    t.match(await anna.coterie('outbox clear'), { code: 0, out: 'One dead message was dropped.\n' })
    await send(anna, 'more')
    t.match(await failure(send(anna, 'more')), /^OutboxFull/)
    await anna.call('Remove', { Device: 'ben' })
    t.match(await anna.coterie('outbox clear'), { out: `${MESSAGES} dead messages were dropped.\n` })
    t.match(await anna.coterie('outbox'), { out: /^Nothing waits to be sent/ })
    await anna.kill()
    await anna.start()
    t.equal((await anna.call('Outbox')).Messages.length, 0)
  })
}
