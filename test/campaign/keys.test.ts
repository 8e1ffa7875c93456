/** Credentials and crashes under the user manager of systemd 252 and 257. */
import type { Box } from '../lab/box.ts'
import { scenario } from '../lab/scenario.ts'

const units = '.config/systemd/user'
const state = '.local/state/coterie'
const sh = (box: Box, script: string) => box.user(['sh', '-ec', script])
const coterie = async (box: Box, line: string) =>
  JSON.parse(await box.user(`/host/bin/coterie ${line} --json`))
const dropIn = (box: Box, text: string) =>
  sh(
    box,
    `mkdir -p ${units}/coterie.service.d
    printf '[Service]\\n%s\\n' '${text}' > ${units}/coterie.service.d/test.conf
    systemctl --user daemon-reload`
  )
const deviceState = async (box: Box) => (await coterie(box, 'status')).Device.State

scenario('keys under systemd', {}, async (t, lab) => {
  for (const [name, n, suite] of [
    ['b252', 8, 'bookworm'],
    ['b257', 9, 'trixie']
  ] as const) {
    const box = await lab.box(name, n, suite, 'a')
    await t.test(name, async t => {
      await box.user('/host/scripts/install-user')

      t.comment('a plain credential')
      await sh(box, 'umask 077; head -c 32 /dev/urandom > master')
      await dropIn(box, 'LoadCredential=coterie.key:%h/master')
      await box.user('systemctl --user enable --now coterie')
      await coterie(box, 'init')
      t.match(await sh(box, `cat ${state}/key-store`), /"Store":"credential"/, 'although the user lingers')
      t.equal(await sh(box, `ls ${state}`), 'key-store')
      const { Checks } = await coterie(box, 'doctor')
      const states = Object.fromEntries(Checks.map((c: { Name: string; State: string }) => [c.Name, c.State]))
      t.match(states, { 'key-store': 'ok', files: 'ok', socket: 'ok', 'core-dumps': 'ok', linger: 'ok' })
      await dropIn(box, '')
      await box.user('systemctl --user restart coterie')
      t.equal(await box.show('coterie', 'ActiveState'), 'active', 'ready, and locked')
      t.match(await box.show('coterie', 'StatusText'), /^locked: .*credential coterie\.key/)
      t.equal(await deviceState(box), 'locked')
      await dropIn(box, 'LoadCredential=coterie.key:%h/master')
      await box.user('systemctl --user restart coterie')
      t.equal(await deviceState(box), 'ready')

      t.comment('with the further walls of hardening.conf')
      await box.user(['cp', '/host/systemd/hardening.conf', `${units}/coterie.service.d/`])
      await box.user('systemctl --user daemon-reload')
      await box.user('systemctl --user restart coterie')
      t.equal(await deviceState(box), 'ready')
      await box.user(['rm', `${units}/coterie.service.d/hardening.conf`])

      t.comment('an encrypted one, which user units can have since 258')
      const encrypting = 'systemd-creds encrypt --user --name=coterie.key master master.cred'
      const encrypted = await box.tryUser(encrypting.split(' '))
      t.equal(encrypted.code === 0, name === 'b257', encrypted.stderr)
      if (encrypted.code === 0) {
        await dropIn(box, 'LoadCredentialEncrypted=coterie.key:%h/master.cred')
        t.not((await box.tryUser('systemctl --user restart coterie'.split(' '))).code, 0)
        t.equal(await box.show('coterie', 'ExecMainStatus'), '243', 'CREDENTIALS, by systemd itself')
        await dropIn(box, 'LoadCredential=coterie.key:%h/master')
        await box.user('systemctl --user reset-failed coterie')
        await box.user('systemctl --user restart coterie')
        t.equal(await deviceState(box), 'ready')
      }

      t.comment('a crash')
      const pid = await box.show('coterie', 'MainPID')
      t.match(await sh(box, `grep 'core file' /proc/${pid}/limits`), /size\s+0\s+0\s/)
      t.equal(await sh(box, `cat /proc/${pid}/coredump_filter`), '00000000')
      const place = await sh(box, `readlink /proc/${pid}/cwd`)
      await sh(box, `kill -ABRT ${pid}`)
      await box.until('is restarted', async () => {
        const now = await box.show('coterie', 'MainPID')
        return now !== pid && now !== '0' && (await box.show('coterie', 'SubState')) === 'running'
      })
      t.equal(await sh(box, `ls ${place} | grep -c '^core' || true`), '0')
      t.equal(await deviceState(box), 'ready')
      await box.user('/host/scripts/install-user --remove')
    })
  }
})
