/** What a computer may lack: the daemon works with what is left, and its status says what is missing. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { lacking } from '../command.ts'
import { Space } from '../lab/space.ts'
import { inside, type Teardown } from '../namespace.ts'
import { Computer } from './daemon.ts'

/** Two computers on one cable, each with a network of its own. */
async function two(t: Teardown, each: { prepare?: string; env?: { [name: string]: string } } = {}) {
  const spaces = await Promise.all(['anna', 'ben'].map(name => Space.open(name, {}, each.prepare)))
  for (const space of spaces) t.teardown(() => space.close())
  const [a, b] = spaces as [Space, Space]
  await a.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(b.pid))
  const computers = spaces.map(space => {
    const enter = ['nsenter', '--target', String(space.pid), '--net', '--mount', '--uts', '--']
    return new Computer(t, space.name, { wrapper: enter, ...(each.env && { env: each.env }) })
  })
  return { spaces: [a, b] as const, computers: computers as [Computer, Computer] }
}

async function cableUp(spaces: readonly Space[], ...addresses: string[]): Promise<void> {
  for (const [n, space] of spaces.entries()) {
    await space.run('ip link set eth0 up')
    for (const address of addresses)
      await space.run(`ip address add ${address.replace('N', String(n + 1))} dev eth0`)
  }
}

/** They meet, lose each other, and meet again; resolves with what the first says of its surroundings. */
async function meet([anna, ben]: [Computer, Computer]): Promise<readonly string[]> {
  const args = ['--only', 'eth0']
  await Promise.all([anna.start(args), ben.start(args)])
  await anna.founds()
  await ben.joins(await anna.ticket())
  await Promise.all([anna.sees('ben'), ben.sees('anna')])
  await ben.stop()
  await anna.until('it is gone', status => status.Peers.every(peer => !peer.Reachable))
  await ben.start(args)
  await Promise.all([anna.sees('ben'), ben.sees('anna')])
  return (await anna.status()).Notes
}

if (inside(t, import.meta.url)) {
  t.test('no bus of either kind, no NetworkManager, no IPv6, no multicast', async t => {
    const { spaces, computers } = await two(t, {
      prepare: 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1'
    })
    for (const space of spaces) await space.run('ip link set eth0 multicast off')
    await cableUp(spaces, '10.9.0.N/24')
    const notes = await meet(computers)
    t.comment(notes.join('\n'))
    t.ok(
      notes.some(note => /no session bus/.test(note)),
      'no session bus'
    )
    t.ok(
      notes.some(note => /IPv6 is off/.test(note)),
      'no IPv6'
    )
    t.ok(
      notes.some(note => /mDNS does not work on eth0: .*multicast/.test(note)),
      'no mDNS'
    )
    t.ok(
      notes.some(note => /SSDP does not work on eth0: .*multicast/.test(note)),
      'no SSDP'
    )
    const [anna] = computers
    const shown = await anna.coterie('status')
    t.equal(shown.code, 0)
    for (const note of notes)
      t.ok(shown.out.includes(note.slice(0, 30)), `status tells: ${note.slice(0, 30)}`)
    t.match(await anna.status(), { NetworkSource: 'ip', DBus: 'absent' })
  })

  t.test('no XDG_RUNTIME_DIR', async t => {
    const pc = new Computer(t, 'pc', { env: { XDG_RUNTIME_DIR: '' } })
    await pc.start()
    await pc.founds()
    const status = await pc.coterie('status --json')
    t.equal(status.code, 0, 'the command line finds it')
    const { Notes } = JSON.parse(status.out)
    t.ok(
      Notes.some((note: string) => note.includes('XDG_RUNTIME_DIR') && note.includes(`${pc.state}/run`)),
      Notes.join('\n')
    )
  })

  t.test('no program called ip', { skip: lacking('setpriv') }, async t => {
    const { spaces, computers } = await two(t)
    await cableUp(spaces, '10.9.0.N/24')
    const path = mkdtempSync(join(tmpdir(), 'ct-'))
    t.teardown(() => rmSync(path, { recursive: true }))
    for (const name of ['sh', 'flock', 'readlink', 'nsenter', 'env'])
      symlinkSync(
        execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
        join(path, name)
      )
    for (const computer of computers) computer.environment['PATH'] = path
    const notes = await meet(computers)
    t.comment(notes.join('\n'))
    t.equal((await computers[0].status()).NetworkSource, 'poll')
    await spaces[0].run('ip address add 10.9.0.77/24 dev eth0')
    await computers[0].until('sees the change', s => s.Listeners.some(l => l.Address === '10.9.0.77'))
  })

  t.test('no flock either', async t => {
    const pc = new Computer(t, 'pc')
    const path = mkdtempSync(join(tmpdir(), 'ct-'))
    t.teardown(() => rmSync(path, { recursive: true }))
    const refused = await pc.refusal(undefined, { PATH: path })
    t.equal(refused.code, 1)
    t.match(refused.err, /lock cannot be locked: .*flock.*; install util-linux/)
  })

  t.test('an address only the configuration knows', async t => {
    const { spaces, computers } = await two(t)
    const [anna, ben] = computers
    for (const space of spaces) await space.run('ip link set eth0 multicast off')
    await cableUp(spaces, '10.9.0.N/24')
    const args = ['--only', 'eth0']
    await Promise.all([anna.start(args), ben.start(args)])
    await anna.founds()
    await ben.joins(await anna.ticket())
    await anna.sees('ben')
    await Promise.all([anna.stop(), ben.stop()])
    t.comment('both have moved')
    for (const [n, space] of spaces.entries()) {
      await space.run('ip address flush dev eth0')
      await space.run(`ip address add 10.8.0.${n + 1}/24 dev eth0`)
    }
    ben.configure('[[peer]]\nid = "anna"\naddress = "tcp://10.8.0.1:24747"\n')
    await Promise.all([anna.start(args), ben.start(args)])
    t.match((await ben.sees('anna')).Addresses[0], 'tcp://10.8.0.1:24747')
  })

  for (const [what, years] of [
    ['ahead', 10],
    ['behind', -30]
  ] as const)
    t.test(`a clock many years ${what}`, async t => {
      const milliseconds = years * 365.25 * 86_400_000
      const shift = `const now=Date.now;Date.now=()=>now()+${milliseconds}`
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shift)}` }
      const anna = new Computer(t, 'anna', { env })
      const ben = new Computer(t, 'ben')
      await Promise.all([anna.start(), ben.start()])
      await anna.founds()
      const made = await anna.call('MakeTicket')
      t.ok(Math.abs(made.ExpiresUSec / 1000 - Date.now() - milliseconds) < 2 * 86_400_000, 'it is wrong')
      await ben.joins(made.Ticket)
      await Promise.all([anna.sees('ben'), ben.sees()])
      await ben.kill()
      await anna.until('it is gone', status => status.Peers.every(peer => !peer.Reachable))
      await ben.start()
      await Promise.all([anna.sees('ben'), ben.sees()])
      await ben.call('Leave')
      await ben.founds('of ben')
      await anna.call('Leave')
      await anna.joins(await ben.ticket())
      await Promise.all([anna.sees('ben'), ben.sees('anna')])
    })

  t.test('the wrong interface', async t => {
    const pc = await new Computer(t, 'pc').start(['--only', 'wlan7'])
    await pc.call('Init', {})
    const { Notes } = await pc.until('says so', s => s.Notes.some(n => n.includes('wlan7')))
    t.ok(Notes.some(note => /there is no interface wlan7/.test(note)))
    t.ok(Notes.some(note => /no network interface is in use/.test(note)))
  })

  t.test('directories where HOME is not', async t => {
    const pc = new Computer(t, 'pc')
    const file = join(pc.directory, 'file')
    writeFileSync(file, '')
    const refused = await pc.refusal(undefined, { HOME: file, XDG_DATA_HOME: '', XDG_STATE_HOME: '' })
    t.not(refused.code, 0)
    t.match(refused.err, /^coteried: .*file.* (cannot be|is) .*\n$/, 'a sentence')
  })
}
