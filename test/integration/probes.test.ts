/** Probes between real daemons, by real sockets. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { PROBE_LENGTH, writeProbeHeader } from '../../src/wire/probe.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('ping measures the session and each address; strangers get silence', async t => {
    const [anna, ben] = await Promise.all([new Computer(t, 'anna').start(), new Computer(t, 'ben').start()])
    await anna.founds()
    await ben.joins(await anna.ticket())
    await Promise.all([anna.sees(), ben.sees()])

    const measured = await ben.call('Ping', { Peer: 'anna', Count: 3 })
    const [session, ...probes] = measured.Paths
    t.match(session, { Via: 'session', Address: measured.Address, Lost: 0, Reason: '' })
    t.same(session!.LatencyUSec, measured.LatencyUSec)
    t.equal(measured.LatencyUSec.length, 3)
    const by = probes.find(({ Address }) => Address === measured.Address)!
    t.match(by, { Via: 'probe' })
    // a datagram that is late by a second, as where nothing ran for a while, counts as lost
    t.ok(by.LatencyUSec.length > 0 && by.LatencyUSec.every(usec => usec > 0 && usec < 30e6))
    t.equal(by.LatencyUSec.length + by.Lost, 3)
    const text = await ben.coterie('ping anna --count 2')
    t.match(text, {
      code: 0,
      out: /^anna \(127\.0\.0\.1.*\): .* ms\nanna .*\nby UDP to 127\.0\.0\.1.*: .* ms$/m
    })
    t.match(JSON.parse((await ben.coterie('ping anna --json')).out), {
      Paths: [{ Via: 'session' }, { Via: 'probe' }]
    })

    await t.test('the datagrams are counted', async t => {
      const counts = async (of: Computer) => (await of.call('Energy')).Total
      const [before, theirs] = [await counts(ben), await counts(anna)]
      await ben.call('Ping', { Peer: 'anna', Count: 5 })
      const [after, others] = [await counts(ben), await counts(anna)]
      const sent = after.DatagramsSent - before.DatagramsSent
      t.ok(sent >= 5)
      t.equal(after.DatagramBytesSent - before.DatagramBytesSent, sent * PROBE_LENGTH)
      t.ok(others.DatagramsSent - theirs.DatagramsSent >= 5)
      t.ok(others.DatagramsReceived - theirs.DatagramsReceived >= 5)
    })

    await t.test(
      'a flood of garbage, and of probes with every index: no answer, and all goes on',
      async t => {
        const { Listeners } = await anna.status()
        const port = Listeners.find(({ Address }) => Address === '127.0.0.1')!.Port
        const socket = createSocket('udp4')
        socket.bind(0, '127.0.0.1')
        await once(socket, 'listening')
        t.teardown(() => socket.close())
        let answers = 0
        socket.on('message', () => answers++)
        const probe = new Uint8Array(PROBE_LENGTH).fill(7)
        for (let i = 0; i < 20_000; i++) {
          writeProbeHeader(probe, { index: i * 200_003, counter: i })
          const datagram = i % 2 === 0 ? probe.slice() : new Uint8Array(i % 1400)
          const sent = new Promise(resolve => socket.send(datagram, port, '127.0.0.1', resolve))
          if (i % 500 === 0) await sent
        }
        t.match(await ben.call('Ping', { Peer: 'anna' }), { Paths: [{ Lost: 0 }] })
        const [, after] = (await ben.call('Ping', { Peer: 'anna', Count: 3 })).Paths
        t.ok(after!.Via === 'probe' && after!.LatencyUSec.length > 0, `${after!.Lost} of 3 lost`)
        t.equal(answers, 0)
        t.notOk(
          anna.log.some(line => /internal|probe|datagram/.test(line)),
          'nor is the log filled'
        )
      }
    )

    await t.test('a removed device is answered no more', async t => {
      await anna.call('Remove', { Device: 'ben' })
      const before = (await anna.call('Energy')).Total.DatagramsSent
      await ben.until('is out', ({ Circle }) => Circle.Level === 0)
      t.equal((await anna.call('Energy')).Total.DatagramsSent, before)
    })
  })
}
