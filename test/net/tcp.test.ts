import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import t from 'tap'
import type { Link } from '../../src/net/link.ts'
import { Tally } from '../../src/net/tally.ts'
import { DialError, dialTcp, routeSource, tcpLink } from '../../src/net/tcp.ts'
import { parseAddress } from '../../src/wire/address.ts'

interface Test {
  teardown(fn: () => unknown): void
}

const timeoutMs = 60_000

async function serve(t: Test, options: { host?: string } = {}): Promise<{ server: Server; uri: string }> {
  const server = createServer()
  server.listen(0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { address, port } = server.address() as { address: string; port: number }
  return { server, uri: address.includes(':') ? `tcp://[${address}]:${port}` : `tcp://${address}:${port}` }
}

/** Two ends of one connection, both as links. */
async function linked(t: Test): Promise<{ here: Link; there: Link; socket: Socket }> {
  const { server, uri } = await serve(t)
  const [here, [socket]] = await Promise.all([dialTcp(uri, { timeoutMs }), once(server, 'connection')])
  const there = tcpLink(socket, false)!
  t.teardown(() => {
    here.destroy()
    there.destroy()
  })
  return { here, there, socket }
}
const closing = (link: Link) =>
  new Promise<string>(resolve => {
    link.onClose = resolve
  })
const failure = (dial: Promise<Link>) =>
  dial.then(
    () => 'connected',
    error => (error instanceof DialError ? error.reason : String(error))
  )

t.test('both ends know themselves and each other', async t => {
  const { here, there } = await linked(t)
  t.equal(here.remote, there.local)
  t.equal(here.local, there.remote)
  t.ok(here.outgoing)
  t.notOk(there.outgoing)
  t.ok(parseAddress(here.remote))
})

t.test('bytes arrive in order, parts as one', async t => {
  const { here, there } = await linked(t)
  const got: Buffer[] = []
  const all = new Promise<void>(resolve => {
    there.onData = chunk => {
      got.push(Buffer.from(chunk))
      if (Buffer.concat(got).length >= 9) resolve()
    }
  })
  here.write([])
  here.write([Buffer.from('abc'), Buffer.from('def')])
  here.write([Buffer.from('ghi')])
  t.equal(here.waiting, 0, 'the kernel took it at once')
  await all
  t.equal(Buffer.concat(got).toString(), 'abcdefghi')
})

t.test('what goes over it is counted', async t => {
  const { server, uri } = await serve(t)
  const [dialled, accepted] = [new Tally(), new Tally()]
  const dial = dialTcp(uri, { timeoutMs, tally: dialled })
  const [here, [socket]] = await Promise.all([dial, once(server, 'connection')])
  const there = tcpLink(socket, false, accepted)!
  for (const [sender, receiver, size] of [
    [here, there, 100],
    [there, here, 64]
  ] as const) {
    const got = new Promise<void>(resolve => {
      let length = 0
      receiver.onData = chunk => {
        length += chunk.length
        if (length === size) resolve()
      }
    })
    sender.write([new Uint8Array(size - 10), new Uint8Array(10)])
    await got
  }
  here.write([])
  const reads = dialled.linkReads
  t.ok(reads === 1 || reads === 2, 'one chunk, or one for each part')
  t.match(dialled, { linkWrites: 1, linkBytesSent: 100, linkBytesReceived: 64, multicastSent: 0 })
  t.match(accepted, { linkWrites: 1, linkBytesSent: 64, linkBytesReceived: 100, multicastHeard: 0 })
  here.destroy()
  there.destroy()
  there.write([new Uint8Array(1)])
  t.equal(accepted.linkWrites, 1, 'nothing is sent on a closed link')
})

t.test('waiting grows while the other end does not read, and onDrain comes when it is 0', async t => {
  const { here, socket } = await linked(t)
  socket.pause()
  const part = new Uint8Array(1 << 20)
  let written = 0
  let drains = 0
  while (here.waiting === 0) {
    here.write([part, part])
    written += 2 * part.length
  }
  t.ok(here.waiting > 0 && here.waiting <= written)
  const drained = new Promise<void>(resolve => {
    here.onDrain = () => {
      drains++
      resolve()
    }
  })
  here.write([part])
  socket.resume()
  await drained
  t.equal(here.waiting, 0)
  t.equal(drains, 1)
})

t.test('close sends what is queued, and both ends are told once', async t => {
  const { here, there, socket } = await linked(t)
  socket.pause()
  const part = new Uint8Array(1 << 20)
  let written = 0
  while (here.waiting === 0) {
    here.write([part])
    written += part.length
  }
  let read = 0
  there.onData = chunk => {
    read += chunk.length
  }
  const closed = [closing(here), closing(there)]
  here.close()
  here.write([part])
  socket.resume()
  t.strictSame(await Promise.all(closed), ['closed', 'closed'])
  t.equal(read, written)
})

t.test('an end that never reads is given up after a close', async t => {
  const { here, socket } = await linked(t)
  socket.removeAllListeners('end')
  socket.pause()
  while (here.waiting === 0) here.write([new Uint8Array(1 << 20)])
  const started = performance.now()
  const closed = closing(here)
  here.close()
  await closed
  const took = performance.now() - started
  t.ok(took >= 1_900, `${took} ms`)
})

t.test('destroy is a reset for the other end, and silent here', async t => {
  const { here, there } = await linked(t)
  here.onClose = () => t.fail('onClose after destroy')
  const closed = closing(there)
  here.destroy()
  here.destroy()
  here.write([Buffer.from('x')])
  t.equal(await closed, 'reset')
})

t.test('the other end closing its half ends the link', async t => {
  const { here, socket } = await linked(t)
  const closed = closing(here)
  socket.end()
  t.equal(await closed, 'closed')
  here.write([Buffer.from('x')])
  t.equal(here.waiting, 0)
})

t.test('dials that fail say why', async t => {
  const { uri } = await serve(t)
  // a port below those that are given to whoever asks for any
  t.equal(await failure(dialTcp('tcp://127.0.0.1:1', { timeoutMs })), 'refused')
  t.equal(await failure(dialTcp('http://x', { timeoutMs })), 'address')
  t.equal(await failure(dialTcp('tcp://127.0.0.1', { timeoutMs })), 'address')
  const elsewhere = dialTcp(uri, { timeoutMs, localAddress: '192.0.2.1' })
  t.equal(await failure(elsewhere), 'unreachable', 'an address that is not ours')
  t.equal(await failure(dialTcp(uri, { timeoutMs, signal: AbortSignal.abort() })), 'cancelled')
})

t.test('where only some addresses may be used the route is asked first', async t => {
  const { server, uri } = await serve(t)
  let connections = 0
  server.on('connection', socket => {
    connections++
    socket.on('error', () => {})
  })
  t.equal(await routeSource(parseAddress(uri)!), '127.0.0.1')
  const asked: string[] = []
  const barred = dialTcp(uri, {
    timeoutMs,
    permitted: source => {
      asked.push(source)
      return false
    }
  })
  t.equal(await failure(barred), 'barred')
  t.strictSame(asked, ['127.0.0.1'])
  t.equal(connections, 0)
  const link = await dialTcp(uri, { timeoutMs, permitted: source => source === '127.0.0.1' })
  t.match(link.local, /^tcp:\/\/127\.0\.0\.1:/)
  link.destroy()
})
