/** Sends any datagrams from a host of a Lan, and reports what comes back to the port they left from. */
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'

export interface Shot {
  readonly from: string
  readonly fromPort?: number
  readonly to: string
  readonly port: number
  /** base64, each sent once. */
  readonly datagrams: readonly string[]
}

const say = (report: object) => process.stdout.write(`${JSON.stringify({ ...report, at: Date.now() })}\n`)

async function shoot(shot: Shot): Promise<void> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.on('message', datagram => say({ answer: datagram.toString('base64') }))
  await new Promise<void>(resolve => socket.bind(shot.fromPort ?? 0, shot.from, resolve))
  socket.setMulticastInterface(shot.from)
  socket.setMulticastTTL(255)
  for (const datagram of shot.datagrams) {
    await new Promise(resolve => socket.send(Buffer.from(datagram, 'base64'), shot.port, shot.to, resolve))
  }
}

if (process.argv[1] === import.meta.filename) {
  say({ started: true })
  for await (const line of createInterface({ input: process.stdin })) {
    await shoot(JSON.parse(line) as Shot)
    say({ done: true })
  }
  process.exit(0)
}
