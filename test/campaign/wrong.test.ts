/** What is in the way of a package or of its daemon in a box, and what is said of it. */
import t from 'tap'
import { VERSION } from '../../src/api/api.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { scenario } from '../lab/scenario.ts'
import { Agent, apt, awake, fresh, install } from './installed.ts'
import { NEXT, NEXT_DEB, releases, THIS_DEB } from './releases.ts'

t.setTimeout(FILE_MS)

scenario('what is in the way', {}, async (t, lab) => {
  const boxes = await fresh(t, lab, releases(t, { next: true }))
  const [old, recent] = boxes.map(box => new Agent(box)) as [Agent, Agent]
  const each = (act: (agent: Agent) => Promise<unknown>) => Promise.all([old, recent].map(act))
  const check = async (agent: Agent, name: string) => {
    const { stdout } = await agent.try('coterie doctor --json')
    return JSON.parse(stdout).Checks.find(({ Name }: { Name: string }) => Name === name)
  }

  await t.test('files of nobody, and of another package', t =>
    each(async ({ box }) => {
      for (const path of ['/usr/bin/coterie', '/usr/lib/coterie']) {
        await box.run(['sh', '-c', `echo mine > ${path}`])
        const { code, said } = await apt(box, `install ${THIS_DEB}`)
        t.not(code, 0)
        t.match(said, new RegExp(`coterie: ${path} is there already and belongs to no package; move it away`))
        t.equal(await box.run(['cat', path]), 'mine', 'it is left as it was')
        await box.run(['rm', path])
      }
      // dpkg itself asks about what belongs to another package
      await box.run([
        'sh',
        '-c',
        `mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin; echo theirs > /tmp/p/usr/bin/coterie
        printf 'Package: another\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b.invalid>\\nDescription: d\\n' > /tmp/p/DEBIAN/control
        dpkg-deb -b /tmp/p /tmp/another.deb; dpkg -i /tmp/another.deb`
      ])
      const { code, said } = await apt(box, `install ${THIS_DEB}`)
      t.not(code, 0)
      t.match(said, /trying to overwrite '\/usr\/bin\/coterie', which is also in package another/)
      t.equal(await box.run('cat /usr/bin/coterie'), 'theirs')
      await box.run('dpkg -P another')
    })
  )

  await t.test('an old configuration', t =>
    each(async agent => {
      await agent.sh(
        `mkdir -p .config/coterie; printf '[network]\\nprot = 1\\n' > .config/coterie/coterie.toml`
      )
      // what is to be upgraded must not fill this
      await agent.box.run('mkdir -p /usr/lib/coterie')
      await agent.box.run('mount -t tmpfs -o size=150m tmpfs /usr/lib/coterie')
      await install(t, agent.box)
      const sentence = /coterie\.toml: line 2: unknown key network\.prot; did you mean port\?/
      t.not((await agent.try('systemctl --user enable --now coterie')).code, 0)
      t.match(await agent.try('systemctl --user status --no-pager coterie'), { stdout: sentence })
      t.match(await agent.try('coterie status'), { code: 3, stderr: sentence })
      t.match(await agent.try('coterie config check'), { code: 78, stderr: sentence })
      await agent.sh('rm .config/coterie/coterie.toml')
      t.match(await agent.coterie('status'), /in no circle yet/, 'whoever asks next starts it')
      await awake(t, agent)
    })
  )

  await t.test('a unit of one’s own', t =>
    each(async agent => {
      const own = '.config/systemd/user/coterie.service'
      await agent.sh(`cp /usr/lib/systemd/user/coterie.service ${own}`)
      t.match(await check(agent, 'unit'), {
        State: 'warning',
        Text: /^\S+\/coterie\.service hides the unit of the package/,
        Mend: /^rm \S+\/coterie\.service && systemctl --user daemon-reload/
      })
      await agent.sh((await check(agent, 'unit')).Mend)
      t.match(await check(agent, 'unit'), { State: 'ok' }, 'what it says mends it')
    })
  )

  await t.test('no room on the disk for an upgrade', async t => {
    await old.coterie('init --name home')
    await recent.coterie('init --name home')
    await each(async agent => {
      const { box } = agent
      const before = await agent.pid()
      const { code, said } = await apt(box, `install ${NEXT_DEB}`)
      t.not(code, 0)
      t.match(said, /No space left on device/)
      t.equal(
        await box.run(['dpkg-query', '-W', '-f', '${Status} ${Version}', 'coterie']),
        `install ok installed ${VERSION}`
      )
      t.equal(await agent.pid(), before, 'the daemon goes on')
      await awake(t, agent)
      t.match(await box.try(['dpkg', '-V', 'coterie']), { stdout: '' }, 'and is whole')
      await box.run('mount -o remount,size=400m /usr/lib/coterie')
      t.equal((await apt(box, `install ${THIS_DEB}`)).code, 0)
    })
  })

  await t.test('no room in the home for what an upgrade changes there', t =>
    each(async agent => {
      const data = '.local/share/coterie'
      const stop = 'systemctl --user stop coterie.service coterie.socket'
      await agent.sh(`${stop}; cp -a ${data} .local/aside`)
      const home = `/home/tester/${data}`
      await agent.box.run(`mount -t tmpfs -o size=4m,mode=700,uid=1000,gid=1000 tmpfs ${home}`)
      await agent.sh(`cp -a .local/aside/. ${data}/ && systemctl --user start coterie && ls -l ${data}`)
      await agent.sh(`cat /dev/zero > ${data}/filler || true`)
      const { code, said } = await apt(agent.box, `install ${NEXT_DEB}`)
      t.equal(code, 0)
      t.match(said, /coterie: the daemon did not start again; journalctl --user -u coterie says why/)
      const status = await agent.try('coterie status')
      t.match(status, {
        code: 3,
        stderr: /coteried cannot start: the disk is full: no room for .*; nothing was changed/
      })
      await agent.sh(`rm ${data}/filler`)
      await awake(t, agent, NEXT)
      t.equal((await agent.status()).Device.State, 'ready', 'it has what it had')
      await agent.sh(stop)
      await agent.box.run(`umount ${home}`)
      await agent.sh(`rm -r ${data}; mv .local/aside ${data}; systemctl --user start coterie`)
      await awake(t, agent, NEXT)
    })
  )

  await t.test('a foreign file where the socket’s folder belongs', t =>
    each(async agent => {
      await agent.systemctl('stop coterie.service coterie.socket')
      await agent.sh('rm -rf $XDG_RUNTIME_DIR/coterie; echo mine > $XDG_RUNTIME_DIR/coterie')
      t.not((await agent.try('systemctl --user start coterie')).code, 0)
      await agent.says(/coteried: \/run\/user\/1000\/coterie is in the way: it is not a directory; move it/)
      t.equal(await agent.sh('cat $XDG_RUNTIME_DIR/coterie'), 'mine')
      await agent.sh(
        'rm $XDG_RUNTIME_DIR/coterie; systemctl --user reset-failed coterie.service coterie.socket'
      )
      await agent.systemctl('start coterie.socket coterie.service')
      await awake(t, agent, NEXT)
    })
  )

  await t.test('no session bus', t =>
    each(async agent => {
      await agent.box.run('systemctl --global mask dbus.socket dbus.service')
      await agent.box.run('systemctl restart user@1000.service')
      await agent.runs()
      const status = await agent.status()
      t.match(status, { DBus: 'absent', Device: { State: 'ready' }, NetworkSource: 'NetworkManager' })
      t.match(await agent.coterie('status'), /no session bus: panels and busctl cannot see Coterie/)
      t.match(await check(agent, 'session-bus'), {
        State: 'warning',
        Mend: 'systemctl --user start dbus.socket'
      })
      t.match(await apt(agent.box, `install --reinstall ${NEXT_DEB}`), { code: 0, said: /^(?!.*coterie: )/s })
      await agent.runs()
      t.equal((await apt(agent.box, 'remove coterie')).code, 0)
      t.equal(await agent.systemctl('list-units --no-legend coterie*'), '', 'removal reaches it all the same')
    })
  )
})
