import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lostLines } from '../../src/cli/consequences.ts'
import { momentOf } from '../../src/cli/recovery.ts'
import { fakeFacts, ids } from '../implementation.ts'
import { bin, desk } from './command.ts'

const CODE = '0471-PA1N-897N-RTBP-GE89-VANQ-RK8X-XTZR-57Q4'
const SHARE = '05DV-C4BC-S8W5-NV3J-R2S2-STKR-V8PA-5M02-SJN3-HPMC-E4E9'
const skip = !existsSync('/usr/bin/script') && 'script (bsdutils) is not here'
const bare = (text: string) => text.replace(/\x1b\[[\d;]*m/g, '')

t.test('the code comes on stdin, never as an argument', async t => {
  const { coterie, facts } = await desk(t)
  t.match(await coterie('recovery verify', { stdin: `\n ${CODE}\n` }), {
    code: 0,
    out: 'This is the recovery code of the circle home.\n'
  })
  t.same(facts.calls, [{ method: 'VerifyRecovery', params: { Circle: '', Code: CODE, Shares: [] } }])
  t.match(await coterie('recovery verify --json --circle home', { stdin: `${SHARE}\n${SHARE}\n` }), {
    code: 0,
    out: /"Name": "home"/
  })
  t.same(facts.calls.at(-1)?.params, { Circle: 'home', Code: '', Shares: [SHARE, SHARE] })
  t.match(await coterie('recovery verify'), { code: 1, err: /stdin has no recovery code/ })
  facts.calls = []
  for (const secret of [CODE, SHARE]) {
    const { code, err } = await coterie(['recovery', 'verify', secret])
    t.equal(code, 2)
    t.match(err, /does not belong on the command line/)
    t.notOk(err.includes(secret.slice(0, 9)))
  }
  t.same(facts.calls, [])
})

t.test('use: with --yes it is done and told', async t => {
  const { coterie, facts } = await desk(t)
  const { code, out } = await coterie(
    'recovery use --remove desktop --remove tablet --since 2d --lost --yes',
    {
      stdin: CODE
    }
  )
  t.equal(code, 0)
  t.same(out.split('\n').slice(0, -1), [
    '  desktop   desktopp  is removed, for ever',
    '  phone     phonepho  is no member any more: what added it becomes void',
    '  nas       nasnasna  comes back as member: what removed it becomes void',
    '  thinkpad  thinkpad  becomes first device (was member)',
    'Done: 4 devices changed. The others follow as they meet this device.'
  ])
  const params = facts.calls[0]?.params as { SinceUSec: number }
  t.match(params, { Code: CODE, Remove: ['desktop', 'tablet'], Lost: true, Preview: false })
  t.ok(Math.abs(Date.now() - 2 * 86_400_000 - params.SinceUSec / 1000) < 60_000)
  t.match(JSON.parse((await coterie('recovery use --yes --json', { stdin: CODE })).out), {
    Changes: [{ Id: ids.desktop, Change: 'removed' }, {}, {}, {}]
  })
})

t.test('use: what it refuses before it asks anybody', async t => {
  const { coterie, facts } = await desk(t)
  t.match(await coterie('recovery use', { stdin: CODE }), { code: 2, err: /recovery use … --yes/ })
  t.match(await coterie('recovery use --since 2d --yes', { stdin: CODE }), { code: 2, err: /--remove/ })
  t.match(await coterie('recovery use --lost --yes', { stdin: CODE }), {
    code: 2,
    err: /--lost is about removed/
  })
  t.match(await coterie('recovery use --remove x --since soon --yes', { stdin: CODE }), {
    code: 2,
    err: /--since takes a duration/
  })
  t.same(facts.calls, [])
  const now = Date.UTC(2026, 10, 21)
  t.equal(momentOf('12h', now), (now - 43_200_000) * 1000)
  t.equal(momentOf('2026-11-20T18:00Z', now), Date.UTC(2026, 10, 20, 18) * 1000)
  t.throws(() => momentOf('2027-01-01', now), /lies in the future/)
})

t.test('a lost device: removed with a flag, opened again with the code', async t => {
  const { coterie, facts } = await desk(t)
  t.match(await coterie('remove desktop --lost --yes'), { code: 0 })
  t.match(facts.calls.at(-1), { method: 'Remove', params: { Lost: true } })
  t.match(await coterie('recovery unlock', { stdin: CODE }), {
    code: 0,
    out: /keys of the circle home on this device are open again[\s\S]*It stays removed, for ever/
  })
  t.match(facts.calls.at(-1), { method: 'UnlockCircle', params: { Code: CODE } })
})

t.test('split and share', async t => {
  const { coterie, facts } = await desk(t)
  const done = await coterie('recovery split desktop nas phone', { stdin: CODE })
  t.equal(done.code, 0)
  t.match(done.out, /Each of desktop, nas, phone holds a share now[\s\S]*forget an older share: tablet/)
  t.match(facts.calls.at(-1), {
    method: 'SplitRecovery',
    params: { Code: CODE, Devices: ['desktop', 'nas', 'phone'] }
  })
  t.match(await coterie('recovery split desktop nas', { stdin: CODE }), {
    code: 2,
    err: /three devices, not 2/
  })
  const held = await coterie('recovery share')
  t.equal(held.out, `${SHARE}\n`, 'only the share on stdout')
  t.match(held.err, /Whoever has this and one more share has the recovery code.*desktop, nas, phone/)
})

t.test('what --lost means is told plainly', async t => {
  const device = (Name: string, Level: number, more = {}) => ({
    ...fakeFacts().devices.Devices[1]!,
    Name,
    Level,
    Self: false,
    Reachable: false,
    ...more
  })
  const first = device('pc', 1, { Self: true })
  const lines = (own: typeof first, target: typeof first) => lostLines([own, target], target).join('\n')
  t.match(lines(first, device('phone', 10)), /phone locks its keys when it meets any device that knows/)
  t.match(
    lines(first, device('phone', 10, { Reachable: true })),
    /phone is online: it locks its keys at once/
  )
  t.match(lines(first, device('phone', 10)), /If it never comes online again.*stays as it is/)
  t.match(lines({ ...first, Level: 2 }, device('phone', 10)), /--lost locks nothing from here/)
})

/** Types each line when its prompt has come, on a terminal that echoes. */
function typed(words: string, environment: { [name: string]: string }, lines: readonly [RegExp, string][]) {
  const child = spawn('script', ['-qec', `${join(bin, 'coterie')} ${words}`, '/dev/null'], {
    env: environment
  })
  let out = ''
  let from = 0
  let next = 0
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
    const [prompt, line] = lines[next] ?? []
    if (prompt === undefined || !prompt.test(out.slice(from))) return
    from = out.length
    next++
    child.stdin.write(line)
  })
  return new Promise<{ code: number | null; out: string }>(resolve => {
    child.on('close', code => resolve({ code, out: bare(out).replaceAll('\r\n', '\n') }))
  })
}

t.test('on a terminal the code is not shown, and the meaning is', { skip }, async t => {
  const { environment, facts } = await desk(t)
  const ask = async (words: string, ...lines: [RegExp, string][]) => {
    facts.calls = []
    const { code, out } = await typed(words, environment, lines)
    return { code, out, called: facts.calls.map(c => c.method) }
  }
  const first = /or one of two shares \(not shown\): $/
  const used = await ask('recovery use --remove desktop', [first, `${CODE}\r`], [/y\/N\] /, 'y\r'])
  t.equal(used.code, 0, used.out)
  t.same(used.called, ['UseRecovery', 'Devices', 'UseRecovery'])
  t.match(
    used.out,
    /It means:\n {2}desktop +desktopp +is removed, for ever\n[\s\S]*Do this, for ever\? \[y\/N\]/
  )
  t.notOk(used.out.includes('0471'), 'it is not echoed')
  t.match(facts.calls[0], { params: { Code: CODE } })
  const no = await ask('recovery use --remove desktop', [first, `${CODE}\r`], [/y\/N\] /, 'n\r'])
  t.match(no, { code: 1, out: /nothing was changed/, called: ['UseRecovery', 'Devices'] })
  const shares = await ask('recovery verify', [first, `x\x7f${SHARE}\r`], [/other share/, `${SHARE}\r`])
  t.match(shares, { code: 0 })
  t.notOk(shares.out.includes('05DV'), JSON.stringify(shares.out))
  t.match(await ask('recovery verify', [first, '\r']), { code: 1, out: /nothing was typed/, called: [] })
  t.match(await ask('recovery verify', [first, '0471\x03']), { code: 1, called: [] })
})
