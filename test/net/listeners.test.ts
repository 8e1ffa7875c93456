/** Runs in a network of its own: the port range is the whole machine's. */
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import t from 'tap'
import type { Link } from '../../src/net/link.ts'
import { type BoundListener, LAST_PORT, Listeners, PORT } from '../../src/net/listeners.ts'
import type { Planned } from '../../src/net/policy.ts'
import { Tally } from '../../src/net/tally.ts'
import { type DialError, dialTcp } from '../../src/net/tcp.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import { cable, inside, ip, mute } from '../namespace.ts'

/** Of what is no matter of time. */
const timeoutMs = PATIENCE_MS

if (inside(t, import.meta.url)) {
  cable('eth0', '192.0.2.1/24', '192.0.2.2/24')
  const index = Number(ip('-o', 'link', 'show', 'dev', 'eth0').split(':')[0])
  const at = (address: string, policy: Planned['policy'] = 'announce'): Planned => ({
    interface: address.startsWith('127') ? 'lo' : 'eth0',
    index: address.startsWith('127') ? 1 : index,
    address,
    policy
  })
  const [one, two, three, local] = [at('192.0.2.1'), at('192.0.2.2'), at('192.0.2.3'), at('127.0.0.1')]

  class Subject {
    readonly links: [Link, string][] = []
    readonly datagrams: [string, string, string][] = []
    changes = 0
    readonly listeners: Listeners
    #tell: () => void = () => {}
    constructor(t: { teardown(fn: () => Promise<void>): void }, port = PORT, tally = new Tally()) {
      this.listeners = new Listeners({
        port,
        log: () => {},
        tally,
        onLink: (link, name) => {
          this.links.push([link, name])
          this.#tell()
        },
        onDatagram: (message, remote, to) => {
          this.datagrams.push([message.toString(), remote, `${to.interface} ${to.address}`])
          this.#tell()
        },
        onChange: () => {
          this.changes++
          this.#tell()
        }
      })
      t.teardown(() => this.listeners.stop())
    }
    async until(test: (bound: readonly BoundListener[]) => boolean): Promise<void> {
      while (!test(this.listeners.bound)) await new Promise<void>(resolve => (this.#tell = resolve))
    }
    /** Applies and waits until all of the plan is bound. */
    async apply(...plan: Planned[]): Promise<readonly BoundListener[]> {
      this.listeners.apply(plan)
      const wanted = plan.map(p => `${p.interface} ${p.address} ${p.policy}`).join()
      await this.until(b => b.map(p => `${p.interface} ${p.address} ${p.policy}`).join() === wanted)
      return this.listeners.bound
    }
  }
  const ports = (bound: readonly BoundListener[]) => bound.map(b => b.port)
  /** Addresses and ports that the kernel says are bound in this network. */
  const sockets = () =>
    execFileSync('ss', ['-Hlntu'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(/\s+/))
      .map(([kind, , , , where]) => `${kind} ${where}`)
      .sort()

  t.test('TCP and UDP on each address, nothing wider; unbound by difference', async t => {
    const subject = new Subject(t)
    await subject.apply(one, two, local)
    t.strictSame(subject.listeners.bound[0], {
      interface: 'eth0',
      address: '192.0.2.1',
      port: PORT,
      policy: 'announce'
    })
    t.strictSame(
      sockets(),
      ['127.0.0.1', '192.0.2.1', '192.0.2.2'].flatMap(a => [`tcp ${a}:${PORT}`, `udp ${a}:${PORT}`]).sort()
    )
    const link = await dialTcp(`tcp://192.0.2.1:${PORT}`, { timeoutMs })
    await subject.until(() => subject.links.length > 0)
    const [accepted, name] = subject.links[0]!
    t.equal(name, 'eth0')
    t.equal(accepted.local, `tcp://192.0.2.1:${PORT}`)

    await subject.apply(two)
    t.strictSame(sockets(), [`tcp 192.0.2.2:${PORT}`, `udp 192.0.2.2:${PORT}`])
    const got = new Promise(resolve => {
      accepted.onData = chunk => resolve(chunk.toString())
    })
    link.write([Buffer.from('still here')])
    t.equal(await got, 'still here', 'a link outlives its listener')
    t.strictSame(ports(await subject.apply(one, two)), [PORT, PORT], 'and is not in the way of the next')
    link.destroy()

    const before = subject.changes
    await subject.apply(at('192.0.2.2', 'listen'))
    t.equal(subject.changes, before + 1, 'a policy that changes is told, the sockets stay')
    await subject.listeners.stop()
    t.strictSame(sockets(), [])
    subject.listeners.apply([one])
    t.strictSame(subject.listeners.bound, [])
  })

  t.test('datagrams leave from the address given, and what does not leave is told', async t => {
    const tally = new Tally()
    const subject = new Subject(t, PORT, tally)
    await subject.apply(one, two)
    const to = (text: string) => parseAddress(text)!
    const failed: string[] = []
    const send = (text: string, from: Planned) =>
      subject.listeners.send(Buffer.from('probe'), to(text), from, reason => failed.push(reason))
    send(`tcp://192.0.2.1:${PORT}`, two)
    await subject.until(() => subject.datagrams.length > 0)
    t.strictSame(subject.datagrams, [['probe', `tcp://192.0.2.2:${PORT}`, 'eth0 192.0.2.1']])
    t.match(tally, { datagramsSent: 1, datagramsReceived: 1, datagramBytesSent: 5, datagramBytesReceived: 5 })
    send(`tcp://192.0.2.1:${PORT}`, three)
    t.strictSame(failed, ['unreachable'], 'it is not bound')
    send('tcp://198.51.100.1:1', two)
    while (failed.length < 2) await new Promise(setImmediate)
    t.strictSame(failed, ['unreachable', 'no-route'])
  })

  t.test('datagrams are handed on with where they came from', async t => {
    const subject = new Subject(t)
    await subject.apply(one)
    const socket = createSocket('udp4')
    socket.bind(0, '192.0.2.2')
    await once(socket, 'listening')
    socket.send('probe', PORT, '192.0.2.1')
    await subject.until(() => subject.datagrams.length > 0)
    t.strictSame(subject.datagrams, [['probe', `tcp://192.0.2.2:${socket.address().port}`, 'eth0 192.0.2.1']])
    socket.close()
  })

  t.test('a second daemon takes the next port, everywhere', async t => {
    const first = new Subject(t)
    const second = new Subject(t)
    await first.apply(two)
    t.strictSame(ports(await second.apply(one, two, local)), [PORT + 1, PORT + 1, PORT + 1])
    ip('address', 'add', '192.0.2.3/24', 'dev', 'eth0')
    t.strictSame(ports(await second.apply(one, three)), [PORT + 1, PORT + 1], 'and keeps to it')
    t.strictSame(ports(await second.apply()), [])
    await first.listeners.stop()
    t.strictSame(ports(await second.apply(one)), [PORT + 1], 'also after an outage')
    ip('address', 'del', '192.0.2.3/24', 'dev', 'eth0')
  })

  t.test('a port whose UDP half is taken is passed over', async t => {
    const socket = createSocket('udp4')
    socket.bind(PORT, '192.0.2.1')
    await once(socket, 'listening')
    const subject = new Subject(t)
    t.strictSame(ports(await subject.apply(one)), [PORT + 1])
    t.notOk(sockets().includes(`tcp 192.0.2.1:${PORT}`), 'nothing is left of the attempt')
    socket.close()
  })

  t.test('an address alone takes another port where it must', async t => {
    const subject = new Subject(t)
    await subject.apply(one)
    const taken = createServer().listen(PORT, '192.0.2.2')
    await once(taken, 'listening')
    t.strictSame(ports(await subject.apply(one, two)), [PORT, PORT + 1])
    taken.close()
  })

  t.test('a full range is a sentence, and tried again with the next plan', async t => {
    const taken = Array.from({ length: LAST_PORT - PORT + 1 }, (_, i) =>
      createServer().listen(PORT + i, '192.0.2.1')
    )
    await Promise.all(taken.map(server => once(server, 'listening')))
    const subject = new Subject(t)
    subject.listeners.apply([one, two])
    await subject.until(() => subject.listeners.notes.length > 0)
    t.match(subject.listeners.notes, [/^ports 24747 to 24756 on 192\.0\.2\.1 \(eth0\) are all taken: .*port/])
    t.strictSame(
      subject.listeners.bound.map(b => b.address),
      ['192.0.2.2'],
      'the others are served'
    )
    taken.forEach(server => void server.close())
    await subject.apply(one, two)
    t.strictSame(subject.listeners.notes, [])
  })

  t.test('a port from the config is that one only; 0 is any, shared', async t => {
    const taken = createServer().listen(4000, '192.0.2.1')
    await once(taken, 'listening')
    const subject = new Subject(t, 4000)
    subject.listeners.apply([one])
    await subject.until(() => subject.listeners.notes.length > 0)
    t.match(subject.listeners.notes, [/^port 4000 on 192\.0\.2\.1 \(eth0\) is taken/])
    taken.close()
    t.strictSame(ports(await subject.apply(one)), [4000])
    const any = new Subject(t, 0)
    const [port, ...others] = ports(await any.apply(one, two, local))
    t.ok(port! > 0)
    t.strictSame(others, [port, port])
  })

  t.test('an IPv6 address is bound as soon as the kernel has checked it', async t => {
    const subject = new Subject(t)
    // by one program, lest it be checked before it is looked at
    const input = 'address add 2001:db8::1/64 dev eth0\naddress show dev eth0\n'
    t.match(execFileSync('ip', ['-batch', '-'], { input, encoding: 'utf8' }), /2001:db8::1.*tentative/)
    t.strictSame(ports(await subject.apply(one, at('2001:db8::1'))), [PORT, PORT])
    t.strictSame(subject.listeners.notes, [])
    const link = await dialTcp(`tcp://[2001:db8::1]:${PORT}`, { timeoutMs })
    t.equal(link.remote, `tcp://[2001:db8::1]:${PORT}`)
    link.destroy()
  })

  t.test('a link-local address carries its interface', async t => {
    const address = /inet6 (fe80[^/]*)/.exec(ip('-6', 'address', 'show', 'dev', 'eth0'))![1]!
    const subject = new Subject(t)
    const scoped = at(`${address}%eth0`)
    const [bound] = await subject.apply(scoped)
    t.equal(bound!.address, `${address}%eth0`)
    const uri = `tcp://[${address}%25eth0]:${PORT}`
    const link = await dialTcp(uri, { timeoutMs, permitted: source => source === `${address}%eth0` })
    t.equal(link.remote, uri)
    link.destroy()
    const before = subject.changes
    subject.listeners.apply([{ ...scoped, index: index + 100 }])
    await subject.until(() => subject.changes === before + 2)
    t.equal(subject.listeners.bound.length, 1, 'unbound and bound when the interface was made anew')
  })

  t.test('the latest of many plans wins', async t => {
    const subject = new Subject(t)
    for (let i = 0; i < 50; i++) subject.listeners.apply(i % 2 ? [one] : [two, local])
    await subject.apply(two)
    t.strictSame(sockets(), [`tcp 192.0.2.2:${PORT}`, `udp 192.0.2.2:${PORT}`])
  })

  t.test('a dial into silence has an end and can be cancelled', async t => {
    const reason = (dial: Promise<Link>) => dial.then(String, (error: DialError) => error.reason)
    t.equal(await reason(dialTcp('tcp://192.0.2.99:1', { timeoutMs: 200 })), 'timeout')
    const stop = new AbortController()
    const dial = dialTcp('tcp://192.0.2.98:1', { timeoutMs, signal: stop.signal })
    setImmediate(() => stop.abort())
    t.equal(await reason(dial), 'cancelled')
    const nowhere = dialTcp('tcp://198.51.100.1:1', { timeoutMs, permitted: () => true })
    t.equal(await reason(nowhere), 'no-route')
  })

  t.test('with only: nothing leaves by another interface, not even a question for the way', async t => {
    mute('eth1', '198.51.100.1/24')
    ip('route', 'add', 'default', 'via', '198.51.100.254')
    const sent = () => readFileSync('/sys/class/net/eth1/statistics/tx_packets', 'utf8')
    const before = sent()
    const permitted = (local: string) => local === '192.0.2.1'
    const reason = (dial: Promise<Link>) => dial.then(String, (error: DialError) => error.reason)
    for (const address of ['tcp://203.0.113.1:1', 'tcp://198.51.100.7:1']) {
      t.equal(await reason(dialTcp(address, { timeoutMs, permitted })), 'barred')
    }
    t.equal(sent(), before)
    t.equal(await reason(dialTcp('tcp://203.0.113.1:1', { timeoutMs: 300 })), 'timeout')
    t.not(sent(), before, 'it would be seen')
    ip('link', 'del', 'eth1')
  })
}
