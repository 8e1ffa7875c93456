/** The unit of the icon, under systemd 252 and 257: it comes and goes with the graphical session, and starts nothing. */
import { scenario } from '../lab/scenario.ts'

const SESSION =
  '[Unit]\\nBindsTo=graphical-session.target\\nBefore=graphical-session.target\\n[Service]\\nExecStart=sleep infinity\\n'

scenario('the icon in boxes', {}, async (t, lab) => {
  const boxes = [await lab.box('t252', 8, 'bookworm', 'a'), await lab.box('t257', 9, 'trixie', 'a')]
  for (const box of boxes)
    await t.test(box.name, async t => {
      const systemctl = (line: string) => box.user(`systemctl --user ${line}`)
      const state = (unit: string) => box.show(unit, 'ActiveState')
      await box.user('/host/scripts/install-user')
      const units = '.config/systemd/user'
      t.equal(await box.user(`systemd-analyze --user verify ${units}/coterie-tray.service`), '')
      await systemctl('enable coterie-tray')
      await box.user(['sh', '-c', `printf '${SESSION}' > ${units}/session.service`])
      await systemctl('daemon-reload')
      t.equal(await state('coterie-tray'), 'inactive', 'no session, no icon')

      await systemctl('start session')
      await box.until(
        'the icon is there',
        async () => (await box.show('coterie-tray', 'SubState')) === 'running'
      )
      const owner =
        'busctl --user --timeout=10 call org.freedesktop.DBus / org.freedesktop.DBus NameHasOwner s org.coterie.Coterie1.Panel'
      await box.until('it has its name', async () => (await box.user(owner)) === 'b true')
      t.equal(await state('coterie'), 'inactive', 'it starts no daemon')
      t.equal(await state('coterie.socket'), 'inactive')
      const pid = await box.show('coterie-tray', 'MainPID')
      t.match(await box.user(['grep', 'NoNewPrivs', `/proc/${pid}/status`]), /1$/)

      await systemctl('enable --now coterie')
      await systemctl('stop coterie.service')
      t.equal(await state('coterie.socket'), 'active')
      await new Promise(resolve => setTimeout(resolve, 3_000))
      t.equal(await state('coterie.service'), 'inactive', 'nor one that was stopped, whose socket is there')

      await systemctl('stop session')
      await box.until('it goes with the session', async () => (await state('coterie-tray')) === 'inactive')
      await box.user('/host/scripts/install-user --remove')
    })
})
