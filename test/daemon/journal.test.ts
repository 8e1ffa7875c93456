import t from 'tap'
import { Journal } from '../../src/daemon/circle/journal.ts'
import type { Write } from '../../src/host/database.ts'

const write = (key: string): Write => ({ put: { table: 'setting', key, value: '' } })
const keyOf = (writes: readonly Write[]) =>
  writes.map(w => ('put' in w && w.put.table === 'setting' ? w.put.key : '?')).join()

/** A journal whose commits end when the test says so. */
function journal() {
  const done: string[] = []
  const trouble: string[] = []
  const commits: { key: string; end(error?: Error): void }[] = []
  const made = new Journal(
    writes =>
      new Promise((resolve, reject) => {
        commits.push({ key: keyOf(writes), end: error => (error ? reject(error) : resolve()) })
      }),
    error => trouble.push(error?.message ?? 'well again')
  )
  const carry = (name: string, ...writes: Write[]) => made.carry(writes, () => done.push(name))
  return { made, done, trouble, commits, carry }
}
const settle = () => new Promise(resolve => setImmediate(resolve))

t.test('what has nothing to write goes at once, unless something waits', async t => {
  const { made, done, commits, carry } = journal()
  carry('one')
  t.same(done, ['one'])
  t.notOk(made.busy)
  carry('two', write('a'))
  carry('three')
  carry('four', write('b'))
  carry('five')
  await settle()
  t.same(done, ['one'])
  t.same(
    commits.map(({ key }) => key),
    ['a'],
    'one transaction after the other'
  )
  commits[0]!.end()
  await settle()
  t.same(done, ['one', 'two', 'three'])
  t.ok(made.busy)
  commits[1]!.end()
  await made.settled()
  t.same(done, ['one', 'two', 'three', 'four', 'five'])
  t.notOk(made.busy)
  carry('six')
  t.equal(done.at(-1), 'six', 'at once again')
})

t.test('a failed commit is tried again; nothing overtakes it', async t => {
  const { made, done, trouble, commits, carry } = journal()
  carry('one', write('a'))
  carry('two', write('b'))
  await settle()
  const committed = made.committed()
  commits[0]!.end(new Error('full'))
  await t.rejects(committed, { message: 'full' }, 'who cannot wait is told')
  await t.rejects(made.committed(), { message: 'full' }, 'also later')
  t.same(done, [])
  t.same(trouble, ['full'])
  while (commits.length < 2) await settle()
  t.equal(commits[1]!.key, 'a')
  commits[1]!.end()
  await settle()
  t.same(trouble, ['full', 'well again'])
  t.same(done, ['one'])
  commits[2]!.end()
  await made.committed()
  t.same(done, ['one', 'two'])
})

t.test('when it is stopped nothing is sent or tried any more', async t => {
  const { made, done, commits, carry } = journal()
  carry('one', write('a'))
  carry('two', write('b'))
  await settle()
  made.stop()
  commits[0]!.end()
  await made.settled()
  t.same(done, [])
  t.equal(commits.length, 1)
})
