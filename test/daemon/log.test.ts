import t from 'tap'
import { line } from '../../src/daemon/log.ts'

const record = (level: number, msg: string, facts: object = {}) =>
  JSON.stringify({ level, time: 1_700_000_000_000, msg, ...facts })

t.test('the journal gets its level, a terminal the time', async t => {
  t.equal(line(record(30, 'ready', { peers: 2 }), true), '<6>ready peers=2\n')
  t.equal(line(record(50, 'lost'), true), '<3>lost\n')
  t.match(line(record(40, 'slow', { why: 'a b' }), false), /^\d\d:\d\d:\d\d warn {2}slow why="a b"\n$/)
})

t.test('one record is one line', async t => {
  t.equal(line(record(30, 'a\nb', { c: 'd\ne' }), true), '<6>a\\nb c="d\\ne"\n')
})
