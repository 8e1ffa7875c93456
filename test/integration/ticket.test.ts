/** Tickets that are no good, and joining that goes wrong half way: who is in and who is not stays clear. */
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { Computer, failure } from './daemon.ts'

const pair = (t: { teardown(fn: () => unknown): void }) =>
  Promise.all([new Computer(t, 'anna').start(), new Computer(t, 'ben').start()])

/** A relay between joiner and inviter; `passing` decides about each piece that goes through. */
async function between(
  t: { teardown(fn: () => unknown): void },
  port: number,
  passing: (from: 'joiner' | 'inviter', count: number) => 'pass' | 'hold'
): Promise<number> {
  const server = createServer(near => {
    const far = connect({ host: '127.0.0.1', port })
    const counts = { joiner: 0, inviter: 0 }
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.on('data', data => passing('joiner', ++counts.joiner) === 'pass' && far.write(data))
    far.on('data', data => passing('inviter', ++counts.inviter) === 'pass' && near.write(data))
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

if (inside(t, import.meta.url)) {
  t.test('tickets that are no good', async t => {
    const [anna, ben] = await pair(t)
    const { Circle } = await anna.founds()
    const ticket = await anna.ticket()
    const members = async () => (await anna.call('Devices')).Devices.map(d => d.Name)
    const refused = async (what: string, text: string, pattern: RegExp) => {
      t.match(await failure(ben.joins(text)), pattern, what)
      t.equal((await ben.status()).Device.State, 'new', `${what}: nothing happened here`)
      t.strictSame(await members(), ['anna'], `${what}: nor there`)
    }
    const swapped = ticket.replace(/.(.)$/, (end, last) => end.replace(end[0]!, last === 'a' ? 'b' : 'a'))
    const wrong = `${ticket.slice(0, 40)}${ticket[40] === 'a' ? 'b' : 'a'}${ticket.slice(41)}`
    await refused('mistyped', wrong, /^InvalidTicket: .*mistyped.*checksum.*copy it again/)
    if (swapped !== ticket) await refused('mistyped at its end', swapped, /^InvalidTicket: /)
    await refused('cut short', ticket.slice(0, -9), /^InvalidTicket: .*cut short.*copy the whole line/)
    await refused('cut very short', ticket.slice(0, 60), /^InvalidTicket: .*cut short/)
    await refused('no ticket', 'hello', /^InvalidTicket: .*no ticket.*begins with coterie1:/)
    await refused('nothing', '', /^InvalidValue: Join takes either a Ticket or a Code/)
    await refused('a newer one', ticket.replace('coterie1:', 'coterie2:'), /newer coterie; upgrade/)
    const expired = await anna.ticket(0.001)
    await refused('expired', expired, /^TicketExpired: .*expired; make a new one with `coterie invite/)

    t.comment('and as the command line says it')
    const typed = await ben.coterie('join -', `${wrong}\n`)
    t.match(typed, { code: 1, out: '', err: /mistyped/ })
    t.notOk(typed.err.includes(wrong.slice(20)), 'the ticket is not shown')
    t.match(await ben.coterie('join -', 'Dear Ben,\n'), { code: 1, err: /begins with coterie1:/ })
    t.match(await ben.coterie(['join', ticket]), { code: 2, err: /does not belong on the command line/ })
    t.match(await ben.coterie('join /nowhere/ticket'), { code: /[12]/, err: /\/nowhere\/ticket/ })

    t.comment('a good one, in capitals and with line breaks as a mail makes them')
    const { Circle: joined } = await ben.joins(ticket.toUpperCase().replaceAll(/(.{60})/g, '$1\n'))
    t.equal(joined, Circle)
    t.match(
      await failure(ben.joins(await anna.ticket())),
      /^CircleExists: this device is in the circle "home" already/
    )
    t.match(await failure(ben.call('Init')), /^CircleExists: /)
    t.strictSame((await members()).sort(), ['anna', 'ben'])

    t.comment('used by another')
    const cleo = await new Computer(t, 'cleo').start()
    t.match(await failure(cleo.joins(ticket)), /^TicketUsed: another device has joined with this ticket/)
    t.equal((await cleo.status()).Device.State, 'new')
  })

  t.test('a ticket for a circle that nobody here has', async t => {
    const [anna, ben] = await pair(t)
    await anna.founds()
    const ticket = await anna.ticket()
    await anna.call('Leave')
    await anna.founds('another')
    t.match(
      await failure(ben.joins(ticket, 2)),
      /^Timeout: nobody answered to this ticket at tcp:\/\/.*24747.*must be running, reachable, and still in that circle/
    )
    t.equal((await ben.status()).Device.State, 'new')
    t.equal((await anna.status()).Circle.Members, 1)
    await anna.kill()
    t.match(await failure(ben.joins(ticket, 1)), /^Timeout: /)
  })

  t.test('two devices at once with one ticket', async t => {
    const [anna, ben] = await pair(t)
    const cleo = await new Computer(t, 'cleo').start()
    await anna.founds()
    const ticket = await anna.ticket()
    const ends = await Promise.allSettled([ben.joins(ticket), cleo.joins(ticket)])
    t.strictSame(ends.map(end => end.status).sort(), ['fulfilled', 'rejected'], 'exactly one gets in')
    const lost = ends.find(end => end.status === 'rejected')
    t.match(lost?.reason, { code: 'TicketUsed' })
    t.equal((await anna.status()).Circle.Members, 2)
    const [inside, outside] = ends[0]?.status === 'fulfilled' ? [ben, cleo] : [cleo, ben]
    t.equal((await inside.status()).Circle.Members, 2)
    t.equal((await outside.status()).Device.State, 'new')
    await outside.joins(await anna.ticket())
    await anna.until('all three', status => status.Peers.filter(p => p.Reachable).length === 2)
  })

  for (const who of ['inviter', 'joiner'] as const)
    t.test(`the ${who} is killed after the ticket was taken`, async t => {
      const [anna, ben] = await pair(t)
      await anna.founds()
      const port = (await anna.status()).Listeners.find(l => l.Address === '127.0.0.1')!.Port
      let reached = () => {}
      const answered = new Promise<void>(resolve => {
        reached = resolve
      })
      let holding = true
      const relay = await between(t, port, from => {
        if (from === 'joiner' || !holding) return 'pass'
        reached() // the answer to the ticket: it has been redeemed, and the joiner is never told
        return 'hold'
      })
      const ticket = await readdressed(anna, relay)
      // who is killed asks no more; who is not told gives up by itself
      const joining = failure(ben.joins(ticket, who === 'inviter' ? 4 : 60))
      await answered
      if (who === 'inviter') await anna.kill()
      else {
        await ben.kill()
        await joining
        await ben.start()
      }
      holding = false
      if (who === 'inviter') {
        t.match(await joining, /^(Timeout|Unreachable): /, 'the joiner is told')
        await anna.start()
        await anna.listens()
      }
      t.equal((await ben.status()).Device.State, 'new', 'nobody is half joined')
      t.strictSame((await ben.status()).Peers, [])

      t.comment('the same device again with the same ticket')
      await ben.joins(ticket)
      await ben.sees('anna')
      const names = (await anna.call('Devices')).Devices.map(d => d.Name)
      t.strictSame(names.sort(), ['anna', 'ben'], 'and there is no shadow of the one that got lost')
      const cleo = await new Computer(t, 'cleo').start()
      t.match(await failure(cleo.joins(ticket)), /^TicketUsed: /, 'another device may not')
    })

  t.test('a device that was removed or left comes back by a new ticket', async t => {
    const [anna, ben] = await pair(t)
    await anna.founds()
    const first = await ben.joins(await anna.ticket())
    await anna.sees('ben')
    t.equal((await ben.call('Leave')).Told, 1)
    await anna.until('alone', status => status.Circle.Members === 1)
    const second = await ben.joins(await anna.ticket())
    t.not(first.Id, second.Id, 'with new keys')
    await anna.sees('ben')
    await anna.call('Remove', { Device: 'ben' })
    t.equal((await anna.status()).Circle.Members, 1)
    await ben.until('knows it', ({ Notes }) => Notes.some(note => /removed/.test(note)))
    t.comment((await ben.status()).Notes.join('\n'))
    t.match((await ben.coterie('leave --yes')).code, 0)
    await ben.joins(await anna.ticket())
    await anna.sees('ben')
  })

  t.test('two calls at once', async t => {
    const [anna, ben] = await pair(t)
    const made = await Promise.allSettled([anna.aside('Init'), anna.aside('Init'), anna.aside('Init')])
    t.strictSame(made.map(end => end.status).sort(), ['fulfilled', 'rejected', 'rejected'], 'one circle')
    await anna.listens()
    const ticket = await anna.ticket()
    const join = () => ben.aside('Join', { Ticket: ticket, TimeoutUSec: 10e6 })
    const joined = await Promise.allSettled([join(), join()])
    t.strictSame(joined.map(end => end.status).sort(), ['fulfilled', 'rejected'])
    t.equal((await ben.status()).Circles.length, 1)
  })

  t.test('a good ticket after many that expired', async t => {
    const [anna, ben] = await pair(t)
    await anna.founds()
    for (let n = 0; n < 40; n++) await anna.ticket(0.001)
    await ben.joins(await anna.ticket())
    await anna.sees('ben')
  })

  t.test('a ticket in a file', async t => {
    const [anna, ben] = await pair(t)
    await anna.founds()
    const path = join(ben.directory, 'ticket')
    writeFileSync(path, `${await anna.ticket()}\n`)
    t.match(await ben.coterie(['join', path, '--yes']), { code: 0, out: /This device is now/ })
  })
}

/** A ticket whose only address is 127.0.0.1 at this port. */
async function readdressed(inviter: Computer, port: number): Promise<string> {
  const { decodeTicket, encodeTicket } = await import('../../src/crypto/ticket.ts')
  const { parseAddress } = await import('../../src/wire/address.ts')
  const ticket = decodeTicket(await inviter.ticket())
  return encodeTicket({ ...ticket, addresses: [parseAddress(`tcp://127.0.0.1:${port}`)!] })
}
