import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import type { Agents } from '../../src/daemon/joining/agents.ts'
import { CODE, joiner, TICKET } from '../implementation.ts'
import { bin, desk, typed } from './command.ts'

const skip = !existsSync('/usr/bin/script') && 'script (bsdutils) is not here'
const methodsOf = (calls: { method: string }[]) => calls.map(c => c.method)
const QUESTION = /tablet \(tabletta\) wants to join as member\. Accept\? \[Y\/n\] $/

t.test('in a pipe: the code first, who joined last, all else beside it', async t => {
  const { coterie, facts } = await desk(t)
  const { code, out, err } = await coterie('invite --yes --level 10 --circle home')
  t.equal(code, 0)
  t.same(out.split('\n'), [CODE, 'tablet (tabletta) has joined as member.', ''])
  t.equal(err, '▲ a wrong code was tried; 2 tries are left\n')
  t.same(facts.calls, [
    {
      method: 'Invite',
      params: { Circle: 'home', Level: 10, GuestForUSec: 0, Confirmed: true, Ask: false }
    }
  ])
  t.match(await coterie('invite --yes --expires 2d'), { out: /has joined as guest for 2 days\.\n$/ })
  t.match(facts.calls.at(-1)?.params, { GuestForUSec: 172_800_000_000 })
})

t.test('the code is there before anything else happens', async t => {
  const { environment, facts } = await desk(t)
  const seen = Promise.withResolvers<void>()
  const { begin } = facts
  facts.begin = async (invitation, signal) => {
    invitation.onEvent({ type: 'open', code: CODE, expiresUSec: (Date.now() + 600_000) * 1000 })
    await seen.promise
    return begin({ ...invitation, onEvent: () => {} }, signal)
  }
  const child = spawn(join(bin, 'coterie'), ['invite', '--yes'], { env: environment })
  child.stdout.setEncoding('utf8').once('data', text => {
    t.equal(text, `${CODE}\n`)
    seen.resolve()
  })
  t.equal(await new Promise(resolve => child.on('close', resolve)), 0)
})

t.test('where it is not announced is said', async t => {
  const { coterie, facts } = await desk(t)
  const { begin } = facts
  facts.begin = async (invitation, signal) => {
    const onEvent: typeof invitation.onEvent = event => {
      invitation.onEvent(event)
      if (event.type === 'open') invitation.onEvent({ type: 'unannounced', interfaces: ['wlan0', 'eth1'] })
    }
    return begin({ ...invitation, onEvent }, signal)
  }
  const { err } = await coterie('invite --yes')
  t.match(err, /^▲ not announced on wlan0, eth1: from there `coterie join` needs --at and an address/)
  const { out } = await coterie('invite --yes --json')
  t.same(JSON.parse(out.split('\n')[1]!), { Unannounced: ['wlan0', 'eth1'] })
})

t.test('JSON: one object a line', async t => {
  const { coterie } = await desk(t)
  const { code, out, err } = await coterie('invite --yes --json')
  t.equal(code, 0)
  t.equal(err, '')
  t.match(
    out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line)),
    [{ Code: CODE, ExpiresUSec: Number }, { TriesLeft: 2 }, { Id: joiner.id, Name: 'tablet', Level: 10 }]
  )
})

t.test('how it may end', async t => {
  const { coterie, facts } = await desk(t)
  facts.begin = async () => {
    throw new ApiError('CodeEnded', 'the code has expired; nobody has joined with it')
  }
  t.match(await coterie('invite --yes'), { code: 1, out: '', err: /^coterie: the code has expired/ })
  facts.fault = new ApiError('NoInvitation', 'no open invitation was found')
  t.match(await coterie('join K7QF-2M9X'), {
    code: 4,
    out: '',
    err: /^coterie: no open invitation was found/
  })
})

t.test('on a terminal: the code, the question, the end', { skip }, async t => {
  const { environment, facts } = await desk(t)
  const ask = async (...lines: [RegExp, string | (() => unknown)][]) => {
    facts.calls = []
    return { ...(await typed('invite', environment, lines)), called: methodsOf(facts.calls) }
  }
  const yes = await ask([QUESTION, '\r'])
  t.match(yes, { code: 0, called: ['Invite', 'Confirm'] }, yes.out)
  t.match(yes.out, / {2}│ {3}K7QF-2M9X {3}│\n/)
  t.match(
    yes.out,
    /On the other device: {2}coterie join K7QF-2M9X\nGood for one device, for 10 minutes\. Ctrl-C/
  )
  t.match(yes.out, /waiting for a device to join · 10:00 left/)
  t.match(yes.out, /▲ a wrong code was tried; 2 tries are left\n/)
  t.match(yes.out, /tablet \(tabletta\) has joined as member\.\n/)
  t.match(await ask([QUESTION, 'maybe\r'], [QUESTION, 'Yes\r']), { code: 0, called: ['Invite', 'Confirm'] })
  for (const no of ['n\r', 'NO\r', '\x04'])
    t.match(await ask([QUESTION, no]), {
      code: 1,
      out: /tablet was not let in/,
      called: ['Invite', 'Confirm']
    })
  const json = await typed('invite --json', environment, [[/Accept\? \[Y\/n\] $/, 'y\r']])
  t.match(
    json.out,
    /^\{"Code":"K7QF-2M9X","ExpiresUSec":\d+\}\n\{"TriesLeft":2\}\n\{"Request":"\w+","Id":"co1tab/
  )
  t.match(
    json.out,
    /\n\{"Request":"\w+","Answer":"accepted","By":"caller"\}\n\s*\{"Id":"co1tab\w+","Name":"tablet","Level":10\}\n/
  )
})

t.test('keys that were pressed before the question are no answer', { skip }, async t => {
  const { environment, facts } = await desk(t)
  const early = Promise.withResolvers<void>()
  const { begin } = facts
  facts.begin = async (invitation, signal) => {
    invitation.onEvent({ type: 'open', code: CODE, expiresUSec: (Date.now() + 600_000) * 1000 })
    await early.promise
    return begin({ ...invitation, onEvent: () => {} }, signal)
  }
  const { code, out } = await typed('invite', environment, [
    [/waiting for a device/, 'y\r'],
    // the terminal has echoed it
    [/\n/, early.resolve],
    [QUESTION, 'n\r']
  ])
  t.equal(code, 1, out)
  t.match(out, /tablet was not let in/)
})

t.test('answered elsewhere', { skip }, async t => {
  const { environment, facts } = await desk(t)
  const asked = Promise.withResolvers<boolean>()
  const agents = { name: 'agent', there: async () => true, ask: () => asked.promise } as unknown as Agents
  facts.prompts = { agents, askers: [] }
  const { code, out } = await typed('invite', environment, [[QUESTION, () => asked.resolve(true)]])
  t.equal(code, 0, out)
  t.match(out, /▲ letting tablet in: so it was answered on the desktop\n/)
  t.same(methodsOf(facts.calls), ['Invite'])
})

t.test('Ctrl-C ends the invitation on the daemon', { skip }, async t => {
  const { environment, facts } = await desk(t)
  const aborted = Promise.withResolvers<string>()
  facts.onAborted = aborted.resolve
  const cancelled = /coterie: cancelled; the code is good no more, and nobody has joined\n/
  const { code, out } = await typed('invite', environment, [[QUESTION, '\x03']])
  t.equal(code, 1, out)
  t.match(out, cancelled)
  t.equal(await aborted.promise, 'Invite')
  t.notOk(methodsOf(facts.calls).includes('Confirm'))

  const child = spawn(join(bin, 'coterie'), ['invite', '--yes'], { env: environment })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', text => (err += text))
  facts.begin = (invitation, signal) =>
    new Promise((_, reject) => {
      invitation.onEvent({ type: 'open', code: CODE, expiresUSec: 0 })
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  child.stdout.once('data', () => child.kill('SIGINT'))
  t.equal(await new Promise(resolve => child.on('close', resolve)), 1)
  t.match(err, cancelled)
})

t.test('codes as people type them, and where they come from', async t => {
  const { coterie, facts } = await desk(t)
  const params = async (words: string | string[], stdin = '') => {
    facts.calls = []
    const { code, err } = await coterie(words, { stdin })
    t.equal(code, 0, err)
    return facts.calls[0]?.params
  }
  for (const words of ['join K7QF-2M9X', 'join k7qf2m9x', 'join K7QF 2M9X'])
    t.match(await params(words), { Ticket: '', Code: /^k7qf-?2m9x$/i, At: [] }, words)
  for (const stdin of ['K7QF-2M9X\n', '\n  k7qf 2m9x \r\n'])
    t.match(await params('join -', stdin), { Ticket: '', Code: /^k7qf[- ]?2m9x$/i })
  t.match(await params('join -', `${TICKET}\n`), { Ticket: TICKET, Code: '' })
  t.match(await coterie('join AAAA-AAAA'), { code: 1, out: '', err: /2 tries are left/ })
})

t.test('an interrupted join', { skip }, async t => {
  const { environment, facts } = await desk(t)
  facts.gate = new Promise(() => {})
  const aborted = Promise.withResolvers<string>()
  facts.onAborted = aborted.resolve
  const { code, out } = await typed('join K7QF-2M9X', environment, [[/looking for the device/, '\x03']])
  t.equal(code, 1)
  t.match(out, /coterie: cancelled; this device has not joined\n/)
  t.equal(await aborted.promise, 'Join')
})
