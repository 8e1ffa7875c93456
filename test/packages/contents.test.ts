/** What packages say of what is in them: licences, the bill of materials, changelogs, ports. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { bundle } from '../../scripts/bundle.ts'
import { bill } from '../../scripts/package/bill.ts'
import { debianChangelog, rpmChangelog } from '../../scripts/package/changelog.ts'
import { compiled, components } from '../../scripts/package/components.ts'
import { copyrightFile } from '../../scripts/package/copyright.ts'
import { compare, debianDepends, needs } from '../../scripts/package/elf.ts'
import { top } from '../../scripts/package/run.ts'
import { targets } from '../../scripts/package/target.ts'
import { VERSION } from '../../src/api/api.ts'
import { LAST_PORT, PORT } from '../../src/net/listeners.ts'
import { lacking } from '../command.ts'

const target = targets.find(its => its.node === process.arch)!
const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const all = components(await bundle(folder), target)

t.test('licences', async t => {
  const text = copyrightFile(all)
  const used = [...text.matchAll(/^Copyright: .*\n(?: .*\n)*License: (\S+)$/gm)].map(([, name]) => name!)
  const given = [...text.matchAll(/\n\nLicense: (\S+)\n \S/g)].map(([, name]) => name!)
  t.ok(used.length > all.length, 'each component has one, and Coterie')
  t.same(
    [...new Set(used)].filter(name => !given.includes(name)),
    [],
    'each is there with its text'
  )
  t.same(given.length, new Set(given).size, 'once')
  for (const { name, licence, text, copyright } of all) {
    t.match(
      licence,
      /^(MIT|Apache-2\.0|BSD-3-Clause|ISC|LicenseRef-Node\.js)$/,
      `${name} may be given to others`
    )
    t.ok(text.length > 400 && copyright.length > 0, name)
  }
})

t.test('the bill names what is inside, with the sums of the lock file', async t => {
  const document = JSON.parse(bill(all, VERSION, target))
  t.match(document, {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { component: { version: VERSION } }
  })
  t.match(document.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  for (const { name, purl, hashes } of document.components) {
    t.match(purl, /^pkg:npm\/(%40[\w-]+\/)?[\w.-]+@\d/, name)
    t.match(hashes[0].content, /^[0-9a-f]{128}$/, name)
  }
  const names = document.components.map((c: { name: string }) => c.name)
  for (const name of ['node', 'commander', 'dbus-next', 'sodium-native', 'sd-notify'])
    t.ok(names.includes(name), name)
  for (const name of ['esbuild', 'tap', 'typescript', 'fast-check'])
    t.notOk(names.includes(name), `not ${name}`)
  const node = document.components.find((c: { name: string }) => c.name === 'node')
  for (const part of ['v8', 'openssl', 'uv', 'icu', 'zlib'])
    t.ok(
      node.components.find((c: { name: string; version: string }) => c.name === part && c.version),
      part
    )
  t.equal(bill(all, VERSION, target), bill(all, VERSION, target))
})

t.test('what is compiled into addons is of the versions that the bill says', async t => {
  const version = (addon: string, name: string) => compiled[addon]!.find(c => c.name === name)!.version
  const sqlite = 'better-sqlite3-multiple-ciphers'
  const Database = createRequire(import.meta.url)(sqlite)
  const row = new Database(':memory:').prepare('select sqlite_version() a, sqlite3mc_version() b').get()
  t.equal(row.a, version(sqlite, 'sqlite'))
  t.equal(row.b, `SQLite3 Multiple Ciphers ${version(sqlite, 'sqlite3multipleciphers')}`)
  const modules = join(top, 'node_modules/sodium-native')
  const binary = readFileSync(join(modules, `prebuilds/linux-${process.arch}/sodium-native.node`))
  t.ok(binary.includes(`\0${version('sodium-native', 'libsodium')}\0`))
  t.match(
    readFileSync(join(modules, 'CMakeLists.txt'), 'utf8'),
    `libjstl#${version('sodium-native', 'libjstl')}`
  )
})

t.test('what programs need of the system', { skip: lacking('readelf') }, async t => {
  t.ok(compare('2.9', '2.34') < 0 && compare('3.4.30', '3.4.9') > 0 && compare('2.36', '2.36') === 0)
  const depends = debianDepends(needs([process.execPath]))
  t.ok(depends.includes('libc6 (>= 2.28)'), depends.join())
  t.throws(() => needs(['/usr/bin/python3']), /no package is known for/)
})

t.test('changelogs', async t => {
  const news = readFileSync(join(top, 'NEWS.md'), 'utf8')
  const items = news.match(/^- /gm)!.length
  t.match(
    debianChangelog(),
    new RegExp(`^coterie \\(${VERSION.replaceAll('.', '\\.')}\\) unstable; urgency=medium\n\n  \\* `)
  )
  t.equal(debianChangelog().match(/^ {2}\* /gm)!.length, items)
  t.equal(rpmChangelog().match(/^- /gm)!.length, items)
  t.same(
    debianChangelog()
      .split('\n')
      .filter(line => line.length > 80 && !line.startsWith(' -- ')),
    []
  )
})

t.test('firewalls are told the ports that are used', async t => {
  const firewalld = readFileSync(join(top, 'packaging/firewalld/coterie.xml'), 'utf8')
  const ports = [...firewalld.matchAll(/protocol="(\w+)" port="([\d-]+)"/g)].map(m => `${m[2]}/${m[1]}`)
  const used = [`${PORT}-${LAST_PORT}/tcp`, `${PORT}-${LAST_PORT}/udp`, '5353/udp', '1900/udp']
  t.same(ports, used)
  const ufw = readFileSync(join(top, 'packaging/ufw/coterie'), 'utf8')
  t.equal(/^ports=(.*)$/m.exec(ufw)?.[1]?.replaceAll(':', '-'), used.join('|'))
})
