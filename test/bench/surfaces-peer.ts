/**
 * The surfaces of the daemon in a process of their own, with the example's objects: on the session bus given, on
 * the socket given. Each message of the parent changes a peer's latency, which then holds the time of the change.
 */
import { Agents } from '../../src/daemon/joining/agents.ts'
import { DBusSurface } from '../../src/daemon/surfaces/dbus.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { watch } from '../../src/daemon/surfaces/watch.ts'
import { Bus } from '../../src/host/bus.ts'
import { implement, peer, peerPath, publishExample } from '../daemon/example.ts'

const [address, path] = process.argv.slice(2) as [string, string]
const log = () => {}
const publisher = new Publisher({ boot: 'boot' })
publishExample(publisher)
const implementation = implement({ Watch: ({ Since }, call) => watch(publisher, Since ?? '', call) })
const bus = new Bus({ kind: 'session', address, log })
const agents = new Agents({ bus, allowed: () => true, log })
const owned = new Promise<void>(resolve => {
  const onState = () => resolve()
  new DBusSurface({ bus, publisher, implementation, agents, control: () => true, log, onState }).start()
})
bus.start()
await owned
await new SocketSurface({ implementation, log }).listen({ path })

process.on('message', () => {
  const LatencyUSec = Number(process.hrtime.bigint() / 1000n)
  publisher.set('Peer', peerPath('co1lap'), peer('co1lap', { LatencyUSec }))
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
