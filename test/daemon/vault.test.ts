import { readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Vault } from '../../src/daemon/vault.ts'
import { DatabaseError } from '../../src/host/database.ts'

const row = { table: 'setting', key: 'marker-in-clear', value: 'b' } as const

async function kept(t: { testdir(): string; teardown(fn: () => unknown): void }) {
  const directory = t.testdir()
  const keyPath = join(directory, 'state', 'key')
  const databasePath = join(directory, 'data', 'coterie.db')
  const vault = () => {
    const made = new Vault({ keyPath, databasePath, log: () => {} })
    t.teardown(() => made.close())
    return made
  }
  const first = vault()
  t.teardown(() => first.close())
  return { keyPath, databasePath, vault, first }
}

t.test('nothing is made until there is a circle; then all is there again', async t => {
  const { keyPath, databasePath, vault, first } = await kept(t)
  t.equal(await first.open(), undefined)
  t.ok(await first.responds())
  await t.rejects(first.commit([{ put: row }]), /no database yet/)
  t.throws(() => statSync(databasePath))
  await first.create()
  await first.create()
  await first.commit([{ put: row }])
  t.ok(await first.responds())
  await first.close()
  t.equal(statSync(keyPath).mode & 0o777, 0o600)
  t.notOk(readFileSync(databasePath).includes('marker-in-clear'), 'it is encrypted')
  t.notOk(readFileSync(databasePath).includes(readFileSync(keyPath)))
  const again = vault()
  t.same(await again.open(), [row])
})

t.test('the one without the other is a fault, and nothing is made anew', async t => {
  const { keyPath, databasePath, vault, first } = await kept(t)
  await first.create()
  await first.commit([{ put: row }])
  await first.close()
  renameSync(keyPath, `${keyPath}.away`)
  await t.rejects(vault().open(), /key file .* is missing/)
  t.throws(() => statSync(keyPath))
  renameSync(`${keyPath}.away`, keyPath)
  renameSync(databasePath, `${databasePath}.away`)
  await t.rejects(vault().open(), /database .* is missing although its key/)
  t.throws(() => statSync(databasePath))
  renameSync(`${databasePath}.away`, databasePath)
  t.same(await vault().open(), [row])
})

t.test('a key of another database does not open it', async t => {
  const one = await kept(t)
  await one.first.create()
  await one.first.close()
  const two = new Vault({
    keyPath: `${one.keyPath}2`,
    databasePath: `${one.databasePath}2`,
    log: () => {}
  })
  await two.create()
  await two.close()
  renameSync(`${one.keyPath}2`, one.keyPath)
  const error = await one
    .vault()
    .open()
    .catch((e: unknown) => e)
  t.ok(error instanceof DatabaseError, String(error))
})
