/**
 * A prompt agent as a process of its own: `node prompt-agent.ts BUS [default]`. It registers, writes one line of
 * JSON for each call, and answers questions by the lines of its stdin: `yes`, anything else is a no.
 */
import { createInterface } from 'node:readline'
import { INTERFACE, ROOT } from '../src/api/api.ts'
import { Bus, BusError, type BusMessage } from '../src/host/bus.ts'

const PATH = '/test/agent'
const [address = '', ...wishes] = process.argv.slice(2)
const say = (line: object) =>
  console.log(JSON.stringify(line, (_, v) => (typeof v === 'bigint' ? Number(v) : v)))
const bus = new Bus({ kind: 'session', address, log: () => {} })
const answers = createInterface(process.stdin)
let asked: PromiseWithResolvers<string> | undefined

answers.on('line', line => {
  if (line === 'cancelled') asked?.reject(new Error('cancelled'))
  else asked?.resolve(line)
})
bus.serve(async ({ path, interface: its, member, body }: BusMessage) => {
  if (path !== PATH || its !== `${INTERFACE}.Agent`) return undefined
  say({ member, body })
  if (member === 'RequestConfirmation') {
    asked = Promise.withResolvers()
    if ((await asked.promise) !== 'yes') throw new BusError('org.example.No', 'not that one')
  }
  return { signature: '', body: [] }
})
bus.onUp(async () => {
  const manager = { destination: INTERFACE, path: ROOT, interface: `${INTERFACE}.AgentManager` }
  for (const member of ['RegisterAgent', ...(wishes.includes('default') ? ['RequestDefaultAgent'] : [])])
    await bus.call({ ...manager, member, signature: 'o', body: [PATH] })
  say({ member: 'ready', body: [bus.uniqueName] })
})
bus.start()
