/** Computers that lack what a desktop has: the daemon works with what is left, and says so. */
import { scenario } from './scenario.ts'

scenario(
  'no NetworkManager, no buses, no runtime directory, no IPv6, no multicast',
  { h1: 'a', h2: 'a' },
  async (t, lab) => {
    const [h1, h2] = lab.all('h1', 'h2')

    await h1.end('NetworkManager')
    await h1.end('system bus')
    await h1.end('session bus')
    await h1.space.run(['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6'])
    await h1.space.run('ip address replace 10.77.1.11/24 dev eth0 valid_lft forever preferred_lft forever')
    h1.without('XDG_RUNTIME_DIR', 'DBUS_SYSTEM_BUS_ADDRESS', 'DBUS_SESSION_BUS_ADDRESS')
    await h2.space.run('ip link set eth0 multicast off')

    await Promise.all([h1.start(), h2.start()])
    await h1.coterie('init')
    await h1.dialable()
    await h2.coterie('join - --yes', await h1.coterie('invite --ticket'))
    await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])

    const status = await h1.coterie('status --json')
    t.equal(status.NetworkSource, 'ip')
    t.equal(status.DBus, 'absent')
    t.match(status.Notes.join('\n'), /D-Bus|bus/i)
    t.same(
      status.Listeners.map((l: { Address: string }) => l.Address),
      ['10.77.1.11']
    )
    t.equal((await h2.coterie('status --json')).NetworkSource, 'NetworkManager')

    t.comment('addresses come and go all the same')
    await h1.space.run('ip address add 10.77.1.77/24 dev eth0')
    await h1.listens('10.77.1.77')
    await h1.space.run('ip address del 10.77.1.77/24 dev eth0')
    await h1.listens('10.77.1.77', false)

    t.comment('and the two find each other again after both were away')
    await Promise.all([h1.daemon.stop(), h2.daemon.stop()])
    await Promise.all([h1.start(), h2.start()])
    await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
  }
)
