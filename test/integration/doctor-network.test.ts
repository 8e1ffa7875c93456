/** What is broken on a real network, the doctor names, with what mends it; and mended it says so. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import type { Result } from '../../src/api/api.ts'
import { TestBus } from '../bus.ts'
import { firewallService } from '../firewalld.ts'
import { cable, inside, ip } from '../namespace.ts'
import { Stalls } from '../stalls.ts'
import { Computer } from './daemon.ts'

const nft = (rules: string) => execFileSync('nft', ['-f', '-'], { input: rules, env: PATHS })
const PATHS = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
const firewalls = (() => {
  try {
    nft('')
    return ''
  } catch {
    return 'nft is not installed: apt install nftables'
  }
})()

const stalls = new Stalls(t)
const examined = async (pc: Computer) => {
  const passed = stalls.watch()
  const { Checks } = await pc.call('Doctor')
  const took = passed()
  const found = (name: string): Result<'Doctor'>['Checks'][number] =>
    Checks.find(({ Name }) => Name === name)!
  return { found, took }
}

/** Looks again while names change with the network, and nothing is known of multicast: a few seconds. */
const heard = async (pc: Computer) => {
  for (let looks = 1; ; looks++) {
    const check = (await examined(pc)).found('multicast')
    if (looks === 5 || !check.Text.includes('not known')) return check
  }
}

if (inside(t, import.meta.url)) {
  cable('eth0', '192.0.2.1/24')

  t.test('a rule that drops multicast', { skip: firewalls }, async t => {
    const pc = await new Computer(t, 'pc').start(['--only', 'eth0'])
    await pc.founds()
    t.match(await heard(pc), { State: 'ok', Text: /on eth0 is heard again here/ })
    const chain = 'type filter hook input priority 0; policy accept;'
    nft(`table inet walls { chain input { ${chain} udp dport { 5353, 1900 } drop; }; }\n`)
    // IPv4 or both: the kernel may still be checking the IPv6 address
    t.match(await heard(pc), {
      State: 'failed',
      Text: /^What is said by .*SSDP \(UDP 1900, IPv[46].*\) on eth0 is not heard again here\.$/,
      Mend: /nft list ruleset.*let UDP 5353 and 1900 in/
    })
    t.comment((await pc.coterie('doctor')).out)
    nft('flush table inet walls; delete table inet walls')
    t.match(await heard(pc), { State: 'ok', Text: /on eth0 is heard again here/ })
  })

  t.test('an interface without multicast', async t => {
    ip('link', 'set', 'eth0', 'multicast', 'off')
    const pc = await new Computer(t, 'pc').start(['--only', 'eth0'])
    await pc.founds()
    t.match((await examined(pc)).found('multicast'), {
      State: 'failed',
      Text: /^mDNS does not work on eth0: .*no multicast/,
      Mend: 'sudo ip link set eth0 multicast on'
    })
    ip('link', 'set', 'eth0', 'multicast', 'on')
  })

  t.test('a port that is taken', async t => {
    const thief = createServer().listen(30_000, '0.0.0.0')
    t.teardown(() => thief.close())
    await once(thief, 'listening')
    const pc = new Computer(t, 'pc')
    pc.configure('[network]\nport = 30000\n')
    await pc.start(['--only', 'eth0'])
    await pc.call('Init', { Name: 'home', Device: 'pc' })
    await pc.until('knows', ({ Notes }) => Notes.some(note => note.includes('30000')))
    const { found } = await examined(pc)
    t.match(found('listeners'), {
      Text: /^Port 30000 on 192\.0\.2\.1 \(eth0\) is taken/,
      Mend: /sudo ss -tulpn sport = 30000/
    })
    t.not(found('listeners').State, 'ok')
    t.match(await pc.coterie('doctor'), { out: /Port 30000/ })
  })

  t.test('a system bus on which all hang, and a firewalld', async t => {
    const { address } = await TestBus.up(t, 'system')
    const walls = { bound: {}, zones: { public: { services: ['ssh'] } }, services: {}, hangs: true }
    await firewallService(t, address, walls)
    const pc = await new Computer(t, 'pc', { env: { DBUS_SYSTEM_BUS_ADDRESS: address } }).start([
      '--only',
      'eth0'
    ])
    await pc.founds()
    const hung = await examined(pc)
    t.ok(hung.took < 5_000, `${Math.round(hung.took)} ms`)
    t.match(hung.found('firewall'), { State: 'warning', Text: /does not say/ })
    walls.hangs = false
    t.match((await examined(pc)).found('firewall'), {
      State: 'failed',
      Text: 'firewalld keeps others from TCP 24747 and UDP 24747, 5353 and 1900 on eth0 (zone public).',
      Mend: /--zone=public --add-port=24747-24756\/tcp .*--add-service=mdns/
    })
    const { code, out } = await pc.coterie('doctor')
    t.equal(code, 1)
    t.comment(out)
  })
}
