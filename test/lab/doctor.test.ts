/** The doctor beside the real NetworkManager and avahi: all is well, and then the card is taken from us. */
import { firewallService } from '../firewalld.ts'
import { PATIENCE_MS } from './deadline.ts'
import { scenario } from './scenario.ts'

interface Check {
  Name: string
  State: string
  Text: string
  Mend: string
}

scenario('what the doctor finds', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await h1.avahi()
  await lab.circle(h1, h2)
  const look = async () => {
    const { stdout } = await h1.tryCoterie('doctor --json')
    const { Checks } = JSON.parse(stdout) as { Checks: Check[] }
    return (name: string) => Checks.find(({ Name }) => Name === name)
  }
  let well = await look()
  // what the other one answers may come later than what one hears of oneself
  const end = performance.now() + PATIENCE_MS
  while (/nobody else is heard/.test(well('multicast')!.Text) && performance.now() < end) well = await look()
  t.match(well('network-source'), { State: 'ok', Text: /^NetworkManager tells/ })
  t.match(well('interfaces'), { State: 'ok', Text: /^Used: eth0/ })
  t.match(well('listeners'), { State: 'ok', Text: /port 24747 on eth0/ })
  t.match(well('multicast'), { State: 'ok', Text: /on eth0 is heard again here; so are others\.$/ })
  t.match(well('mdns-port'), { State: 'ok', Text: /shared with avahi-daemon/ })
  t.match(well('session-bus'), { State: 'ok' })
  t.match(well('firewall'), { State: 'ok' })
  t.comment((await h1.tryCoterie('doctor')).stdout)

  await firewallService(t, `unix:path=${h1.folder}/run/system_bus`, {
    bound: { eth0: 'work' },
    zones: { work: { services: ['mdns'] } },
    services: { mdns: [['5353', 'udp']] }
  })
  t.match((await look())('firewall'), {
    State: 'failed',
    Text: 'firewalld keeps others from TCP 24747 and UDP 24747 and 1900 on eth0 (zone work).',
    Mend: /--zone=work --add-port=24747-24756\/tcp --add-port=24747-24756\/udp --add-service=ssdp &&/
  })

  await h1.nmcli('device set eth0 managed no')
  await h1.listens(h1.address('a'), false)
  t.match((await look())('interfaces'), {
    State: 'failed',
    Text: /off: eth0 \(unmanaged\)/,
    Mend: 'nmcli device set eth0 managed yes'
  })
})
