import t from 'tap'
import { type HandlerFile, Lookup } from '../../src/messages/lookup.ts'
import { namingOf } from '../../src/messages/naming.ts'

const file = (path: string, more: Partial<HandlerFile> = {}): HandlerFile => ({
  folder: '/handlers',
  order: 0,
  path,
  problem: '',
  ...more
})
const laptop = { names: new Set(['laptop', 'abcdefgh']) }
const phone = { names: new Set(['phone']) }

t.test('what a path names', async t => {
  const naming = { tag: '', peers: [], events: [], retry: false }
  const cases: [string, object | RegExp][] = [
    ['message/backup/start', { ...naming, family: 'message', tag: 'backup/start' }],
    ['message/backup/start.notify.sh', { ...naming, family: 'message', tag: 'backup/start' }],
    ['message/start.retry.py', { ...naming, family: 'message', tag: 'start', retry: true }],
    [
      'message/@laptop/backup/start',
      { ...naming, family: 'message', tag: 'backup/start', peers: ['laptop'] }
    ],
    ['peer/@laptop/seen.notify.sh', { ...naming, family: 'peer', peers: ['laptop'], events: ['seen'] }],
    ['peer/reachable.@laptop.sh', { ...naming, family: 'peer', peers: ['laptop'], events: ['reachable'] }],
    ['peer/log', { ...naming, family: 'peer' }],
    ['daemon/network/renew', { ...naming, family: 'daemon', events: ['network'] }],
    ['message/Backup', /Backup is no tag/],
    ['message/backup.old/start', /has a dot/],
    ['message/.hidden', /hidden or a backup/],
    ['message/start~', /hidden or a backup/],
    ['start', /not below message/],
    ['other/start', /not below message/]
  ]
  for (const [path, expected] of cases) {
    const found = namingOf(path)
    if (expected instanceof RegExp) t.match(found, expected, path)
    else t.same(found, expected, path)
  }
})

t.test('which handler a message goes to', async t => {
  const lookup = new Lookup([
    file('message/start.b'),
    file('message/start.a'),
    file('message/@laptop/start'),
    file('message/start', { order: 1 }),
    file('message/open', { problem: 'others may write it' }),
    file('notes.txt')
  ])
  t.match(lookup.message('start', laptop), {
    handler: { path: 'message/@laptop/start' },
    shadowed: [{ path: 'message/start.a' }, { path: 'message/start.b' }, { order: 1 }]
  })
  t.equal(lookup.message('start', phone).handler?.path, 'message/start.a')
  t.match(lookup.message('open', phone), { handler: undefined, unsafe: [{ path: 'message/open' }] })
  t.equal(lookup.message('none', phone).handler, undefined)
  t.match(lookup.strays, [{ file: { path: 'notes.txt' }, why: /not below/ }])
})

t.test('which handlers an event goes to', async t => {
  const lookup = new Lookup(
    ['peer/@laptop/seen.x', 'peer/log', 'peer/reachable', 'daemon/started', 'message/seen'].map(path =>
      file(path)
    )
  )
  const paths = (event: string, about = laptop) => lookup.event('peer', event, about).map(({ path }) => path)
  t.same(paths('seen'), ['peer/@laptop/seen.x', 'peer/log'])
  t.same(paths('seen', phone), ['peer/log'])
  t.same(paths('reachable', phone), ['peer/log', 'peer/reachable'])
  t.same(lookup.event('daemon', 'started', { names: new Set() }).length, 1)
})
