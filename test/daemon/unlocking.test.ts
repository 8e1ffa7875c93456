import t from 'tap'
import { Unlocking } from '../../src/daemon/keys/unlocking.ts'
import type { Vault } from '../../src/daemon/keys/vault.ts'
import type { Row } from '../../src/host/database.ts'
import { KeyAway } from '../../src/host/key-store.ts'

const row: Row = { table: 'setting', key: 'a', value: 'b' }

/** A vault that opens as `result` says; `changed` is what it tells its watcher. */
function world(result: () => Promise<Row[] | undefined>) {
  const seen = {
    opens: [] as boolean[],
    rows: [] as (readonly Row[])[],
    away: [] as string[],
    log: [] as string[]
  }
  const told = { changed: undefined as (() => void) | undefined, result }
  const vault = {
    open: async ({ start = false }) => {
      seen.opens.push(start)
      return told.result()
    },
    watch: (fn: () => void) => {
      told.changed = fn
      return () => {
        told.changed = undefined
      }
    }
  } as unknown as Vault
  const unlocking: Unlocking = new Unlocking({
    vault,
    log: (level, text) => seen.log.push(`${level} ${text}`),
    onRows: rows => seen.rows.push(rows),
    onChange: () => seen.away.push(unlocking.away)
  })
  return { seen, told, unlocking }
}
const away = (sentence: string) => () => Promise.reject(new KeyAway(sentence))

t.test('nothing is in the way', async t => {
  for (const stored of [undefined, [row]]) {
    const { seen, told, unlocking } = world(async () => stored)
    await unlocking.start()
    t.same(seen.rows, [stored ?? []])
    t.equal(unlocking.away, '')
    t.equal(told.changed, undefined)
    await unlocking.again()
    t.same(seen.opens, [true], 'and it stays open')
  }
})

t.test('what waiting does not mend ends the start', async t => {
  const { unlocking, seen } = world(() => Promise.reject(new Error('wrong key')))
  await t.rejects(unlocking.start(), /wrong key/)
  t.same(seen.rows, [])
})

t.test('locked, then open', async t => {
  const { seen, told, unlocking } = world(away('locked: unlock it'))
  await unlocking.start()
  t.equal(unlocking.away, 'locked: unlock it')
  await unlocking.again()
  await unlocking.again({ start: true })
  t.same(seen.opens, [true, false, true])
  t.same(seen.away, ['locked: unlock it'], 'said once')
  told.result = () => Promise.reject(new Error('another key'))
  await unlocking.again()
  t.equal(unlocking.away, 'another key', 'a daemon that runs goes on waiting')
  told.result = async () => [row]
  await unlocking.again()
  t.equal(unlocking.away, '')
  t.same(seen.rows, [[row]])
  t.equal(told.changed, undefined, 'it listens no longer')
  t.same(seen.log, [
    'warn locked: locked: unlock it',
    'warn locked: another key',
    'info the key of this device can be read'
  ])
})

t.test('one try at a time, and none is lost', async t => {
  const { seen, told, unlocking } = world(away('locked'))
  await unlocking.start()
  let fail = () => {}
  told.result = () =>
    new Promise((_, reject) => {
      fail = () => reject(new KeyAway('locked'))
    })
  told.changed!()
  told.changed!()
  const last = unlocking.again({ start: true })
  t.equal(seen.opens.length, 2)
  told.result = async () => [row]
  fail()
  await last
  t.same(seen.opens, [true, false, true])
  t.same(seen.rows, [[row]])
})

t.test('not after the end', async t => {
  const { seen, unlocking } = world(away('locked'))
  await unlocking.start()
  unlocking.stop()
  await unlocking.again()
  t.equal(seen.opens.length, 1)
})
