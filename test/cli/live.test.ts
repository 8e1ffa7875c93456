/** `coterie top` on a terminal: what it takes it gives back, however it ends. */
import t from 'tap'
import { lacking } from '../command.ts'
import { ids } from '../implementation.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { Terminal } from '../terminal.ts'
import { bin, desk } from './command.ts'

const skip = lacking('python3')
t.setTimeout(FILE_MS)
const program = `${bin}/coterie`

/** Running, with the first picture. */
async function shown(t: Parameters<typeof desk>[0], size: { rows?: number; columns?: number } = {}) {
  const all = await desk(t)
  all.facts.watchEnds = false
  all.facts.events.pop() // the gap
  const terminal = new Terminal(t, [program, 'top'], { ...size, env: all.environment })
  await terminal.shows('the peers', /desktop[\s\S]*phone[\s\S]*\? help/)
  return { ...all, terminal }
}
const given = (terminal: Terminal) => ({
  alternate: terminal.display.alternate,
  cursor: terminal.display.cursor,
  wraps: terminal.text.lastIndexOf('\x1b[?7h') > terminal.text.lastIndexOf('\x1b[?7l')
})
const BACK = { alternate: false, cursor: true, wraps: true }

t.test('it is given back at each end', { skip }, async t => {
  const ends: [string, (terminal: Terminal) => void, string][] = [
    ['q', terminal => terminal.type('q'), 'ended 0, echo on'],
    ['Ctrl-C', terminal => terminal.type('\x03'), 'ended 0, echo on'],
    ['SIGTERM', terminal => terminal.signal('TERM'), 'ended -15, echo on'],
    ['SIGHUP', terminal => terminal.signal('HUP'), 'ended -1, echo on'],
    ['SIGINT', terminal => terminal.signal('INT'), 'ended -2, echo on'],
    ['SIGQUIT', terminal => terminal.signal('QUIT'), 'ended -3, echo on']
  ]
  const one = async ([name, end, how]: (typeof ends)[number]) => {
    const { terminal } = await shown(t)
    t.same(given(terminal), { alternate: true, cursor: false, wraps: false }, `${name}: it has the screen`)
    end(terminal)
    t.equal(await terminal.ended(), how, name)
    t.same(given(terminal), BACK, name)
  }
  await Promise.all(ends.slice(0, 3).map(one))
  await Promise.all(ends.slice(3).map(one))
})

t.test('a fault of its own is told below the prompt', { skip }, async t => {
  const { environment, facts } = await desk(t)
  facts.watchEnds = false
  // what nobody expects: the daemon answers with something else than it should
  facts.status = {
    ...facts.status,
    Peers: [{ ...facts.status.Peers[0]!, Addresses: undefined as unknown as string[] }]
  }
  const terminal = new Terminal(t, [program, 'top'], { env: environment })
  t.equal(await terminal.ended(), 'ended 1, echo on')
  t.same(given(terminal), BACK)
  t.match(terminal.text.slice(terminal.text.lastIndexOf('\x1b[?1049l')), /TypeError/)
})

t.test('stopped, continued, resized', { skip }, async t => {
  const { terminal } = await shown(t)
  terminal.type('\x1a')
  t.equal(await terminal.ended(), 'ended stopped, echo on')
  t.same(given(terminal), BACK)
  terminal.signal('CONT')
  await terminal.shows('the peers again', lines => terminal.display.alternate && /desktop/.test(lines[3]!))
  terminal.signal('TSTP')
  t.equal(await terminal.ended(), 'ended stopped, echo on')
  terminal.signal('CONT')
  await terminal.shows('the peers again', lines => terminal.display.alternate && /desktop/.test(lines[3]!))
  terminal.resize(12, 44)
  await terminal.shows('the keys in the last row', lines => lines.length === 12 && /^q quit/.test(lines[11]!))
  t.notMatch(terminal.display.lines.join('\n'), /LAST/, 'no bars where there is no room')
  terminal.resize(40, 140)
  await terminal.shows('more', lines => lines.length === 40 && /LAST 3 MIN/i.test(lines.join('\n')))
  terminal.type('q')
  t.equal(await terminal.ended(), 'ended 0, echo on')
})

t.test('keys ask the daemon', { skip }, async t => {
  const { terminal, facts } = await shown(t, { columns: 100 })
  terminal.type('j')
  await terminal.shows('the second chosen', /^› *○ nas/m)
  terminal.type('w')
  await terminal.shows('why', /^why nas[\s\S]*nas is unreachable[\s\S]*sudo ufw allow/)
  t.match(facts.calls.at(-1), { method: 'Why', params: { Peer: ids.nas } })
  terminal.type('q')
  await terminal.shows('the peers', /^› *○ nas/m)
  terminal.type('p')
  await terminal.shows('that it is not there', /· ping nas: nas cannot be reached now/)
  terminal.type('kp')
  await terminal.shows('how long it took', /· desktop \(.*\): 1\.2 ms\n.*by UDP/)
  terminal.type('j')
  terminal.type('W')
  await terminal.shows('who woke it', /sent the packet that wakes/)
  terminal.type('?')
  await terminal.shows('help', /^coterie top[\s\S]*select a device/)
  terminal.type('\x1b')
  await terminal.shows('the peers', /^› *○ nas/m)
  terminal.type('r')
  await terminal.shows('nothing else', /^› *○ nas/m)
  terminal.type('q')
  t.equal(await terminal.ended(), 'ended 0, echo on')
})

t.test('where it cannot be drawn', { skip }, async t => {
  const { coterie, environment } = await desk(t)
  t.match(await coterie('top'), { code: 2, out: '', err: /^coterie: top needs a terminal .*`coterie watch`/ })
  const dumb = new Terminal(t, [program, 'top'], { env: { ...environment, TERM: 'dumb' } })
  t.equal(await dumb.ended(), 'ended 2, echo on')
  t.notMatch(dumb.text, /\x1b/)
  const nobody = await desk(t, { daemon: false })
  const alone = new Terminal(t, [program, 'top'], { env: nobody.environment })
  t.equal(await alone.ended(), 'ended 3, echo on')
  t.notMatch(alone.text, /\x1b/)
  t.match(alone.text, /coteried is not running\. To start it:/)
})
