import t from 'tap'
import type { AddressClass } from '../../src/wire/address.ts'
import {
  addressClass,
  addressOf,
  canonicalAddress,
  formatAddress,
  parseAddress,
  portable,
  readAddress,
  sameHost,
  sameSubnet,
  writeAddress
} from '../../src/wire/address.ts'
import { fc } from '../draws.ts'

t.test('one text for each address', async t => {
  const same: Record<string, string> = {
    'tcp://192.0.2.1:24747': 'tcp://192.0.2.1:24747',
    'tcp://192.0.2.1:00080': 'tcp://192.0.2.1:80',
    'tcp://[2001:DB8:0:0:0:0:0:1]:24747': 'tcp://[2001:db8::1]:24747',
    'tcp://[2001:db8::1:0:0:1]:1': 'tcp://[2001:db8::1:0:0:1]:1',
    'tcp://[2001:db8:0:0:1:0:0:1]:1': 'tcp://[2001:db8::1:0:0:1]:1',
    'tcp://[2001:db8:0:1:1:1:1:1]:1': 'tcp://[2001:db8:0:1:1:1:1:1]:1',
    'tcp://[2001:db8::0:1]:1': 'tcp://[2001:db8::1]:1',
    'tcp://[1::]:1': 'tcp://[1::]:1',
    'tcp://[::1]:1': 'tcp://[::1]:1',
    'tcp://[::ffff:192.0.2.1]:1': 'tcp://192.0.2.1:1',
    'tcp://[64:ff9b::192.0.2.33]:1': 'tcp://[64:ff9b::c000:221]:1',
    'tcp://[fe80::1%25eth0]:24747': 'tcp://[fe80::1%25eth0]:24747',
    'tcp://[fe80::1%25br-a.1@x]:24747': 'tcp://[fe80::1%25br-a.1@x]:24747'
  }
  for (const [text, canonical] of Object.entries(same)) t.equal(canonicalAddress(text), canonical, text)
})

t.test('what is no address', async t => {
  const wrong = [
    '',
    '192.0.2.1:24747',
    'tcp://192.0.2.1',
    'tcp://192.0.2.1:0',
    'tcp://192.0.2.1:65536',
    'tcp://192.0.2.1:24747/',
    'tcp://192.0.2:1',
    'tcp://192.0.2.256:1',
    'tcp://192.0.2.01:1',
    'tcp://0.0.0.0:1',
    'tcp://224.0.0.1:1',
    'tcp://255.255.255.255:1',
    'tcp://[::]:1',
    'tcp://[ff02::1]:1',
    'tcp://[2001:db8::1%25eth0]:1',
    'tcp://192.0.2.1%25eth0:1',
    'tcp://[fe80::1]:1',
    'tcp://[fe80::1%25]:1',
    'tcp://[fe80::1%eth0]:1',
    'tcp://[fe80::1%25an-interface-name]:1',
    'tcp://[2001:db8::1::]:1',
    'tcp://[2001:db8:1]:1',
    'tcp://[1:2:3:4:5:6:7::8]:1',
    'tcp://[1:2:3:4:5:6:7:8:9]:1',
    'tcp://[2001:db8:192.0.2.1::]:1',
    'tcp://[12345::]:1',
    'tcp://host:1',
    'udp://192.0.2.1:1',
    ' tcp://192.0.2.1:1',
    'tcp://192.0.2.1:1\n',
    `tcp://[${':'.repeat(200)}]:1`
  ]
  for (const text of wrong) t.equal(parseAddress(text), undefined, JSON.stringify(text))
})

t.test('bare addresses, as the kernel gives them', async t => {
  const text = (ip: string, scope?: string) => {
    const address = addressOf(ip, 24747, scope)
    return address === undefined ? undefined : formatAddress(address)
  }
  t.equal(text('192.0.2.1'), 'tcp://192.0.2.1:24747')
  t.equal(text('fe80::1%eth0'), 'tcp://[fe80::1%25eth0]:24747')
  t.equal(text('fe80::1', 'eth0'), 'tcp://[fe80::1%25eth0]:24747')
  t.equal(text('fe80::1'), undefined)
  t.equal(text('::ffff:192.0.2.1'), 'tcp://192.0.2.1:24747')
  t.equal(text('nonsense'), undefined)
})

t.test('classes', async t => {
  const classes: [string, AddressClass][] = [
    ['127.9.9.9', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['10.1.1.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'global'],
    ['192.168.1.1', 'private'],
    ['192.169.1.1', 'global'],
    ['100.64.0.1', 'private'],
    ['100.127.0.1', 'private'],
    ['100.128.0.1', 'global'],
    ['::1', 'loopback'],
    ['fe80::1%lo', 'link-local'],
    ['febf::1%lo', 'link-local'],
    ['fec0::1', 'global'],
    ['fc00::1', 'private'],
    ['fdff::1', 'private'],
    ['2001:db8::1', 'global']
  ]
  for (const [ip, name] of classes) {
    const address = addressOf(ip, 1)!
    t.equal(addressClass(address), name, ip)
    t.equal(portable(address), name !== 'link-local')
  }
})

t.test('near and same', async t => {
  const of = (ip: string) => addressOf(ip, 1)!
  t.equal(sameSubnet(of('192.0.2.1'), of('192.0.2.200')), true)
  t.equal(sameSubnet(of('192.0.2.1'), of('192.0.3.1')), false)
  t.equal(sameSubnet(of('2001:db8::1'), of('2001:db8::ffff:1')), true)
  t.equal(sameSubnet(of('2001:db8::1'), of('2001:db8:0:1::1')), false)
  t.equal(sameSubnet(of('fe80::1%a'), of('fe80::2%b')), false, 'every link has the same prefix')
  t.equal(sameSubnet(of('fe80::1%a'), of('fe80::2%a')), true)
  t.equal(sameHost(of('192.0.2.1'), addressOf('192.0.2.1', 2)!), true)
  t.equal(sameHost(of('192.0.2.1'), of('192.0.2.2')), false)
  t.equal(sameHost(of('192.0.2.1'), of('2001:db8::1')), false)
})

t.test('bytes', async t => {
  const bytes = new Uint8Array(30)
  let end = writeAddress(bytes, 1, parseAddress('tcp://192.0.2.1:24747')!)
  t.equal(Buffer.from(bytes.subarray(1, end)).toString('hex'), '04c000020160ab')
  end = writeAddress(bytes, end, parseAddress('tcp://[2001:db8::1]:1')!)
  t.equal(Buffer.from(bytes.subarray(8, end)).toString('hex'), '0620010db80000000000000000000000010001')
  t.equal(readAddress(bytes, 1)?.end, 8)
  t.equal(formatAddress(readAddress(bytes, 8)!.address), 'tcp://[2001:db8::1]:1')

  const refused = (hex: string) => t.equal(readAddress(Buffer.from(hex, 'hex'), 0), undefined, hex)
  refused('')
  refused('05c000020160ab')
  refused('04c000020160')
  refused('04c00002010000')
  refused('040000000060ab')
  refused('04a9fe010160ab')
  refused('0620010db80000000000000000000000010000')
  refused('06fe800000000000000000000000000001 60ab'.replace(' ', ''))
  refused('0600000000000000000000ffffc000020160ab')
})

t.test('any bytes are refused or come back the same', async t => {
  fc.assert(
    fc.property(fc.constantFrom(4, 6), fc.uint8Array({ minLength: 18, maxLength: 18 }), (family, rest) => {
      const bytes = Uint8Array.of(family, ...rest)
      const read = readAddress(bytes, 0)
      if (read === undefined) return
      const again = new Uint8Array(read.end)
      t.equal(writeAddress(again, 0, read.address), read.end)
      if (Buffer.compare(again, bytes.subarray(0, read.end)) !== 0) t.fail('other bytes')
      const text = formatAddress(read.address)
      if (canonicalAddress(text) !== text) t.fail(`${text} is not canonical`)
    })
  )
})
