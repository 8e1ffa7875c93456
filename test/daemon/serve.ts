/** The fake implementation on a socket, as a process of its own: `node serve.ts PATH|DESCRIPTOR`. */
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { fakeImplementation } from '../implementation.ts'

const where = process.argv[2] ?? ''
const surface = new SocketSurface({
  implementation: fakeImplementation(),
  log: (level, text, facts) => console.error(level, text, facts ?? '')
})
process.on('SIGTERM', () => surface.stop())
await surface.listen(/^\d+$/.test(where) ? { fd: Number(where) } : { path: where })
console.log('listening')
