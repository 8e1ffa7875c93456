/** The handlers of real daemons: what the command line says of them, rules, and events that run them. */
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inside } from '../namespace.ts'
import { correspondents, handlers, handlersOf, lines, place, sends } from './correspondents.ts'
import { Computer, failure } from './daemon.ts'

if (inside(t, import.meta.url)) {
  t.test('what there is, and what is wrong with it', async t => {
    const [, ben] = await correspondents(t)
    const folder = handlersOf(ben)
    t.match(await ben.coterie('handlers'), { code: 0, out: /^There are no handlers\. An executable .*\n/ })
    t.match(await ben.coterie('handlers check'), { code: 0, out: 'There are no handlers.\n' })
    await handlers(ben, {
      'message/backup/start.sh': 'echo "$COTERIE_FROM_NAME says:"; cat; echo aside >&2',
      'message/@anna/backup/stop.sh': 'exit 3',
      'message/backup/stop': 'true',
      'message/later': 'exit 75',
      'message/bytes': "printf '\\377\\0'",
      'message/hangs': 'sleep 600',
      'peer/@anna/reachable.retry.sh': 'true'
    })
    t.match(await ben.coterie('handlers check'), { code: 0, out: 'All 7 handlers can run.\n' })
    const { out } = await ben.coterie('handlers list')
    t.match(out, /\n {2}● {2}backup\/start +any +message\/backup\/start\.sh\n/)
    t.match(out, /\n {2}● {2}peer reachable +anna +peer\/@anna\/reachable\.retry\.sh +may run twice\n/)

    t.comment('what would run')
    t.match(await ben.coterie('handlers run --dry anna backup/stop'), {
      code: 0,
      out: `${folder}/message/@anna/backup/stop.sh would run.\n  anna is a member, and no rule is for it: members may send everything\n  not ${folder}/message/backup/stop: the other goes first\n`
    })
    t.match(await ben.coterie('handlers run --dry anna no/such'), {
      code: 1,
      out: /^Nothing would run\.\n {2}there is no handler message\/no\/such in /
    })
    t.match(JSON.parse((await ben.coterie('handlers run --dry --json anna backup/stop')).out), {
      Handler: `${folder}/message/@anna/backup/stop.sh`,
      Problem: '',
      Others: [`${folder}/message/backup/stop`]
    })
    t.match(await ben.coterie('handlers run --dry anna x body'), { code: 2, err: /no body is needed/ })
    t.match(await ben.coterie('handlers run --dry cora x'), { code: 1, err: /no member is called "cora"/ })
    t.match(await ben.coterie('handlers try'), { code: 2, err: /knows list, check and run, not "try"/ })

    t.comment('and what runs')
    t.match(await ben.coterie('handlers run anna backup/start -', 'hello\n'), {
      code: 0,
      out: 'anna says:\nhello\n',
      err: /^aside\n.*start\.sh ended with 0\n$/
    })
    t.match(await ben.coterie('handlers run anna backup/stop'), { code: 1, err: /stop\.sh ended with 3\n$/ })
    t.match(await ben.coterie('handlers run anna later'), {
      code: 0,
      err: /ended with 75: it would run again/
    })
    t.match(JSON.parse((await ben.coterie('handlers run --json anna bytes')).out), {
      State: 'done',
      Output: '',
      OutputBase64: '/wA='
    })
    t.match(await failure(ben.call('RunHandler', { Peer: 'anna', Tag: 'no/such' })), /there is no handler/)
    const tooMuch = 'x'.repeat(1_048_577)
    t.match(await ben.coterie('handlers run anna bytes -', tooMuch), { code: 1, err: /more than 1 MiB/ })

    t.comment('bad ones')
    place(ben, 'message/writable', 'true', 0o722)
    place(ben, 'message/@cora/x', 'true')
    await handlers(ben, { 'notes.txt': ['x', 0o600] })
    const checked = await ben.coterie('handlers check')
    t.match(checked, { code: 1, err: /^coterie: 3 of 10 files cannot run\n$/ })
    t.match(checked.out, /✗ {2}writable +any +message\/writable\n {6}others may write it; `chmod go-w` it\n/)
    t.match(checked.out, /@cora\/x\n {6}no member is called "cora"; did you mean "anna"\?\n/)
    t.match(checked.out, /✗ {2}nothing +notes\.txt\n {6}it is not below message\//)
    t.notMatch(checked.out, /backup/)
    t.equal(JSON.parse((await ben.coterie('handlers check --json')).out).Handlers.length, 3)
    t.match(await ben.coterie('handlers run --dry anna writable'), {
      code: 1,
      out: /no handler for writable can be run: .*others may write it/
    })
  })

  t.test('rules, read again without a restart', async t => {
    const [anna, ben] = await correspondents(t)
    await handlers(ben, { 'message/clipboard/set': 'true', 'message/note': 'true' })
    const { Id } = (await ben.status()).Peers[0]!
    const rule = (from: string, tags: string) => `[[allow]]\nfrom = "${from}"\ntags = [${tags}]\n`
    const reload = (toml: string) => {
      ben.configure(toml)
      return ben.coterie('call Reload')
    }
    t.match(await sends(anna, 'ben', 'note'), { State: 'done' })
    await reload(`# who\n${rule('anna', '"clipboard/*"')}`)
    t.match(await sends(anna, 'ben', 'clipboard/set'), { State: 'done' })
    t.match(await sends(anna, 'ben', 'note'), { State: 'dead', Reason: 'not-allowed' })
    await ben.logs(/a message was not done.*not-allowed/)
    t.match(await ben.coterie('handlers run --dry anna note'), {
      code: 1,
      out: /anna may send only what the rules for it allow, and note is not among that \(line 2 of coterie\.toml\)/
    })
    t.match(await ben.coterie('handlers run anna note'), { code: 1, err: /anna may send only/ })
    t.match(await ben.coterie('handlers run --dry anna clipboard/set'), { out: /from = "anna" allows/ })

    t.comment('bad ones change nothing')
    for (const [toml, sentence] of [
      [rule('anna', '"Note"'), /line 3: allow\[0\]\.tags\[0\] must be a tag such as/],
      [
        `${rule('anna', '"*"')}[[allow]]\nform = "x"\n`,
        /line 5: unknown key allow\[1\]\.form; did you mean from\?/
      ],
      ['[[allow]]\nfrom = 3\n', /line 2: allow\[0\]\.from must be a text/],
      ['[[allow]\n', /line 1, column/]
    ] as const) {
      const said = await reload(toml)
      t.match(said, { code: 1, err: sentence })
      t.match(await ben.coterie('config check'), { code: 78, err: sentence })
      t.match(await sends(anna, 'ben', 'note'), { State: 'dead', Reason: 'not-allowed' })
    }
    await reload(rule('ana', '"*"') + rule(Id, '"note"'))
    t.match(await ben.coterie('handlers check'), {
      code: 1,
      out: /✗ {2}ana +\* +line 1\n {6}no member is called "ana"; did you mean "anna"\?/,
      err: /1 of 2 rules is for nobody/
    })
    t.match(await sends(anna, 'ben', 'note'), { State: 'done' }, 'by its id')
    t.match(await sends(anna, 'ben', 'clipboard/set'), { Reason: 'not-allowed' })
    await reload(rule('*', '"x"'))
    t.match(await sends(anna, 'ben', 'note'), { State: 'done' }, 'no rule is for it alone')

    t.comment('a guest')
    const guest = await new Computer(t, 'gus').start()
    const { Ticket } = await anna.call('MakeTicket', { ExpiresInUSec: 600e6, GuestForUSec: 3600e6 })
    await guest.joins(Ticket)
    await Promise.all([guest.sees('ben'), ben.sees('gus')])
    t.match(await sends(guest, 'ben', 'note'), { State: 'dead', Reason: 'not-allowed' })
    t.match(await ben.coterie('handlers run --dry gus note'), {
      code: 1,
      out: /gus is a guest, and no rule lets it send note: guests and relays may send only what a rule allows/
    })
    await reload(rule('gus', '"note"'))
    t.match(await sends(guest, 'ben', 'note'), { State: 'done' })
    t.match(await sends(guest, 'ben', 'clipboard/set'), { Reason: 'not-allowed' })
    t.match(await guest.coterie('outbox'), {
      out: /clipboard\/set +dead .*that device does not let this one/
    })

    t.comment('a device that takes the name of another gains nothing by it')
    const anna2 = guest
    await anna2.call('Rename', { Name: 'anna' })
    await ben.until('has two of that name', s => s.Peers.filter(({ Name }) => Name === 'anna').length === 2)
    await reload(rule('anna', '"*"'))
    const own = (await ben.status()).Peers.find(({ Id: id }) => id !== Id)!.Id
    t.match(await ben.coterie(`handlers run --dry ${own} note`), {
      code: 1,
      out: /two devices are called so/
    })
    t.match(await sends(guest, 'ben', 'note'), { State: 'dead', Reason: 'not-allowed' })
  })

  t.test('events run handlers', async t => {
    const [anna, ben] = [new Computer(t, 'anna maria'), new Computer(t, 'pc.home')]
    const say = (file: string) =>
      `echo "$COTERIE_EVENT $COTERIE_PEER_NAME $COTERIE_STATE" >> ${join(anna.directory, file)}`
    place(anna, 'peer/log.sh', say('peers'))
    place(anna, 'peer/@pc.home/reachable.notify.sh', say('reachable'))
    place(anna, 'peer/@nobody/reachable.sh', say('nobody'))
    place(anna, 'daemon/all', say('daemon'))
    place(anna, 'daemon/stopping.sh', `sleep 0.2; ${say('stopping')}`)
    place(
      ben,
      'peer/@anna maria/address.seen.sh',
      `echo "$COTERIE_EVENT $COTERIE_ADDRESS" >> ${ben.directory}/seen`
    )
    await correspondents(t, { anna, ben })
    const has =
      (...wanted: string[]) =>
      (all: readonly string[]) =>
        wanted.every(line => all.includes(line))
    await lines(join(anna.directory, 'peers'), has('joined pc.home ', 'reachable pc.home reachable'))
    await lines(join(anna.directory, 'daemon'), has('started  ', 'network  ', 'active  '))
    t.same(await lines(join(anna.directory, 'reachable'), all => all.length > 0), [
      'reachable pc.home reachable'
    ])
    t.match(await lines(join(ben.directory, 'seen'), all => all.length > 0), [/^seen tcp:\/\/127/])

    t.comment('it goes, and comes back')
    await ben.kill()
    await lines(join(anna.directory, 'peers'), all =>
      all.some(line => line.startsWith('unreachable pc.home'))
    )
    await lines(join(anna.directory, 'daemon'), has('inactive  '))
    await ben.start()
    await lines(join(anna.directory, 'reachable'), all => all.length === 2)

    t.comment('it is removed')
    await anna.call('Remove', { Device: 'pc.home' })
    await lines(join(anna.directory, 'peers'), has('left pc.home '))
    // a queue that is empty: the daemon waits 2 s for those that are for its end
    const inactive = (all: readonly string[]) => all.filter(line => line === 'inactive  ').length === 2
    await lines(join(anna.directory, 'daemon'), inactive)

    t.comment('the end')
    await anna.stop()
    t.same(
      await lines(join(anna.directory, 'stopping'), all => all.length > 0),
      ['stopping  '],
      'is waited for'
    )
    t.equal((await lines(join(anna.directory, 'daemon'), () => true)).at(-1), 'stopping  ')
    t.same(await lines(join(anna.directory, 'nobody'), () => true), [], 'what is for others did not run')
  })

  t.test('files that come and go while the daemon runs', async t => {
    const [anna, ben] = await correspondents(t)
    const folder = handlersOf(ben)
    const known = (tag: string) =>
      ben.aside('TryHandler', { Peer: 'anna', Tag: tag }).then(({ Handler }) => Handler !== '')
    const until = async (tag: string, there: boolean) => {
      const limit = performance.now() + 10_000
      while ((await known(tag)) !== there && performance.now() < limit);
      t.equal(await known(tag), there, `${tag}: ${there}`)
    }
    place(ben, 'message/deep/down/x', 'echo one')
    await until('deep/down/x', true)
    t.match(await sends(anna, 'ben', 'deep/down/x', '', true), { Output: 'one\n' })
    renameSync(join(folder, 'message/deep'), join(folder, '.away'))
    await until('deep/down/x', false)
    t.match(await sends(anna, 'ben', 'deep/down/x'), { State: 'dead', Reason: 'no-handler' })
    renameSync(join(folder, '.away'), join(folder, 'message/deep'))
    await until('deep/down/x', true)
    rmSync(folder, { recursive: true })
    await until('deep/down/x', false)
    mkdirSync(folder)
    place(ben, 'message/y', 'echo two')
    await until('y', true)
  })
}
