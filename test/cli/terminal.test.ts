import { existsSync } from 'node:fs'
import t from 'tap'
import { newStatus, TICKET } from '../implementation.ts'
import { desk } from './command.ts'

const skip = !existsSync('/usr/bin/script') && 'script (bsdutils) is not here'
const terminal = true
/** What is left when the colours are taken away. */
const bare = (text: string) => text.replace(/\x1b\[[\d;]*m/g, '')

t.test('on a terminal: colours, marks and headings', { skip }, async t => {
  const { coterie, facts } = await desk(t)
  const { out, code } = await coterie('status', { terminal })
  t.equal(code, 0)
  t.ok(out.includes('\x1b[32m'), 'colours')
  t.same(bare(out).trimEnd().split('\n'), [
    'thinkpad in the circle home',
    'first device · thinkpad · 1 of 3 others reachable',
    '',
    '  ● desktop  reachable     1.2 ms  192.168.1.20',
    '  ○ nas      unreachable           last seen 2 min ago · no answer',
    '  ○ phone    unreachable           not seen yet',
    '',
    '  Listening  eth0  192.168.1.5, fe80::5  announcing',
    '  port 24747 · network by NetworkManager · on the session bus · version 0.1.0'
  ])
  for (const [name, value] of [
    ['NO_COLOR', '1'],
    ['TERM', 'dumb']
  ] as const) {
    const plain = (await coterie('status', { terminal, env: { [name]: value } })).out
    t.notOk(plain.includes('\x1b'), name)
    t.equal(plain, bare(out))
  }
  const ascii = (await coterie('status', { terminal, env: { LANG: 'C' } })).out
  t.match(bare(ascii), /^ {2}\* desktop/m)
  t.match(ascii, /^[\x20-\x7e\n\x1b]*$/, 'only ASCII where the locale has no more')

  t.match(bare((await coterie('devices', { terminal })).out), /^NAME +LEVEL +ID +ADDED BY +SEEN +KEY\n/)
  t.match(bare((await coterie('peers', { terminal })).out), /^NAME +STATE +LATENCY +ID +ADDRESSES\n/)

  facts.status = newStatus()
  t.match(
    bare((await coterie('status', { terminal })).out),
    /^thinkpad is in no circle yet\.\n\n {2}coterie init +starts one here\n/
  )
})

t.test('the ticket on stdout, its picture on stderr', { skip }, async t => {
  const { coterie } = await desk(t)
  const { out } = await coterie('invite --ticket', { terminal })
  t.equal(out.split('\n')[0], TICKET, 'the line comes first')
  t.match(out, /█▀▀▀▀▀█/, 'a QR code')
  t.match(bare(out), /Good for one device, for 1 day\. Treat it like a password\.\n.*coterie join -/)
  t.match(bare((await coterie('init', { terminal })).out), /┃ 0123-4567-89AB/)
})

t.test('questions', { skip }, async t => {
  const { coterie, facts } = await desk(t)
  const ask = async (words: string, stdin: string) => {
    facts.calls = []
    const { code, out } = await coterie(words, { terminal, stdin })
    return { code, out: bare(out), called: facts.calls.map(c => c.method) }
  }
  t.match(await ask('remove desktop', 'n\n'), {
    code: 1,
    out: /desktop \(desktopp\): member, added by thinkpad\n {2}• It is removed for ever[\s\S]*\n {2}• The device it added stays: phone\.[\s\S]*\n {2}• Offline now, these hear of it when they meet any other device, before anything else: nas, phone\.\n.*Remove desktop for ever\? \[y\/N\][\s\S]*nothing was removed/,
    called: ['Devices']
  })
  t.match(await ask('remove desktop', '\n'), { code: 1 }, 'no is what silence means')
  t.match(await ask('remove desktop', 'y\n'), { code: 0, called: ['Devices', 'Remove'] })
  t.match(await ask('leave', 'no\n'), { code: 1, out: /nothing was changed/, called: ['Devices', 'Status'] })
  t.match(await ask('leave', 'yes\n'), {
    code: 0,
    out: /leaves the circle home[\s\S]*It is the only first device[\s\S]*2 devices it added stay\.[\s\S]*Leave home\?[\s\S]*2 other devices know/,
    called: ['Devices', 'Status', 'Leave']
  })
  t.match(await ask('leave --erase', 'yes\n'), {
    code: 0,
    out: /leaves the circle home[\s\S]*Erase the keys and all that this device keeps\?[\s\S]*are erased/
  })
  t.match(await ask('rename study', ''), {
    code: 0,
    out: /This device is now called study\.\n$/,
    called: ['Rename']
  })
  t.match(await ask('rekey', ''), { code: 0, out: /new static key/, called: ['Rekey'] })
  t.match(await ask('remove thinkpad', ''), { code: 1, out: /coterie leave/, called: ['Devices'] })
  t.match(await ask('join -', `${TICKET}\n`), {
    code: 0,
    out: /looking for the device that invited[\s\S]*now thinkpad in the circle home/,
    called: ['Join']
  })
})
