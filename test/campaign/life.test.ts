/** A package comes, is used, upgraded, downgraded, removed and comes again, on Debian 12 and 13, for two users at once. */
import t from 'tap'
import { SCHEMA_VERSION } from '../../src/host/rows.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { scenario } from '../lab/scenario.ts'
import { Agent, apt, asleep, awake, fresh, install, joinByCode, NAME, SOCKET } from './installed.ts'
import { NEXT, NEXT_DEB, NEXT_SCHEMA, releases, THIS_DEB } from './releases.ts'

t.setTimeout(FILE_MS)

scenario('the life of a package', {}, async (t, lab) => {
  const boxes = await fresh(t, lab, releases(t, { next: true }))
  const [old, recent] = boxes.map(box => new Agent(box)) as [Agent, Agent]
  const agents = [old, recent]
  const others: Agent[] = []
  const each = (list: readonly Agent[], act: (agent: Agent) => Promise<unknown>) => Promise.all(list.map(act))
  const quiet = { code: 0, said: /^(?!.*coterie: )/s }
  const gone = async (agent: Agent) => {
    t.equal(await agent.systemctl('list-units --no-legend coterie*'), '', `${agent.name}: no unit is left`)
    t.not((await agent.activated()).code, 0)
    t.match(await agent.box.try('pgrep -u tester,other -f /usr/lib/coterie/node'.split(' ')), { stdout: '' })
  }
  const kept = (agent: Agent) =>
    agent.sh('find .config .local -type f | grep -v -e /lock$ -e -wal$ -e /compile/ | xargs ls -i | sort')

  await t.test('installed: nothing starts, for nobody', async t => {
    await each(agents, async agent => {
      const { box } = agent
      others.push(new Agent(box, await box.account('other', 1001)))
      await box.run('systemctl start user@1001.service')
      await install(t, box)
    })
    await each([...agents, ...others], agent => asleep(t, agent))
    for (const { box } of agents)
      t.equal(await box.run('find /etc/systemd/user -name *coterie*'), '', 'nor is it enabled for all')
  })

  await t.test('enabled: two commands', async t => {
    await each(agents, async agent => {
      await agent.systemctl('enable --now coterie')
      await awake(t, agent)
    })
    await each(others, agent => asleep(t, agent))
    await old.coterie('init --name home --device b252')
    await joinByCode(old, recent)
    for (const [one, other] of [
      [old, recent],
      [recent, old]
    ] as const) {
      const tree = await one.box.user(`busctl --user --timeout=10 --no-pager tree ${NAME}`)
      const peers = tree.match(/\/org\S+\/peer\/\w+/g) ?? []
      t.equal(peers.length, 1, `${one.name}: busctl tree shows the other one, ${peers}`)
      const shown = await one.box.user(`busctl --user --timeout=10 introspect ${NAME} ${peers[0]}`)
      t.match(shown, new RegExp(`\\.Name .*"${other.box.name}"`))
    }
  })

  await t.test('activated by its socket, and by its name', async t => {
    await each(agents, async agent => {
      await agent.systemctl('stop coterie.service')
      await awake(t, agent)
      await agent.systemctl('stop coterie.service coterie.socket')
      t.match(await agent.activated(), { code: 0 })
      await agent.runs()
      await agent.systemctl('start coterie.socket')
    })
  })

  await t.test('two users of one computer', async t => {
    await each(others, async agent => {
      await agent.systemctl('enable --now coterie')
      await agent.coterie('init --name theirs --device other')
      await agent.until('listens', async () => (await agent.ports()).length > 0)
    })
    for (const [n, agent] of agents.entries()) {
      const both = [agent, others[n]!]
      const [mine, theirs] = await Promise.all(both.map(a => a.ports()))
      t.ok(mine!.length > 0 && !mine!.some(port => theirs!.includes(port)), `${mine} and ${theirs}`)
      const sockets = await Promise.all(both.map(a => a.sh(`stat -c %u:%a $XDG_RUNTIME_DIR/${SOCKET}`)))
      t.same(sockets, ['1000:600', '1001:600'])
      const asked = [`coterie call Status`, `env XDG_RUNTIME_DIR=/run/user/1000 coterie call Status`]
      t.equal(JSON.parse(await others[n]!.sh(asked[0]!)).Circle.Name, 'theirs')
      t.not((await others[n]!.try(asked[1]!)).code, 0, 'nobody asks another one’s daemon')
    }
    await Promise.all([old.sees('b257'), recent.sees('b252')])
  })

  await t.test('before a login, where its user lingers', async t => {
    await each(agents, async agent => {
      const before = await agent.pid()
      await agent.box.run('systemctl restart user@1000.service')
      await agent.runs()
      t.not(await agent.pid(), before)
      const sessions = await agent.box.run('loginctl list-sessions --no-legend')
      t.notMatch(sessions, /tester(?!.* manager )/, 'nobody is logged in')
    })
    await each(others, async agent => {
      await agent.box.run('systemctl stop user@1001.service')
      t.match(await agent.box.try('pgrep -u other -f /usr/lib/coterie/node'.split(' ')), { stdout: '' })
      await agent.box.run('systemctl start user@1001.service')
      await agent.runs()
    })
    await Promise.all([old.sees('b257'), recent.sees('b252')])
  })

  const circles = new Map<Agent, string>()
  await t.test('upgraded while it runs', async t => {
    await each([...agents, ...others], async a => circles.set(a, (await a.status()).Circle.Id))
    const before = await Promise.all([...agents, ...others].map(a => a.pid()))
    await each(agents, async ({ box }) => {
      t.match(await apt(box, `install ${NEXT_DEB}`), quiet)
    })
    await each([...agents, ...others], async agent => {
      await awake(t, agent, NEXT)
      t.equal((await agent.status()).Circle.Id, circles.get(agent), 'in the same circle')
    })
    for (const [n, agent] of [...agents, ...others].entries()) t.not(await agent.pid(), before[n])
    await Promise.all([old.sees('b257'), recent.sees('b252')])
  })

  await t.test('downgraded: what is newer is not touched, and everybody is told', async t => {
    await each(agents, async ({ box }) => {
      const { code, said } = await apt(box, `install --allow-downgrades ${THIS_DEB}`)
      t.equal(code, 0)
      t.match(said, new RegExp(`coterie: version ${NEXT} was here; .*install ${NEXT} again`))
      for (const uid of [1000, 1001])
        t.match(said, new RegExp(`coterie: the daemon did not start again; .*user id ${uid}`))
    })
    await each([...agents, ...others], async agent => {
      t.equal(await agent.show('ExecMainStatus'), '78')
      t.equal(await agent.show('NRestarts'), '0', 'it is not tried again and again')
      await agent.says(
        new RegExp(`newer coterie \\(schema ${NEXT_SCHEMA}, this one knows ${SCHEMA_VERSION}\\); upgrade`)
      )
      const status = await agent.try('coterie status')
      t.match(status, {
        code: 3,
        stderr: /^coterie: coteried cannot start: .* newer coterie .*upgrade this one/
      })
    })
  })

  await t.test('and upgraded again: it goes on', async t => {
    await each(agents, async ({ box }) => {
      t.match(await apt(box, `install ${NEXT_DEB}`), quiet)
    })
    await each([...agents, ...others], async agent => {
      await awake(t, agent, NEXT)
      t.equal((await agent.status()).Circle.Id, circles.get(agent))
    })
    await Promise.all([old.sees('b257'), recent.sees('b252')])
  })

  const homes = new Map<Agent, string>()
  await t.test('removed and purged: nothing runs, and homes are as they were', async t => {
    await each([...agents, ...others], async agent => homes.set(agent, await kept(agent)))
    await each(agents, async ({ box }) => {
      t.match(await apt(box, 'remove coterie'), quiet)
    })
    await each([...agents, ...others], gone)
    await each(agents, async ({ box }) => {
      t.match(await apt(box, 'purge coterie'), { code: 0 })
      const left = ['find', '/usr', '/etc', '/var/lib/systemd', '/run/user', '-iname', '*coterie*']
      const files = (await box.run([...left, '-not', '-type', 'd'])).split('\n').filter(Boolean)
      t.same(files, [], `${box.name}: nothing is left outside homes`)
    })
    await each([...agents, ...others], async a => t.equal(await kept(a), homes.get(a), 'homes are untouched'))
  })

  await t.test('installed again: who had enabled it has it again', async t => {
    await each(agents, ({ box }) => install(t, box, NEXT_DEB))
    await each([...agents, ...others], async agent => {
      t.equal(await agent.show('ActiveState'), 'inactive', 'it does not start by itself')
      t.equal(await agent.systemctl('is-enabled coterie.service'), 'enabled')
    })
    await each(agents, ({ box }) => box.run('systemctl restart user@1000.service'))
    await each(others, agent => agent.systemctl('start coterie'))
    await each([...agents, ...others], async agent => {
      await agent.runs()
      t.equal((await agent.status()).Circle.Id, circles.get(agent))
    })
    await Promise.all([old.sees('b257'), recent.sees('b252')])
  })

  await t.test('erased, by whom it belongs to', t =>
    each([recent, ...others], async agent => {
      t.match(await agent.coterie('leave --erase --yes'), /are erased/)
      t.equal((await agent.status()).Device.State, 'new')
      await agent.systemctl('disable --now coterie.service coterie.socket')
      const kept = 'find .local/share/coterie .local/state/coterie -type f -not -name lock'
      t.equal(await agent.sh(kept), '', `${agent.name}: neither keys nor data`)
      t.equal(await agent.systemctl('list-units --no-legend coterie*'), '')
    })
  )
  t.same((await old.status()).Peers, [], 'and the other one knows')
})
