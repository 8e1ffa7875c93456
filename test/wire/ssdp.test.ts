import t from 'tap'
import { encodeAnnouncement } from '../../src/wire/announcement.ts'
import { decodeSsdp, encodeSsdp, SEARCH_SIZE, SSDP_LIMIT, type SsdpKind } from '../../src/wire/ssdp.ts'
import { generator } from '../random.ts'

const fill = (size: number, from: number) => Uint8Array.from({ length: size }, (_, i) => from + i)
const announcement = encodeAnnouncement({
  port: 24747,
  salt: fill(8, 0x10),
  tag: fill(16, 0x20),
  mac: fill(16, 0x40)
})
const GROUP = '239.255.255.250'
const kinds: SsdpKind[] = ['search', 'notify', 'answer']
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))

t.test('the bytes are frozen', t => {
  const tail = 'ANNOUNCEMENT.COTERIE.ORG: Q0IBAGCrAAAQERITFBUWFyAhIiMkJSYnKCkqKywtLi9AQUJDREVGR0hJSktMTU5P'
  const usn = 'USN: uuid:20212223-2425-2627-2829-2a2b2c2d2e2f::urn:coterie:service:mesh:1'
  t.strictSame(text(encodeSsdp('notify', announcement, GROUP)).split('\r\n'), [
    'NOTIFY * HTTP/1.1',
    'HOST: 239.255.255.250:1900',
    'CACHE-CONTROL: max-age=180',
    'NT: urn:coterie:service:mesh:1',
    'NTS: ssdp:alive',
    usn,
    tail,
    '',
    ''
  ])
  t.strictSame(text(encodeSsdp('answer', announcement, GROUP)).split('\r\n'), [
    'HTTP/1.1 200 OK',
    'CACHE-CONTROL: max-age=180',
    'EXT:',
    'ST: urn:coterie:service:mesh:1',
    usn,
    tail,
    '',
    ''
  ])
  const search = text(encodeSsdp('search', announcement, '[ff02::c]')).split('\r\n')
  t.match(search.pop() === '' && search.pop() === '' && search.pop(), /^PADDING\.COTERIE\.ORG: 0+$/)
  t.strictSame(search, [
    'M-SEARCH * HTTP/1.1',
    'HOST: [ff02::c]:1900',
    'MAN: "ssdp:discover"',
    'MX: 1',
    'ST: urn:coterie:service:mesh:1',
    tail
  ])
  t.end()
})

t.test('back again; a search is longer than an answer, and all are within the limit', t => {
  for (const group of [GROUP, '[ff02::c]']) {
    for (const kind of kinds) {
      const encoded = encodeSsdp(kind, announcement, group)
      t.strictSame(decodeSsdp(encoded), { kind, announcement })
      t.ok(
        encoded.length <= (kind === 'search' ? SEARCH_SIZE : SEARCH_SIZE - 20),
        `${kind} ${encoded.length}`
      )
    }
    t.equal(encodeSsdp('search', announcement, group).length, SEARCH_SIZE)
  }
  t.end()
})

t.test('only our exact target', t => {
  const search = text(encodeSsdp('search', announcement, GROUP))
  const target = 'ST: urn:coterie:service:mesh:1'
  for (const other of [
    'ssdp:all',
    'upnp:rootdevice',
    '"urn:coterie:service:mesh:1"',
    'urn:coterie:service:mesh:2',
    'urn:coterie:service:mesh:1*',
    'URN:coterie:service:mesh:1',
    '*',
    '(((',
    ''
  ]) {
    t.equal(decodeSsdp(bytes(search.replace(target, `ST: ${other}`))), undefined, JSON.stringify(other))
  }
  for (const [from, to] of [
    [target, `${target}\r\n${target}`],
    ['M-SEARCH * HTTP/1.1', 'm-search * HTTP/1.1'],
    ['M-SEARCH * HTTP/1.1', 'GET / HTTP/1.1'],
    ['"ssdp:discover"', 'ssdp:discover'],
    ['MX: 1', 'MX'],
    ['MX: 1', ': 1'],
    ['MX: 1', 'MX: \u00e9'],
    ['ANNOUNCEMENT.COTERIE.ORG: Q0IB', 'ANNOUNCEMENT.COTERIE.ORG: Q0IC'],
    ['ANNOUNCEMENT.COTERIE.ORG', 'ANNOUNCEMENT']
  ] as const) {
    t.ok(search.includes(from))
    t.equal(decodeSsdp(bytes(search.replace(from, to))), undefined, `${from} → ${to}`)
  }
  const notify = text(encodeSsdp('notify', announcement, GROUP))
  t.equal(decodeSsdp(bytes(notify.replace('ssdp:alive', 'ssdp:byebye'))), undefined)
  t.ok(decodeSsdp(bytes(search.replace('ST:', 'st:  '))), 'header names in any case, any space')
  t.equal(decodeSsdp(bytes(search.replace('0\r\n', `${'0'.repeat(SSDP_LIMIT)}\r\n`))), undefined, 'too long')
  t.end()
})

t.test('20,000 mutants: nothing throws', t => {
  const random = generator(3)
  let accepted = 0
  for (let i = 0; i < 20_000; i++) {
    const mutant = encodeSsdp(kinds[i % 3]!, announcement, GROUP)
    for (let k = 0; k <= random() * 4; k++) mutant[Math.floor(random() * mutant.length)] = random() * 256
    const cut = random() < 0.2 ? mutant.slice(0, random() * mutant.length) : mutant
    if (decodeSsdp(cut) !== undefined) accepted++
  }
  t.ok(accepted > 100 && accepted < 15_000, `${accepted} still well-formed`)
  t.end()
})
