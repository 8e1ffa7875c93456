import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { MethodName } from '../../src/api/api.ts'
import { ApiError, VERSION } from '../../src/api/api.ts'
import { examples } from '../../src/api/reference.ts'
import { fakeFacts, fakeImplementation, ids, newStatus, TICKET } from '../implementation.ts'
import { bin, desk, run } from './command.ts'

const call = { signal: new AbortController().signal, progress: () => {}, reply: async () => {} }

t.test('--json prints exactly the record', async t => {
  const { coterie, facts } = await desk(t)
  const fake = fakeImplementation({ ...fakeFacts(), status: facts.status, devices: facts.devices })
  const table: [string, MethodName, object][] = [
    ['status', 'Status', { Circle: '', All: false }],
    ['status --all --circle work', 'Status', { Circle: 'work', All: true }],
    ['status --energy', 'Energy', {}],
    ['peers --circle work', 'Peers', { Circle: 'work' }],
    ['devices', 'Devices', { Circle: '' }],
    ['init', 'Init', { Name: '', Device: '', Another: false, KeyStore: '' }],
    [
      'init --name home --device thinkpad --key-store file',
      'Init',
      { Name: 'home', Device: 'thinkpad', Another: false, KeyStore: 'file' }
    ],
    ['circle create work', 'Init', { Name: 'work', Device: '', Another: true, KeyStore: '' }],
    ['circle use work', 'UseCircle', { Circle: 'work' }],
    ['rekey --circle home', 'Rekey', { Circle: 'home' }],
    ['rename study', 'Rename', { Circle: '', Name: 'study' }],
    ['remove desktop --yes --circle home', 'Remove', { Circle: 'home', Device: ids.desktop, Lost: false }],
    ['leave --yes', 'Leave', { Circle: '' }],
    ['leave --erase --yes', 'Erase', {}],
    ['ping desktop', 'Ping', { Circle: '', Peer: 'desktop', Count: 1 }],
    ['ping desktop --count 3', 'Ping', { Circle: '', Peer: 'desktop', Count: 3 }],
    ['wake desktop', 'Wake', { Circle: '', Peer: 'desktop', WaitUSec: 20_000_000 }],
    ['wake desktop --wait 2.5', 'Wake', { Circle: '', Peer: 'desktop', WaitUSec: 2_500_000 }],
    ['config', 'Config', {}],
    ['doctor', 'Doctor', {}],
    ['version', 'Version', {}],
    [
      'join - --device thinkpad --key-store file --yes',
      'Join',
      { Ticket: TICKET, Code: '', At: [], Device: 'thinkpad', TimeoutUSec: 0, KeyStore: 'file' }
    ],
    [
      'join K7QF-2M9X --at 192.168.1.5 --at [fe80::1%eth0]:24748',
      'Join',
      {
        Ticket: '',
        Code: 'K7QF-2M9X',
        At: ['192.168.1.5', '[fe80::1%eth0]:24748'],
        Device: '',
        TimeoutUSec: 0,
        KeyStore: ''
      }
    ]
  ]
  for (const [words, method, params] of table) {
    const { code, out, err } = await coterie(`${words} --json`, { stdin: `${TICKET}\n` })
    t.equal(code, 0, words)
    t.same(JSON.parse(out), await (fake[method] as (p: object, c: object) => unknown)(params, call))
    t.same(facts.calls.at(-1), { method, params })
    t.equal(err, '', 'nothing on stderr')
  }
  const made = await coterie('invite --ticket --level 2 --valid 1h30m --expires 2d --circle home --json')
  t.match(JSON.parse(made.out), { Ticket: TICKET, ExpiresUSec: Number })
  t.same(facts.calls.at(-1)?.params, {
    Circle: 'home',
    Level: 2,
    ExpiresInUSec: 5_400_000_000,
    GuestForUSec: 172_800_000_000
  })
})

t.test('streams print one record a line', async t => {
  const { coterie, facts } = await desk(t)
  const { code, out } = await coterie('watch --since boot-0 --json')
  t.equal(code, 0)
  t.same(
    out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line)),
    facts.events
  )
  t.same(facts.calls.at(-1)?.params, { Since: 'boot-0' })
  const again = await coterie(['call', 'Watch', '{"Since":""}'])
  t.equal(again.out, out, 'call streams too')
})

t.test('call', async t => {
  const { coterie, facts } = await desk(t)
  t.same(JSON.parse((await coterie('call Version')).out), { Version: VERSION })
  t.same(JSON.parse((await coterie(['call', 'Ping', '{"Peer":"desktop"}'])).out).Id, ids.desktop)
  t.match(JSON.parse((await coterie('call org.varlink.service.GetInfo')).out), { product: 'coteried' })
  const joined = await coterie('call Join -', { stdin: JSON.stringify({ Ticket: TICKET }) })
  t.equal(JSON.parse(joined.out).Id, ids.self, 'parameters from stdin: a ticket never in argv')
  t.same(await coterie('call Nothing'), {
    code: 1,
    out: '',
    err: 'coterie: the daemon answers MethodNotFound (org.coterie.Coterie1.Nothing)\n'
  })
  t.match(await coterie(['call', 'Ping', '{']), { code: 2, err: /not good JSON/ })
  t.match(await coterie(['call', 'Ping', '[]']), { code: 2, err: /a JSON object/ })
  t.match(await coterie(['call', 'Ping', '{"Count":1}']), { code: 1, err: /the field Peer is missing/ })
  t.equal(facts.calls.at(-1)?.method, 'Join')
})

t.test('the examples of the API page do what they say', async t => {
  const { coterie, facts } = await desk(t)
  for (const [method, { command }] of Object.entries(examples)) {
    const words = command.split(' ').slice(1)
    const { code } = await coterie(
      words.map(word => word.replace(/^'(.*)'$/, '$1')),
      { stdin: TICKET }
    )
    t.equal(code, method === 'Confirm' ? 1 : 0, command) // nothing is asked there
    t.equal(facts.calls.at(-1)?.method, method)
  }
})

t.test('exit codes, and sentences that help', async t => {
  const { coterie, facts } = await desk(t)
  const table: [string, number, RegExp][] = [
    ['statsu', 2, /unknown command 'statsu'\n\(Did you mean status\?\)/],
    ['status --bogus', 2, /unknown option '--bogus'/],
    ['ping', 2, /missing required argument 'peer'/],
    ['wake', 2, /missing required argument 'device'/],
    ['wake desktop --wait 0', 2, /--wait takes seconds, more than 0 and up to 60/],
    ['wake desktop --wait soon', 2, /not "soon"/],
    ['ping desktop --count 0', 2, /--count takes a number from 1, not "0"/],
    ['ping nas', 4, /nas cannot be reached/],
    ['ping eve', 1, /no member is called "eve"/],
    ['invite', 2, /no terminal to ask on; say --yes/],
    ['invite --json', 2, /no terminal to ask on; say --yes/],
    ['invite --yes --valid 1h', 2, /--valid goes with --ticket; a code is good for 10 minutes/],
    ['invite --yes --expires soon', 2, /--expires takes a duration such as 30m.*"soon"/],
    ['invite --ticket --valid soon', 2, /--valid takes a duration such as 30m.*"soon"/],
    ['invite --ticket --level ten', 2, /--level takes a number.*"ten"/],
    ['join', 2, /missing required argument/],
    [`join ${TICKET}`, 2, /does not belong on the command line.*coterie join -/],
    [`call Join {"Ticket":"${TICKET}"}`, 2, /does not belong on the command line/],
    [
      'join K7QF-2M9',
      2,
      /"K7QF-2M9" is no code, and there is no file of that name; a code is like K7QF-2M9X/
    ],
    ['join K7QF 2M9', 2, /"K7QF 2M9" is no code/],
    ['join /no/such/file', 1, /there is no file \/no\/such\/file/],
    ['join -', 1, /stdin has no code and no ticket/],
    ['remove desktop', 2, /no terminal to ask on; say --yes/],
    ['leave --erase', 2, /no terminal to ask on; say --yes/],
    ['leave --erase --circle home', 2, /--erase leaves all circles/],
    ['leave', 2, /no terminal to ask on; say --yes/]
  ]
  for (const [words, code, err] of table) {
    t.match(await coterie(words), { code, out: '', err }, `coterie ${words}`)
  }
  t.same(
    facts.calls.map(c => c.method),
    ['Ping', 'Ping'],
    'nothing else reached the daemon'
  )
  facts.fault = new ApiError('NoCircle', 'this device is in no circle yet; run coterie init')
  t.match(await coterie('devices'), {
    code: 1,
    err: 'coterie: this device is in no circle yet; run coterie init\n'
  })
  facts.fault = new Error('secret')
  t.match(await coterie('devices'), { code: 1, err: 'coterie: internal error\n' })
  for (const words of ['--help', 'help', 'invite --help', '--version']) {
    t.match(await coterie(words), { code: 0, err: '' }, words)
  }
})

const NOT_RUNNING =
  /^coterie: coteried is not running\. To start it:\n {2}npm start {2}\(in another terminal, in .+\)\n$/

t.test('without a daemon', async t => {
  const { coterie } = await desk(t, { daemon: false })
  for (const words of ['status', 'status --json', 'watch', 'init', 'version --json']) {
    t.match(await coterie(words), { code: 3, out: '', err: NOT_RUNNING }, words)
  }
  t.same(await coterie('version'), { code: 0, out: `coterie ${VERSION}\ncoteried is not running\n`, err: '' })
  const long = await coterie('status', { env: { XDG_RUNTIME_DIR: `/${'x'.repeat(120)}` } })
  t.match(long, { code: 1, err: /at most 107: set XDG_RUNTIME_DIR/ })
})

t.test('tickets come from stdin or a file', async t => {
  const { coterie, facts, directory } = await desk(t)
  const file = join(directory, 'ticket')
  for (const text of [TICKET, `\n  ${TICKET}\r\n\n`, `Here it is:\n${TICKET}\nBye\n`]) {
    writeFileSync(file, text)
    for (const [from, stdin] of [
      ['-', text],
      [file, '']
    ] as const) {
      facts.calls = []
      t.equal((await coterie(['join', from], { stdin })).code, 0)
      t.match(facts.calls, [{ method: 'Join', params: { Ticket: TICKET } }])
    }
  }
  t.match(await coterie('join - --at 192.168.1.5', { stdin: TICKET }), {
    code: 2,
    err: /--at goes with a code/
  })
  t.match(await coterie('join -', { stdin: 'coterie1:other' }), { code: 1, err: /mistyped/ })
  writeFileSync(file, 'x'.repeat(100_000))
  t.match(await coterie(['join', file]), { code: 1, err: /too long for a ticket/ })
  t.match(await coterie(['join', directory]), { code: 1, err: /cannot be read \(EISDIR\)/ })
})

t.test('plain text in a pipe', async t => {
  const { coterie, facts } = await desk(t)
  const monthAgo = new Date(facts.devices.Devices[2]!.LastSeenUSec / 1000).toISOString().slice(0, 10)
  const lines = async (words: string) => (await coterie(words)).out.trimEnd().split('\n')
  t.same(await lines('peers'), [
    'desktop  reachable     1.2 ms  desktopp  192.168.1.20 fe80::20%eth0',
    'nas      unreachable           nasnasna',
    'phone    unreachable           phonepho'
  ])
  t.same(await lines('devices'), [
    'thinkpad  first device  thinkpad            this device  12 d',
    'desktop   member        desktopp  thinkpad  reachable    12 d',
    `nas       member        nasnasna  thinkpad  ${monthAgo}   12 d   stale`,
    'phone     guest         phonepho  desktop   never        today  until 2099-11-30'
  ])
  t.same(await lines('rename study'), ['This device is now called study.'])
  t.match(await lines('rekey'), [/^This device has a new static key/])
  t.same(await lines('remove desktop --yes'), ['desktop (desktopp) is removed.'])
  t.same(await lines('leave --yes'), ['This device has left; 2 other devices know.'])
  t.match(await lines('leave --erase --yes'), [
    'Keys and data of this device are erased; 2 other devices know.',
    /^Configuration and handlers stay in .*coterie\. To end/,
    '  systemctl --user disable --now coterie.service coterie.socket'
  ])
  t.same(await lines('ping desktop --count 2'), [
    'desktop (192.168.1.20): 1.2 ms',
    'desktop (192.168.1.20): 1.2 ms',
    'by UDP to 192.168.1.20: 0.70 ms to 0.90 ms, 1 of 3 lost',
    'by UDP to fe80::1%eth0: no answer'
  ])
  t.same(await lines('invite --ticket'), [TICKET], 'the one line, and nothing else')
  t.equal((await coterie('invite --ticket')).err, '')
  t.same(await lines('config'), [
    '# /home/me/.config/coterie/coterie.toml',
    '',
    '[network]',
    'port = 24747',
    'only = []',
    '',
    '[dbus]',
    'control = true'
  ])
  const watched = await lines('watch')
  t.match(watched, [
    /^\d\d:\d\d:\d\d {2}desktop {2}reachable {2}1\.2 ms {2}192\.168\.1\.20$/,
    /^\d\d:\d\d:\d\d {2}desktop {2}unreachable {2}connection closed$/,
    /changes were missed here/
  ])
  const init = await coterie('init --name home')
  t.match(init.out, /^ {2}0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ-0000$/m)
  t.match(init.out, /Write it down on paper/)
  t.notOk((init.out + watched.join()).includes('\x1b'), 'no escape sequences')
  facts.status = newStatus()
  t.match(await coterie('status'), {
    code: 0,
    out: /in no circle yet[\s\S]*coterie init[\s\S]*coterie join CODE/
  })
})

t.test('a reader that has seen enough is no fault', async t => {
  const { environment, facts } = await desk(t)
  facts.status = { ...facts.status, Notes: ['x'.repeat(1_000_000)] } // more than a pipe holds
  const script = `'${bin}/coterie' status --json | head -c 1; exit "\${PIPESTATUS[0]}"`
  t.match(await run('bash', ['-c', script], { env: environment }), { code: 0, out: '{', err: '' })
})

t.test('interrupting a command cancels its call', async t => {
  const { facts, environment } = await desk(t)
  const aborted = Promise.withResolvers<string>()
  facts.onAborted = aborted.resolve
  facts.watchEnds = false
  const child = spawn(join(bin, 'coterie'), ['watch'], { env: environment })
  child.stdout.once('data', () => child.kill('SIGINT'))
  t.equal(await aborted.promise, 'Watch')
})

t.test('doctor ends with 1 when something failed', async t => {
  const { coterie, facts } = await desk(t)
  const well = await coterie('doctor')
  t.match(well, { code: 0, err: '' })
  t.equal(
    well.out,
    [
      '✓ key-store  The key is in the keyring.',
      '▲ swap       Memory may be swapped to a disk.',
      '             → use zram',
      ''
    ].join('\n')
  )
  facts.checks.push({ Name: 'files', State: 'failed', Text: 'others\u202e can read it.', Mend: 'chmod' })
  const ill = await coterie('doctor')
  t.match(ill, { code: 1, out: /✗ files {6}others\ufffd can read it\.\n.*→ chmod/ })
  const record = await coterie('doctor --json')
  t.equal(record.code, 1)
  t.same(JSON.parse(record.out), { Checks: facts.checks })
})
