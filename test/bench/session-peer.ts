/** The answering process: echoes what comes as pings and counts the rest, on one port for each contender. */
import type { Socket } from 'node:net'
import { tcpLink } from '../../src/net/tcp.ts'
import { Kind } from '../../src/wire/frame.ts'
import { aeads, answerSession, serveTcp, serveTls, sessionOn, tlsOptions } from './ends.ts'

/** The first byte of a raw connection says what it is for: e echo, s sink that tells when `total` has come. */
function raw(socket: Socket): void {
  let mode = ''
  let wanted = 0
  socket.on('data', (chunk: Buffer) => {
    if (mode === '') {
      mode = String.fromCharCode(chunk[0]!)
      chunk = chunk.subarray(1)
    }
    if (mode === 'e') {
      if (chunk.length > 0) socket.write(chunk)
      return
    }
    while (chunk.length > 0) {
      if (wanted === 0) {
        wanted = chunk.readUInt32BE(0)
        chunk = chunk.subarray(4)
      } else {
        const taken = Math.min(wanted, chunk.length)
        wanted -= taken
        chunk = chunk.subarray(taken)
        if (wanted === 0) socket.write('.')
      }
    }
  })
}

const tls = tlsOptions()
const ports: { [name: string]: number } = { tcp: await serveTcp(raw), tls: await serveTls(tls, raw) }
for (const aead of aeads()) {
  ports[aead.name] = await serveTcp(socket => {
    const session = sessionOn(socket, false, aead)
    let wanted = 0
    session.onFrame = (kind, body) => {
      if (kind === Kind.Gossip) session.send(Kind.Gossip, body)
      else if (kind === Kind.Log) wanted = Buffer.from(body).readUInt32BE(0)
      else if ((wanted -= body.length) <= 0) session.send(Kind.Pong, new Uint8Array(8))
    }
  })
}
ports['handshake'] = await serveTcp(socket => answerSession(tcpLink(socket, false)!))

process.on('message', question => {
  if (question === 'memory') {
    globalThis.gc?.()
    globalThis.gc?.()
  }
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() })
})
process.on('disconnect', () => process.exit())
process.send?.({ ports })
