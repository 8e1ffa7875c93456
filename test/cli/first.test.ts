/** `coterie` alone, and what it says of how the daemon is started. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { nextLines, startLines } from '../../src/cli/first.ts'
import { lookOf } from '../../src/cli/print.ts'
import { starting } from '../../src/cli/starting.ts'
import { newStatus, readyStatus } from '../implementation.ts'
import { desk } from './command.ts'

const pipe = lookOf({ isTTY: false } as NodeJS.WriteStream, { LANG: 'C.UTF-8' })
const of = (columns: number) =>
  lookOf({ isTTY: true, columns } as NodeJS.WriteStream, { LANG: 'C.UTF-8', NO_COLOR: '1' })

t.test('where one is, and the step that follows', async t => {
  const { coterie, facts } = await desk(t)
  const said = async () => {
    const { code, out, err } = await coterie('')
    t.match({ code, err }, { code: 0, err: '' })
    return out.trimEnd().split('\n')
  }
  t.same(await said(), [
    'thinkpad in the circle home: 1 of 3 others reachable',
    '  ● desktop 1.2 ms  ○ nas unreachable  ○ phone unreachable',
    'More: coterie status, coterie top, coterie help'
  ])
  const ready = readyStatus()
  facts.status = { ...ready, Peers: [], Circle: { ...ready.Circle, Members: 1 } }
  t.same(await said(), [
    'thinkpad is the only device in the circle home so far.',
    '  coterie invite     shows a code here',
    '  coterie join CODE  lets another device in, typed there'
  ])
  facts.status = newStatus()
  t.same(await said(), [
    'thinkpad is in no circle yet, and speaks with nobody.',
    '  coterie init       starts a circle here',
    '  coterie join CODE  joins one, with the code that `coterie invite` shows there'
  ])
  facts.status = { ...newStatus(), Device: { Id: '', Name: 'thinkpad', State: 'locked' } }
  t.same(await said(), [
    'thinkpad is locked: its keys cannot be read now.',
    'coterie status and coterie doctor say more.'
  ])
  facts.status = { ...ready, Circle: { ...ready.Circle, Level: 0 } }
  t.match(await said(), [/thinkpad was removed from the circle home/, /coterie status/])
  t.same(
    facts.calls.map(c => c.method),
    Array(5).fill('Status')
  )
})

t.test('as many peers as fit', async t => {
  const ready = readyStatus()
  const Peers = Array.from({ length: 12 }, (_, i) => ({ ...ready.Peers[0]!, Name: `computer-${i}` }))
  const lines = (columns: number) => nextLines({ ...ready, Peers, Notes: ['one', 'two'] }, of(columns))
  t.equal(lines(60)[0], 'thinkpad in the circle home: 12 of 12 others reachable (2 notes: coterie status)')
  t.equal(lines(60)[1], '  ● computer-0 1.2 ms  ● computer-1 1.2 ms  and 10 more')
  for (const columns of [40, 60, 80, 200])
    t.ok(lines(columns)[1]!.length <= columns, `${columns} columns: ${lines(columns)[1]}`)
  t.match(lines(400)[1], /computer-11/)
})

t.test('how the daemon is started', async t => {
  const place = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(place, { recursive: true }))
  const write = (path: string) => {
    mkdirSync(dirname(join(place, path)), { recursive: true })
    writeFileSync(join(place, path), '')
  }
  const env = { HOME: place, XDG_RUNTIME_DIR: join(place, 'run') }
  const checkout = join(place, 'checkout/bin')
  write('checkout/package.json')
  const installed = join(place, 'usr/bin')
  t.match(starting(env, checkout), { command: 'npm start', what: /in another terminal, in .*\/checkout$/ })
  t.match(starting(env, installed), { command: 'coteried', what: /no systemd of yours/ })
  write('run/systemd/private')
  t.match(starting(env, checkout), { command: 'npm start' }, 'without units of its own')
  write('.config/systemd/user/coterie.service')
  const enable = { command: 'systemctl --user enable --now coterie', what: 'now, and whenever you log in' }
  t.same(starting(env, checkout), enable)
  t.same(starting(env, installed), enable)
  mkdirSync(join(place, '.config/systemd/user/default.target.wants'))
  symlinkSync('../coterie.service', join(place, '.config/systemd/user/default.target.wants/coterie.service'))
  t.match(starting(env, installed), { command: 'systemctl --user start coterie', what: /stopped or failed/ })
  t.same(startLines(enable, pipe), [
    'coteried does not run here. To start it:',
    '  systemctl --user enable --now coterie  now, and whenever you log in',
    'Then coterie says what comes next, and coterie help what there is.'
  ])
  t.same(startLines(enable, of(40)), [
    'coteried does not run here. To start it:',
    '  systemctl --user enable --now coterie',
    '    now, and whenever you log in',
    'Then coterie says what comes next, and coterie help what there is.'
  ])
})

t.test('without a daemon', async t => {
  const { coterie } = await desk(t, { daemon: false })
  t.match(await coterie(''), {
    code: 3,
    out: /^coteried does not run here\. To start it:\n {2}npm start {2}in another terminal, in .*\nThen coterie /,
    err: ''
  })
})
