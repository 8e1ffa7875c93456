/** Which of several takes a message, one that will be there soon, and one that was gone before it got it. */
import t from 'tap'
import { Inbox, type InboxOptions } from '../../src/messages/inbox.ts'
import { ids } from '../mesh/drive.ts'

const [anna, ben] = [ids[0]!, ids[1]!]
const epoch = new Uint8Array(8)

function inbox(choose: InboxOptions['choose'], rows: InboxOptions['rows'] = []) {
  const core = new Inbox({ rows, floors: [], now: 0, wall: 0, choose })
  const receive = (seq: number, from = anna, tag = 'x') => {
    const id = Uint8Array.from({ length: 10 }, () => seq)
    const rest = { floor: 1, sentMs: 0, ttl: 60, ask: false, payload: new Uint8Array() }
    core.receive(0, 0, from, { id, epoch, seq, tag, ...rest })
  }
  const runs = () =>
    core
      .take()
      .outputs.flatMap(output => (output.type === 'run' ? [[output.received.seq, output.choice.key]] : []))
  const ends = (seq: number, ending: Parameters<Inbox['exited']>[3], from = anna) =>
    core.exited(0, 0, { from, epoch, seq }, ending)
  return { core, receive, runs, ends }
}
const done = { type: 'exit', code: 0, output: new Uint8Array() } as const

t.test('of two that serve a tag the free one takes the next', async t => {
  const { receive, runs, ends } = inbox((_from, _tag, isBusy) => ({
    key: isBusy('one') ? 'two' : 'one',
    retry: false
  }))
  for (let seq = 1; seq <= 3; seq++) receive(seq)
  receive(4, ben)
  t.same(runs(), [
    [1, 'one'],
    [2, 'two']
  ])
  ends(2, done)
  t.same(runs(), [[3, 'two']], 'in order')
  ends(1, done)
  t.same(runs(), [[4, 'one']])
})

t.test('one that will be there soon', async t => {
  let choice: ReturnType<InboxOptions['choose']> = 'wait'
  const { core, receive, runs } = inbox((_from, tag) => (tag === 'x' ? choice : { key: tag, retry: false }))
  receive(1)
  receive(2)
  receive(3, anna, 'y')
  t.same(runs(), [[3, 'y']], 'others need not wait')
  t.same(
    core.list.map(({ seq, state }) => [seq, state]),
    [
      [1, 'received'],
      [2, 'received'],
      [3, 'started']
    ]
  )
  choice = { key: 'program', retry: false }
  core.handlersChanged()
  t.same(runs(), [[1, 'program']])
  choice = 'no-handler'
  core.handlersChanged()
  t.same(
    core.list.map(({ seq }) => seq),
    [1, 3],
    'or it comes no more'
  )
})

t.test('one that was gone before it got the message', async t => {
  let key = 'one'
  const { receive, runs, ends } = inbox(() => ({ key, retry: false }))
  for (let seq = 1; seq <= 3; seq++) receive(seq)
  t.same(runs(), [[1, 'one']])
  key = 'two'
  ends(1, { type: 'unbegun' })
  t.same(runs(), [[1, 'two']], 'another one gets it, before all others')
  ends(1, done)
  t.same(runs(), [[2, 'two']])
})

t.test(
  'rows as they are stored: the one that was to run before is the last, as it was written last',
  async t => {
    const choose = () => ({ key: 'one', retry: false })
    const before = inbox(choose)
    for (let seq = 1; seq <= 3; seq++) before.receive(seq)
    const stored = new Map(before.core.list.map(received => [received.seq, received]))
    const first = { ...stored.get(1)!, state: 'received' as const }
    const { runs } = inbox(choose, [stored.get(2)!, stored.get(3)!, first])
    t.same(runs(), [[1, 'one']])
  }
)
