import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { randomBytes } from '../../src/crypto/provider.ts'
import { KeyStores } from '../../src/daemon/keys/key-stores.ts'
import { Vault } from '../../src/daemon/keys/vault.ts'
import { Bus } from '../../src/host/bus.ts'
import { DatabaseError } from '../../src/host/database.ts'
import { KeyAway } from '../../src/host/key-store.ts'

const row = { table: 'setting', key: 'marker-in-clear', value: 'b' } as const

const log = () => {}
const noBus = new Bus({ kind: 'session', address: 'unix:path=/nonexistent', log })
noBus.start()
t.teardown(() => noBus.close())

const vaultAt = (keyPath: string, databasePath: string, environment: { [name: string]: string } = {}) =>
  new Vault({
    stores: new KeyStores({ keyPath, bus: noBus, random: randomBytes, environment, lingers: () => false }),
    databasePath,
    log
  })

async function kept(
  t: { testdir(): string; teardown(fn: () => unknown): void },
  environment: { [name: string]: string } = {}
) {
  const directory = t.testdir()
  const keyPath = join(directory, 'state', 'key')
  const databasePath = join(directory, 'data', 'coterie.db')
  const vault = (other = environment) => {
    const made = vaultAt(keyPath, databasePath, other)
    t.teardown(() => made.close())
    return made
  }
  return { directory, keyPath, databasePath, vault, first: vault() }
}

t.test('nothing is made until there is a circle; then all is there again', async t => {
  const { directory, keyPath, databasePath, vault, first } = await kept(t)
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
  t.equal(statSync(`${keyPath}-store`).mode & 0o777, 0o600)
  t.strictSame(readdirSync(join(directory, 'state')), ['key', 'key-store'])
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
  const two = vaultAt(`${one.keyPath}2`, `${one.databasePath}2`)
  await two.create()
  await two.close()
  renameSync(`${one.keyPath}2`, one.keyPath)
  const error = await one
    .vault()
    .open()
    .catch((e: unknown) => e)
  t.ok(error instanceof DatabaseError, String(error))
})

t.test('a key file without a record is the key, as it was before there were others', async t => {
  const { keyPath, vault, first } = await kept(t)
  await first.create()
  await first.commit([{ put: row }])
  await first.close()
  renameSync(`${keyPath}-store`, `${keyPath}-away`)
  const again = vault()
  t.same(await again.open(), [row])
  t.equal(again.keyStore, 'file')
  await t.rejects(again.create('secret-service'), /its place \(file\) is chosen once/)
  await again.create('file')
})

t.test('a crash while it is made', async t => {
  const { directory, keyPath, databasePath, vault, first } = await kept(t)
  const state = join(directory, 'state')
  const opens = async () => {
    const opened = vault()
    const rows = await opened.open()
    await opened.close()
    return rows
  }
  await first.create()
  await first.close()
  t.comment('the database was made, the key not yet kept')
  renameSync(keyPath, `${keyPath}.new`)
  renameSync(`${keyPath}-store`, `${keyPath}-store.new`)
  t.same(await opens(), [])
  t.strictSame(readdirSync(state), ['key', 'key-store'])
  t.comment('the key was kept, the record not')
  renameSync(`${keyPath}-store`, `${keyPath}-store.new`)
  t.same(await opens(), [])
  t.strictSame(readdirSync(state), ['key', 'key-store'])
  t.comment('there was no database yet')
  renameSync(keyPath, `${keyPath}.new`)
  renameSync(`${keyPath}-store`, `${keyPath}-store.new`)
  renameSync(databasePath, `${databasePath}.away`)
  t.equal(await opens(), undefined)
  t.strictSame(readdirSync(state), [])
})

t.test('erased', async t => {
  const { directory, keyPath, databasePath, vault, first } = await kept(t)
  const [state, data] = [join(directory, 'state'), join(directory, 'data')]
  await first.create()
  await first.commit([{ put: row }])
  await first.erase()
  t.same([...readdirSync(state), ...readdirSync(data)], [])
  t.equal(first.keyStore, undefined)
  t.equal(await first.open(), undefined, 'as if it had never been')
  await first.create()
  t.same(await first.load(), [], 'and it can begin anew')
  await first.erase()
  await first.erase()

  t.comment('cut off after the key was doubted')
  await first.create()
  await first.commit([{ put: row }])
  await first.close()
  renameSync(`${keyPath}-store`, `${keyPath}-store.new`)
  renameSync(keyPath, `${keyPath}.new`)
  const second = vault()
  t.same(await second.open(), [row], 'all is still there')
  await second.close()
  t.comment('cut off after the database went')
  renameSync(`${keyPath}-store`, `${keyPath}-store.new`)
  renameSync(keyPath, `${keyPath}.new`)
  rmSync(databasePath)
  t.equal(await vault().open(), undefined)
  t.same([...readdirSync(state), ...readdirSync(data)], [], 'the rest is gone too')

  t.comment('a key file from before there were records')
  await first.create()
  rmSync(`${keyPath}-store`)
  await first.erase()
  t.same([...readdirSync(state), ...readdirSync(data)], [])
})

t.test('a record that says nothing', async t => {
  const { keyPath, vault, first } = await kept(t)
  await first.create()
  await first.close()
  for (const text of ['', '{}', '{"Store":"paper","Id":""}', '{"Store":"file","Id":"../x"}', '[]', 'null']) {
    writeFileSync(`${keyPath}-store`, text)
    await t.rejects(vault().open(), /key-store does not say where/, text)
  }
})

t.test('a credential', async t => {
  const credentials = t.testdir({})
  const key = randomBytes(32)
  const given = { CREDENTIALS_DIRECTORY: credentials }
  const place = join(credentials, 'coterie.key')
  t.test('is the key when it is there', async t => {
    writeFileSync(place, key)
    const { directory, vault, first } = await kept(t, given)
    await first.create()
    t.equal(first.keyStore, 'credential')
    await first.commit([{ put: row }])
    await first.close()
    t.strictSame(readdirSync(join(directory, 'state')), ['key-store'], 'and is kept nowhere else')
    t.same(readFileSync(place), key, 'nor changed')
    await t.rejects(vault({}).open(), {
      name: 'KeyAway',
      message: /credential coterie\.key, which this daemon was not/
    })
    writeFileSync(place, key.subarray(1))
    await t.rejects(vault().open(), { name: 'KeyAway', message: /has 31 bytes/ })
    writeFileSync(place, randomBytes(32))
    await t.rejects(vault().open(), { name: 'DatabaseError', code: 'wrong-key' })
    writeFileSync(place, key)
    t.same(await vault().open(), [row])
  })
  t.test('of a wrong form makes nothing', async t => {
    writeFileSync(place, 'short')
    const { directory, first } = await kept(t, given)
    const error = await first.create().catch((error: unknown) => error)
    t.ok(error instanceof KeyAway, String(error))
    t.equal(await first.open(), undefined)
    t.strictSame(readdirSync(join(directory, 'state')), [])
    await first.create('file')
    t.equal(first.keyStore, 'file')
  })
  t.test('that is not there cannot be wished for', async t => {
    const { first } = await kept(t)
    await t.rejects(first.create('credential'), /systemd gives this daemon no credential/)
    await t.rejects(first.create('secret-service'), /no keyring \(Secret Service\) runs/)
    await t.rejects(first.create('paper'), /one of credential, secret-service, file/)
    t.equal(await first.open(), undefined)
  })
})
