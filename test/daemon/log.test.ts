import t from 'tap'
import { type Level, line } from '../../src/daemon/log.ts'

const when = new Date(1_700_000_000_000)
const written = (level: Level, text: string, facts: object = {}, journal = true) =>
  line(level, text, facts, journal, when)

t.test('the journal gets its level, a terminal the time', async t => {
  t.equal(written('info', 'ready', { peers: 2 }), '<6>ready peers=2\n')
  t.equal(written('error', 'lost'), '<3>lost\n')
  t.match(written('warn', 'slow', { why: 'a b' }, false), /^\d\d:\d\d:\d\d warn {2}slow why="a b"\n$/)
})

t.test('one record is one line, whatever is in it', async t => {
  t.equal(written('info', 'a\nb', { c: 'd\ne' }), '<6>a\\nb c="d\\ne"\n')
  const circle: { self?: unknown } = {}
  circle.self = circle
  t.equal(
    written('info', 'odd', { big: 10n, none: undefined, circle }),
    '<6>odd big=10 none=undefined circle=[object Object]\n'
  )
  const error = written('error', 'failed', { error: new Error('of the disk') })
  t.match(error, /^<3>failed error="Error: of the disk/)
  t.equal(error.split('\n').length, 2)
})
