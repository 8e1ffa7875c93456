/** The answering process of the competitors: what session-peer.ts is for ours. */
import { names, type Pipe, serve } from './competitors.ts'

/** The first byte says what a pipe is for: e echo, s sink that tells when `total` has come. */
function answer(pipe: Pipe): void {
  let mode = ''
  let wanted = 0
  pipe.onData = bytes => {
    let chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    if (mode === '') {
      mode = String.fromCharCode(chunk[0]!)
      chunk = chunk.subarray(1)
    }
    if (mode === 'e') {
      if (chunk.length > 0) pipe.send(Buffer.from(chunk))
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
        if (wanted === 0) pipe.send(Buffer.from('.'))
      }
    }
  }
}

const where = Object.fromEntries(
  await Promise.all(names.map(async name => [name, await serve(name, answer)]))
)
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})
process.on('disconnect', () => process.exit())
process.send?.({ where })
