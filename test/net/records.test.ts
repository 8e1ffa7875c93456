import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as immediate } from 'node:timers/promises'
import type { Packet } from 'multicast-dns'
import t from 'tap'
import { DnsCoder } from '../../src/net/dns.ts'
import {
  announcementsIn,
  asksFor,
  PER_RESPONSE,
  queryOf,
  responseOf,
  SERVICE,
  TTL
} from '../../src/net/records.ts'
import { encodeAnnouncement } from '../../src/wire/announcement.ts'
import { generator } from '../random.ts'
import { computed } from '../stalls.ts'
import { missing } from '../vectors.ts'

const fill = (size: number, from: number) => Uint8Array.from({ length: size }, (_, i) => from + i)
const own = (n: number) =>
  encodeAnnouncement({ port: 24747, salt: fill(8, n), tag: fill(16, n), mac: fill(16, n) })

/** Two coders, back to back: what the second makes of what the first sends. */
async function pass(send: (coder: DnsCoder) => void) {
  const seen = { queries: [] as Packet[], responses: [] as Packet[], malformed: 0, size: 0 }
  const other = new DnsCoder({
    send: () => t.fail('nobody asked it to speak'),
    onQuery: packet => seen.queries.push(packet),
    onResponse: packet => seen.responses.push(packet),
    onMalformed: () => seen.malformed++
  })
  const bytes = (datagram: Uint8Array) => {
    seen.size = datagram.length
    other.receive(datagram, '192.0.2.1', 5353)
  }
  send(new DnsCoder({ send: bytes, onQuery: () => {}, onResponse: () => {}, onMalformed: () => {} }))
  await immediate()
  return seen
}

t.test('what is said is heard', async t => {
  const all = [1, 2, 3, 4].map(own)
  const { responses, size } = await pass(coder => coder.respond(responseOf(all, '192.0.2.1', TTL)))
  t.strictSame(announcementsIn(responses[0]!), { found: all, malformed: 0 })
  t.ok(all.length === PER_RESPONSE && size <= 1400, `${size} bytes`)
  const goodbye = (await pass(coder => coder.respond(responseOf(all, 'fe80::1', 0)))).responses[0]!
  t.strictSame(announcementsIn(goodbye), { found: [], malformed: 0 }, 'a goodbye is no announcement')
})

t.test('records are complete: never an empty TXT, always a host', async t => {
  const { responses } = await pass(coder => coder.respond(responseOf([own(1)], '192.0.2.1', TTL)))
  const { answers, additionals } = responses[0]!
  t.match(answers, [{ type: 'PTR', name: SERVICE, data: `0102030405060708.${SERVICE}`, ttl: TTL }])
  t.match(additionals, [
    { type: 'SRV', data: { port: 24747, target: '0102030405060708.local' } },
    { type: 'TXT', data: [/^a=/] },
    { type: 'A', name: '0102030405060708.local', data: '192.0.2.1' }
  ])
})

t.test('which queries are answered', t => {
  const ask = (name: string, type: string, packet: Packet = {}) =>
    asksFor({ opcode: 'QUERY', rcode: 'NOERROR', questions: [{ name, type }], ...packet }, [own(1)])
  t.ok(ask(SERVICE, 'PTR'))
  t.ok(ask('_COTERIE._udp.local', 'ANY'))
  t.ok(ask(`0102030405060708.${SERVICE}`, 'SRV'))
  t.ok(ask('0102030405060708.local', 'AAAA'))
  t.notOk(ask(SERVICE, 'A'))
  t.notOk(ask('_services._dns-sd._udp.local', 'PTR'), 'nobody learns the type who does not know it')
  t.notOk(ask('0203040506070809.local', 'A'), 'other names')
  t.notOk(ask(SERVICE, 'PTR', { opcode: 'STATUS' }))
  t.notOk(ask(SERVICE, 'PTR', { rcode: 'SERVFAIL' }))
  t.end()
})

t.test('our own query is not answered by us, but by another daemon on the same host', async t => {
  const query = (await pass(coder => coder.query(queryOf([own(1), own(2)])))).queries[0]!
  t.notOk(asksFor(query, [own(1), own(2)]))
  t.ok(asksFor(query, [own(3)]))
  t.notOk(asksFor(query, []), 'who says nothing answers nothing')
})

t.test('an announcement under a foreign name is refused', async t => {
  const { responses } = await pass(coder => coder.respond(responseOf([own(1)], '192.0.2.1', TTL)))
  const packet = responses[0]!
  const rename = (name: string) => ({
    ...packet,
    additionals: packet.additionals!.map(record => (record.type === 'TXT' ? { ...record, name } : record))
  })
  t.strictSame(announcementsIn(rename(`0203040506070809.${SERVICE}`)), { found: [], malformed: 1 })
  t.strictSame(announcementsIn(rename('0102030405060708._other._udp.local')), { found: [], malformed: 0 })
})

function through(inputs: Iterable<Uint8Array>): { packets: number; slowest: number } {
  let packets = 0
  let slowest = 0
  const onPacket = (packet: Packet) => {
    packets++
    asksFor(packet, [own(1)])
    announcementsIn(packet)
  }
  const coder = new DnsCoder({
    send: () => t.fail('an answer'),
    onQuery: onPacket,
    onResponse: onPacket,
    onMalformed: () => {}
  })
  for (const input of inputs) {
    const before = computed()
    coder.receive(Buffer.from(input), '192.0.2.1', 5353)
    slowest = Math.max(slowest, computed() - before)
  }
  return { packets, slowest }
}

t.test('the c-ares corpus of hostile packets', t => {
  const folder = new URL('../../../shared/vectors/dns/c-ares/', import.meta.url)
  let names: string[] = []
  try {
    names = readdirSync(folder)
  } catch {}
  if (names.length === 0) t.pass(`skipped: ${missing}`, { skip: missing })
  else {
    const { packets } = through(names.map(name => readFileSync(new URL(name, folder))))
    t.ok(packets > 0, `${packets} of ${names.length} can be read, none throws`)
  }
  t.end()
})

t.test('counts that cannot be true are refused before decoding', async t => {
  const record = [0, 0, 16, 0, 1, 0, 0, 0, 9, 0xff, 0xff]
  const packet = Uint8Array.from([0, 0, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, ...record])
  t.equal(through([packet]).packets, 0)
  packet[6] = 0
  packet[7] = 1
  t.equal(through([packet]).packets, 1, 'the same with one record goes to the decoder')
})

t.test('20,000 mutants: nothing throws, nothing takes long', async t => {
  const random = generator(4)
  const seeds: Uint8Array[] = []
  const coder = new DnsCoder({
    send: bytes => seeds.push(bytes),
    onQuery: () => {},
    onResponse: () => {},
    onMalformed: () => {}
  })
  coder.respond(responseOf([own(1), own(2)], '192.0.2.1', TTL))
  coder.query(queryOf([own(1)]))
  await immediate()
  function* mutants() {
    for (let i = 0; i < 20_000; i++) {
      const mutant = Uint8Array.from(seeds[i % 2]!)
      for (let k = 0; k <= random() * 8; k++) {
        mutant[Math.floor(random() * mutant.length)] = random() < 0.3 ? 0xc0 : random() * 256
      }
      yield random() < 0.2 ? mutant.subarray(0, random() * mutant.length) : mutant
    }
  }
  const { packets, slowest } = through(mutants())
  t.ok(packets > 1000, `${packets} can be read`)
  t.ok(slowest < 250, `slowest ${slowest.toFixed(1)} ms`)
})
