/** The extension as it is built: what can be known of it without a shell. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { extensions, kinds } from '../../scripts/package/gnome-shell.ts'
import { INTERFACE } from '../../src/api/api.ts'
import { agentInterfaces, interfaces } from '../../src/api/introspection.ts'
import { lacking, run } from '../command.ts'

const source = join(import.meta.dirname, '../../packaging/gnome-shell')
const files = readdirSync(source).filter(name => name.endsWith('.js'))
const read = (name: string) => readFileSync(join(source, name), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'ct-'))
t.teardown(() => rmSync(folder, { recursive: true }))
t.before(() => extensions(folder))

t.test('it is thin', async t => {
  const lines = files
    .flatMap(name => read(name).split('\n'))
    .filter(line => !/^ *(\/\/|\/?\*|import |$)/.test(line))
  t.ok(lines.length > 200 && lines.length <= 300, `${lines.length} lines of code`)
})

t.test('each kind of shell has its build', async t => {
  t.same(readdirSync(folder).sort(), kinds.map(({ uuid }) => uuid).sort())
  for (const { uuid, tried } of kinds) {
    t.match(JSON.parse(readFileSync(join(folder, uuid, 'metadata.json'), 'utf8')), {
      uuid,
      'shell-version': tried
    })
    t.same(readdirSync(join(folder, uuid)).sort(), [
      'extension.js',
      'icons',
      'metadata.json',
      'stylesheet.css'
    ])
    const icons = readdirSync(join(folder, uuid, 'icons'))
    for (const name of ['org.coterie.Coterie', 'coterie-reachable', 'coterie-asleep'])
      t.ok(icons.includes(`${name}-symbolic.svg`))
  }
})

t.test('they are understood by gjs', { skip: lacking('gjs') }, async t => {
  const [modules, legacy] = ['coterie@coterie.org', 'coterie-legacy@coterie.org'].map(uuid =>
    join(folder, uuid, 'extension.js')
  )
  // outside a shell there is nothing to import, but that is found out after reading all of it
  const run1 = await run('gjs', ['-m', modules!])
  t.match(run1.err, /ImportError: Unable to load file from: resource:\/\/\/org\/gnome\/shell/)
  t.notMatch(run1.err, /SyntaxError|Failed to parse/)
  const parse = `new Function(new TextDecoder().decode(imports.gi.GLib.file_get_contents(ARGV[0])[1])); print('parsed')`
  t.match(await run('gjs', ['-c', parse, legacy!]), { code: 0, out: 'parsed\n' })
  t.notMatch(readFileSync(legacy!, 'utf8'), /^(import|export) /m)
})

t.test('what it calls is in the API', async t => {
  const text = files.map(read).join('\n')
  const offered = { ...interfaces.Daemon.methods, ...agentInterfaces.AgentManager.methods }
  const calls = [...text.matchAll(/\.(?:call|open)\('(\w+)', '\(([^']*)\)'/g)].map(([, name, types]) => [
    name,
    types
  ])
  t.ok(calls.length >= 6, 'calls are found')
  for (const [name, types] of calls) {
    if (name === 'Cancel') continue
    t.equal(offered[name!]?.in.map(({ signature }) => signature).join(''), types, `${name}`)
  }
  for (const name of text.match(/(?<=')(?:Register|Unregister|RequestDefault)Agent(?=')/g)!)
    t.ok(offered[name], name)
  for (const kind of ['Job', 'Subscription'] as const) {
    t.ok(text.includes(`\${NAME}.${kind}`))
    t.ok(interfaces[kind].methods['Cancel'])
  }
  t.match(text, `'${INTERFACE}'`)
  const agent = Object.keys(agentInterfaces.Agent.methods)
  for (const name of agent) t.match(text, new RegExp(`^  (async )?${name}(Async)?\\(`, 'm'), name)
})

t.test('it starts nothing, and waits for nothing', async t => {
  const text = files.map(read).join('\n')
  t.notMatch(text, /_sync\(|Sync\(|AUTO_START\b(?<!NO_AUTO_START)|makeProxyWrapper/)
  t.match(text, /NO_AUTO_START/)
})
