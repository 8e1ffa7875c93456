/**
 * A real logind, of systemd 252 and 257, sends a computer to sleep: only what the kernel would do is played, by a
 * second of nothing.
 */
import type { Box } from '../lab/box.ts'
import { scenario } from '../lab/scenario.ts'

const coterie = async (box: Box, line: string, input?: string) => {
  const text = await box.user(`/host/bin/coterie ${line}`, input)
  return line.includes('--json') ? JSON.parse(text) : text
}
const delays = async (box: Box) =>
  (await box.run(['systemd-inhibit', '--list', '--no-legend', '--no-pager']))
    .split('\n')
    .filter(line => /Coterie/.test(line))

scenario('real logind', {}, async (t, lab) => {
  const old = await lab.box('b252', 8, 'bookworm', 'a')
  const recent = await lab.box('b257', 9, 'trixie', 'a')
  const boxes = [old, recent]
  for (const box of boxes) {
    await box.user('/host/scripts/install-user')
    await box.user('systemctl --user enable --now coterie')
  }
  await coterie(old, `init --name home --device ${old.name}`)
  const ticket = await coterie(old, 'invite --ticket')
  await coterie(recent, `join - --device ${recent.name} --yes`, ticket)
  const sees = (box: Box, state: string) =>
    box.until(`sees the other one ${state}`, async () => {
      const { Peers } = await coterie(box, 'status --json')
      return Peers[0]?.State === state
    })
  for (const box of boxes) await sees(box, 'reachable')

  for (const [box, other] of [
    [old, recent],
    [recent, old]
  ] as const)
    await t.test(box.name, async t => {
      t.match(await delays(box), [/Coterie.*sleep.*delay/], 'a lingering user may delay sleep')
      const { Checks } = await coterie(box, 'doctor --json')
      t.match(
        Checks.find(({ Name }: { Name: string }) => Name === 'sleep'),
        { State: 'ok' }
      )
      t.comment('logind is restarted')
      await box.run('systemctl restart systemd-logind')
      await box.until('it is held again, once', async () => (await delays(box)).length === 1)
      t.comment('the daemon is killed')
      await box.user('systemctl --user kill --signal=KILL --kill-whom=main coterie')
      await box.until('by the next one', async () => (await delays(box)).length === 1)
      await sees(other, 'reachable')
      await box.until('is back', async () => (await coterie(box, 'status --json')).Peers[0]?.Reachable)

      t.comment('and the computer sleeps')
      await box.run([
        'sh',
        '-ec',
        `mkdir -p /run/power /run/systemd/system/systemd-suspend.service.d
         echo 'freeze mem' > /run/power/state; echo '[s2idle] deep' > /run/power/mem_sleep
         mount --bind /run/power /sys/power
         printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep 4\\n' > /run/systemd/system/systemd-suspend.service.d/played.conf
         systemctl daemon-reload`
      ])
      const suspended = box.run('systemctl suspend')
      await sees(other, 'asleep')
      await suspended
      await sees(other, 'reachable')
      await box.until('it is held again', async () => (await delays(box)).length === 1)
      const log = await box.user('journalctl --user -u coterie -o cat -n 20')
      t.match(log, /the computer goes to sleep[\s\S]*awake.*logind said so/)
    })
})
