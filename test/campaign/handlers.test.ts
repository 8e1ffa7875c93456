/** Handlers as units of a real systemd, 252 and 257: what they are given, how they end, and how they are found again. */
import t, { type Test } from 'tap'
import type { Result } from '../../src/api/api.ts'
import type { Box } from '../lab/box.ts'
import { scenario } from '../lab/scenario.ts'

type Message = Result<'WaitMessage'>['Message']
const home = '/home/tester/.config/coterie'

const call = async (box: Box, method: string, params: object = {}) =>
  JSON.parse(await box.user(['/host/bin/coterie', 'call', method, JSON.stringify(params)]))
const sh = (box: Box, script: string, input = '') => box.user(['sh', '-c', script], input)
const systemctl = (box: Box, line: string) => box.user(`systemctl --user ${line}`)
const pid = async (box: Box) => Number(await box.show('coterie', 'MainPID'))

async function handler(box: Box, path: string, script: string): Promise<void> {
  const file = `${home}/handlers/${path}`
  await sh(
    box,
    `mkdir -p ${file.slice(0, file.lastIndexOf('/'))}; cat > ${file}; chmod 700 ${file}`,
    `#!/bin/sh\n${script}\n`
  )
  await box.until(`knows ${path}`, async () =>
    (await call(box, 'Handlers')).Handlers.some(({ Path }: { Path: string }) => Path === file)
  )
}

async function sends(from: Box, to: Box, tag: string, more: object = {}): Promise<string> {
  const { Messages } = await call(from, 'Send', { Peers: [to.name], Tag: tag, ...more })
  return Messages[0].Id
}
const ends = async (from: Box, id: string): Promise<Message> =>
  (await call(from, 'WaitMessage', { Id: id, TimeoutUSec: 60e6 })).Message
const asks = async (from: Box, to: Box, tag: string, more: object = {}) =>
  ends(from, await sends(from, to, tag, { Ask: true, ...more }))
const unitOf = (id: string) => `coterie-handler-${id}.service`
const units = (box: Box) =>
  systemctl(box, 'list-units --all --plain --no-legend coterie-handler* coterie-event*')
const runs = (box: Box) => sh(box, 'ls /run/user/1000/coterie/runs')

t.setTimeout(900_000)

scenario('handlers as units', {}, async (t, lab) => {
  const old = await lab.box('b252', 8, 'bookworm', 'a')
  const recent = await lab.box('b257', 9, 'trixie', 'a')
  for (const box of [old, recent]) {
    await box.user('/host/scripts/install-user')
    await sh(
      box,
      `mkdir -p ${home}; printf '[handlers]\\ntimeout = 8\\nmemory = 256\\n' > ${home}/coterie.toml`
    )
    await systemctl(box, 'enable --now coterie')
  }
  await old.user(`/host/bin/coterie init --name home --device ${old.name}`)
  const ticket = await old.user('/host/bin/coterie invite --ticket')
  await recent.user(`/host/bin/coterie join - --device ${recent.name} --yes`, ticket)
  for (const [box, other] of [
    [old, recent],
    [recent, old]
  ] as const)
    await t.test(box.name, t => story(t, box, other))
})

async function story(t: Test, box: Box, from: Box): Promise<void> {
  t.equal((await call(box, 'Handlers')).Units, true)
  const { Checks } = await call(box, 'Doctor')
  t.match(
    Checks.find(({ Name }: { Name: string }) => Name === 'handlers'),
    { State: 'ok', Text: /as units of your systemd/ }
  )

  t.comment('what it is given')
  await systemctl(box, 'set-environment DISPLAY=:7 SECRET=1')
  await handler(box, 'message/env', `tr '\\0' '\\n' < /proc/$$/environ | cut -d= -f1 | sort; cat`)
  await handler(
    box,
    'message/limits',
    'cat /proc/self/limits; grep NoNewPrivs /proc/self/status; cat /proc/self/cgroup; pwd'
  )
  const given = await asks(from, box, 'env', { Body: 'the body' })
  t.strictSame(given.Output.split('\n'), [
    'COTERIE_ASK',
    'COTERIE_CIRCLE',
    'COTERIE_CIRCLE_NAME',
    'COTERIE_EVENT',
    'COTERIE_FROM',
    'COTERIE_FROM_NAME',
    'COTERIE_FROM_SHORT',
    'COTERIE_ID',
    'COTERIE_RUN',
    'COTERIE_SENT',
    'COTERIE_SIZE',
    'COTERIE_TAG',
    'COTERIE_UNIT',
    'DBUS_SESSION_BUS_ADDRESS',
    'DISPLAY',
    'HOME',
    'LANG',
    'PATH',
    'USER',
    'XDG_RUNTIME_DIR',
    'the body'
  ])
  const { Output: limits, Id } = await asks(from, box, 'limits')
  for (const line of [
    /Max file size +1099511627776 /,
    /Max data size +268435456 /,
    /Max core file size +0 /,
    /NoNewPrivs:\s+1\n/,
    new RegExp(`/user@1000\\.service/.*/${unitOf(Id)}\n`),
    /\n\/home\/tester\/\.config\/coterie\/handlers\/message\n$/
  ])
    t.match(limits, line)

  t.comment('how it ends')
  await handler(box, 'message/fails', 'echo no >&2; exit 3')
  await handler(box, 'message/dies', 'kill -9 $$')
  await handler(box, 'message/asked-to', 'kill $$')
  await handler(box, 'message/hangs', 'trap "" TERM; sleep 7001 & sleep 7001')
  await handler(box, 'message/much', 'exec head -c 1G /dev/zero')
  await handler(box, 'message/eats', 'head -c 600M /dev/zero | tail -c 500M > /dev/null')
  await handler(box, 'message/forks', '(setsid sh -c "sleep 7002 & sleep 7002" &); sleep 0.2; echo left')
  for (const [tag, expected] of [
    ['fails', { State: 'dead', Reason: 'failed', Exit: 3 }],
    ['dies', { State: 'dead', Reason: 'killed' }],
    ['asked-to', { State: 'dead', Reason: 'killed' }],
    ['hangs', { State: 'dead', Reason: 'timeout' }],
    ['much', { State: 'dead', Reason: 'output' }],
    ['eats', { State: 'dead', Reason: 'failed', Exit: 1 }],
    ['forks', { State: 'done', Output: 'left\n' }]
  ] as const)
    t.match(await asks(from, box, tag), expected, tag)
  t.match(await ends(from, await sends(from, box, 'much')), { State: 'done' }, 'nobody asked')
  await box.until('nothing of it is left', async () => (await units(box)) === '' && (await runs(box)) === '')
  t.not((await box.tryUser(['pgrep', '-f', 'sleep 700[12]'])).code, 0, 'no process either')
  t.match(await box.user('journalctl --user -u coterie -o cat -n 100'), /handler ended with 3/)

  t.comment('the daemon is killed while it runs')
  const waits = (name: string, end: string) =>
    `echo run >> ~/ran; until [ -e ~/go-${name} ]; do sleep 0.1; done; echo went; ${end}`
  await sh(box, `rm -f ~/ran ~/go-*; printf '[handlers]\\ntimeout = 50\\n' > ${home}/coterie.toml`)
  await call(box, 'Reload')
  for (const [name, end] of [
    ['one', 'exit 4'],
    ['two', 'exit 5'],
    ['three', 'exit 0'],
    ['four', 'exit 0']
  ] as const)
    await handler(box, `message/${name}`, waits(name, end))
  await handler(box, 'message/again.retry', '[ $COTERIE_RUN = 2 ] || sleep 7003; echo run $COTERIE_RUN')
  const begins = async (tag: string) => {
    const id = await sends(from, box, tag, { Ask: true })
    await box.until(`${tag} runs`, async () => (await box.show(unitOf(id), 'SubState')) === 'running')
    return id
  }
  const one = await begins('one')
  const before = await pid(box)
  await box.user(`kill -9 ${before}`)
  await box.until('another daemon is there', async () => ![0, before].includes(await pid(box)))
  t.equal(await box.show(unitOf(one), 'SubState'), 'running')
  await sh(box, 'touch ~/go-one')
  t.match(await ends(from, one), { State: 'dead', Reason: 'failed', Exit: 4, Output: 'went\n' })

  t.comment('they end while no daemon runs')
  const [two, three] = [await begins('two'), await begins('three')]
  await systemctl(box, 'stop coterie.socket coterie.service')
  await sh(box, 'touch ~/go-two ~/go-three')
  await box.until('both ended', async () =>
    (await Promise.all([two, three].map(id => box.show(unitOf(id), 'SubState')))).every(
      state => state !== 'running'
    )
  )
  await systemctl(box, 'start coterie')
  t.match(await ends(from, two), { State: 'dead', Reason: 'failed', Exit: 5, Output: 'went\n' })
  t.match(await ends(from, three), { State: 'done', Output: 'went\n' })
  t.equal(await sh(box, 'cat ~/ran'), 'run\nrun\nrun', 'each ran once')
  await box.until('nothing is left', async () => (await units(box)) === '' && (await runs(box)) === '')

  t.comment('the user manager goes, as with a boot')
  const [four, again] = [await begins('four'), await begins('again')]
  await box.run('systemctl restart user@1000.service')
  await box.until('is back', async () => (await box.tryUser(['/host/bin/coterie', 'status'])).code === 0)
  t.match(await ends(from, four), { State: 'dead', Reason: 'unknown' })
  t.match(await ends(from, again), { State: 'done', Output: 'run 2\n' })

  t.comment('events; and one name is given once')
  await handler(box, 'daemon/started.sh', 'echo $COTERIE_EVENT $COTERIE_UNIT > ~/event')
  await systemctl(box, 'restart coterie')
  await box.until('is told', async () => (await box.tryUser(['test', '-s', '/home/tester/event'])).code === 0)
  t.match(await sh(box, 'cat ~/event'), /^started coterie-event-[0-9a-f-]+\.service$/)
  await box.until('the event is over', async () => (await units(box)) === '')
  t.equal(
    await box.user(['/host/node_modules/.bin/node', '/host/test/campaign/twice.ts']),
    'exit 6\nexit 6\nfirst'
  )

  t.comment('as plain processes, where that is wished')
  await sh(box, `printf '[handlers]\\nunits = false\\n' > ${home}/coterie.toml`)
  await call(box, 'Reload')
  t.equal((await call(box, 'Handlers')).Units, false)
  t.match((await asks(from, box, 'limits')).Output, /coterie\.service\n/)
}
