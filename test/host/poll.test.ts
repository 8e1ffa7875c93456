import t from 'tap'
import { defaultFour, defaultSix, readOs, readSix } from '../../src/host/poll.ts'

t.test('the default route with the least metric', async t => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
  const row = (name: string, to: string, flags: string, metric: number, mask = '00000000') =>
    `${name}\t${to}\t01014D0A\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0   \n`
  const wifi = row('wlan0', '00000000', '0003', 600)
  const cable = row('eth0', '00000000', '0003', 100)
  t.equal(defaultFour(head + wifi + cable + row('eth1', '00014D0A', '0001', 0, '00FFFFFF')), 'eth0')
  t.equal(defaultFour(head + wifi), 'wlan0')
  t.equal(defaultFour(head + row('eth0', '00000000', '0002', 1)), '', 'a route that is not up')
  t.equal(defaultFour(''), '')
  const zeros = '0'.repeat(32)
  const six = (name: string, length: string, metric: string, flags: string) =>
    `${zeros} ${length} ${zeros} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags}     ${name}\n`
  t.equal(
    defaultSix(
      six('lo', '00', 'ffffffff', '00200200') +
        six('wlan0', '00', '00000400', '00450003') +
        six('eth0', '00', '00000064', '00450003')
    ),
    'eth0'
  )
  t.equal(defaultSix(six('eth0', '40', '00000064', '00000001')), '')
  t.equal(defaultSix(''), '')
})

t.test('flags of IPv6 addresses', async t => {
  const table = readSix(
    'fe80000000000000c9b90bc8edfa0277 02 40 20 c0     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n'
  )
  t.strictSame(table.get('eth0 fe80::c9b9:bc8:edfa:277'), { name: 'eth0', index: 2, flags: 0xc0 })
  t.equal(table.get('lo ::1')?.index, 1)
})

t.test('this computer has a loopback', async t => {
  const lo = readOs().interfaces.find(i => i.name === 'lo')
  t.match(lo, { index: 1, kind: 'loopback', up: true, multicast: false, mac: '' })
  t.ok(lo?.addresses.some(a => a.address === '127.0.0.1' && a.prefix === 8))
})
