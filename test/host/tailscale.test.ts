import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import t, { type Test } from 'tap'
import { devicesOf, tailscaleDevices } from '../../src/host/tailscale.ts'

const device = (HostName: string, UserID: number, more: object = {}) => ({
  HostName,
  UserID,
  Online: true,
  TailscaleIPs: ['100.64.0.9', 'fd7a:115c:a1e0::9'],
  ...more
})
const status = (...peers: object[]) => ({
  BackendState: 'Running',
  Self: { UserID: 7, TailscaleIPs: ['100.64.0.1'] },
  Peer: Object.fromEntries(peers.map((peer, i) => [`nodekey:${i}`, peer]))
})

/** A tailscaled that answers so. */
async function played(t: Test, answer: RequestListener): Promise<string> {
  const folder = mkdtempSync(`${tmpdir()}/ct-`)
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(`${folder}/tailscaled.sock`, resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })
  return `${folder}/tailscaled.sock`
}

t.test('who else of the same person is online', async t => {
  let asked = ''
  const socket = await played(t, (question, answer) => {
    asked = `${question.method} ${question.headers.host} ${question.url}`
    answer.end(JSON.stringify(status(device('desktop', 7), device('of somebody else', 8))))
  })
  t.same(await tailscaleDevices(socket), [
    { name: 'desktop', addresses: ['100.64.0.9', 'fd7a:115c:a1e0::9'] }
  ])
  t.equal(asked, 'GET local-tailscaled.sock /localapi/v0/status')
})

t.test('one that is off, a stranger, or makes no sense is left out', async t => {
  const left = [device('off', 7, { Online: false }), device('x', 7, { TailscaleIPs: 'none' }), 5, null, {}]
  for (const peer of left) t.same(devicesOf(status(peer as object)), [])
  t.same(devicesOf(status(device('', 7, { TailscaleIPs: [1, '100.64.0.9'], HostName: 4 }))), [
    { name: '', addresses: ['100.64.0.9'] }
  ])
  t.same(devicesOf({ ...status(device('a', 7)), BackendState: 'Stopped' }), [])
  t.same(devicesOf({ ...status(device('a', 7)), Self: {} }), [], 'who we are is not known')
  for (const nonsense of [undefined, 4, 'text', [], { Peer: [] }]) t.same(devicesOf(nonsense), [])
})

t.test('nobody there, one that refuses, nonsense, too much, half an answer', async t => {
  t.same(await tailscaleDevices('/nonexistent/tailscaled.sock'), [])
  const answers: RequestListener[] = [
    (_question, answer) => answer.writeHead(403).end('{}'),
    (_question, answer) => answer.end('<html>'),
    (_question, answer) => answer.end(' '.repeat(5 << 20)),
    (_question, answer) => answer.destroy(),
    (_question, answer) => {
      answer.writeHead(200, { 'Content-Length': 100 }).write('{')
      setImmediate(() => answer.destroy())
    }
  ]
  for (const answer of answers) t.same(await tailscaleDevices(await played(t, answer)), [])
})
