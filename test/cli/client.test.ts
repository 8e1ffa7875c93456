import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import t from 'tap'
import { VERSION } from '../../src/api/api.ts'
import { Client, NotRunning } from '../../src/cli/client.ts'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { fakeFacts, fakeImplementation, ids, TICKET } from '../implementation.ts'
import { desk } from './command.ts'

/** A client of a daemon that answers its first call with what `answer` writes. */
async function against(t: Test, answer: (socket: Socket) => void): Promise<Client> {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  const path = join(directory, 'socket')
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>(resolve => server.listen(path, resolve))
  const client = await Client.open(path)
  t.teardown(() => {
    client.close()
    server.close()
    rmSync(directory, { recursive: true })
  })
  return client
}

t.test('answers in pieces, several at once', async t => {
  const text =
    '{"parameters":{"Version":"☂"}}\0{"parameters":{"Version":"2"}}\0{"parameters":{"Version":"3"}}\0'
  const bytes = Buffer.from(text)
  for (const cut of [10, 24, 25, 30, 31, 40]) {
    const client = await against(t, socket => {
      socket.write(bytes.subarray(0, cut), () => setImmediate(() => socket.write(bytes.subarray(cut))))
    })
    const versions = []
    for (let i = 0; i < 3; i++) versions.push((await client.call('Version', {})).Version)
    t.same(versions, ['☂', '2', '3'], `cut at ${cut}`)
  }
})

t.test('errors', async t => {
  const error = async (reply: string) =>
    (await against(t, socket => socket.write(`${reply}\0`))).call('Version', {}).catch(e => e)
  t.match(await error('{"error":"org.coterie.Coterie1.Locked","parameters":{"Message":"m"}}'), {
    name: 'ApiError',
    code: 'Locked',
    message: 'm'
  })
  t.match(await error('{"error":"org.coterie.Coterie1.Newer","parameters":{"Message":"m"}}'), {
    name: 'Error',
    message: 'the daemon answers Newer (m)'
  })
  t.match(await error('{"error":"org.varlink.service.ExpectedMore"}'), { message: /ExpectedMore$/ })
  t.match(await error('hello'), { message: /not JSON; is another program on the socket\?/ })
})

t.test('a daemon that goes away', async t => {
  const client = await against(t, socket => socket.destroy())
  await t.rejects(client.call('Version', {}), NotRunning)
  await t.rejects(Client.open('/no/such/socket'), NotRunning)

  const { directory } = await desk(t, { daemon: false })
  const path = join(directory, 'coterie', 'coterie.sock')
  const surface = new SocketSurface({
    implementation: fakeImplementation({ ...fakeFacts(), watchEnds: false }),
    log: () => {}
  })
  await surface.listen({ path })
  const watching = await Client.open(path)
  t.teardown(() => watching.close())
  const events = watching.stream('Watch', {})
  for (let i = 0; i < 3; i++) await events.next()
  await surface.stop()
  await t.rejects(events.next(), { code: 'Cancelled', message: 'coteried is stopping' })
})

t.test('jobs and streams', async t => {
  const { directory } = await desk(t)
  const client = await Client.open(join(directory, 'coterie', 'coterie.sock'))
  t.teardown(() => client.close())
  const said: string[] = []
  const joined = await client.call('Join', { Ticket: TICKET }, sentence => said.push(sentence))
  t.equal(joined.Id, ids.self)
  t.same(said, ['looking for the device that invited'])
  const events = []
  for await (const event of client.stream('Watch', {})) events.push(event.Type)
  t.same(events, ['Added', 'Changed', 'Gap'], 'the reply that ends the stream is no event')
  t.same(await client.call('Version', {}), { Version: VERSION }, 'and the connection goes on')
})
