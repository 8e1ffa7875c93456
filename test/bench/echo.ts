/** A process that sends back what it gets on the UNIX socket at PATH: `node echo.ts PATH`. */
import { createServer } from 'node:net'

createServer(socket => {
  socket.on('data', bytes => socket.write(bytes))
  socket.on('error', () => {})
}).listen(process.argv[2], () => process.send?.('ready'))
process.on('disconnect', () => process.exit())
