/** Names, sizes and places of files, and that what the documents point to exists. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { files, imports, read, syntax, top } from './source.ts'

const sources = files.filter(f => /^(src|test|scripts)\/.*\.ts$/.test(f))

t.test('files are named in kebab-case', async t => {
  t.same(
    sources.filter(f => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(f.split('/').at(-1)!)),
    []
  )
})

t.test('names are the words of the design', async t => {
  // Other programs' proper names are theirs.
  const proper =
    /NetworkManager|network-manager|SecretService|secret-service|ObjectManager|AgentManager|AddMatch/g
  const forbidden = /(?:^|[^a-z])(manager|helper|util|utils|service|base|impl|broker|cluster)(?![a-z0-9])/
  const words = (name: string) =>
    name
      .replaceAll(proper, '')
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
      .toLowerCase()
  const wrong = sources.filter(
    f => f.startsWith('src/') && forbidden.test(words(f.replace('.test.ts', '').replace('.ts', '')))
  )
  for (const file of sources.filter(f => f.startsWith('src/')))
    for (const node of syntax(file).statements)
      if (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
        if (node.name && forbidden.test(words(node.name.text))) wrong.push(`${file}: ${node.name.text}`)
  t.same(wrong, [])
})

t.test('files are small, or say why not', async t => {
  /** Longer than 400 lines, each with its reason. */
  const long: { readonly [file: string]: string } = {
    'src/api/api.ts': 'the whole API is read in one place',
    'src/mesh/mesh.ts':
      'the core that joins the others: each of its verbs is short, and they share one state',
    'src/circle/log.ts': 'the core that joins the others: intake, exchange and members share one order',
    'src/host/bus.ts': 'the library is wrapped once: connection, calls, matches and names end together'
  }
  const tooLong = sources
    .filter(f => f.startsWith('src/'))
    .filter(f => read(f).split('\n').length > 401 && !long[f])
  t.same(tooLong, [])
})

t.test('each folder of src has its tests', async t => {
  const folders = new Set(files.flatMap(f => /^src\/([^/]+)\//.exec(f)?.[1] ?? []))
  t.same(
    [...folders].filter(
      folder => !files.some(f => f.startsWith(`test/${folder}/`) && f.endsWith('.test.ts'))
    ),
    []
  )
})

t.test('the documents point to what exists', async t => {
  const broken: string[] = []
  for (const file of files.filter(f => f.endsWith('.md'))) {
    const prose = read(file).replaceAll(/^```[\s\S]*?^```/gm, '')
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(target!)) continue
      if (!existsSync(join(top, dirname(file), target!.replace(/#.*/, ''))))
        broken.push(`${file} -> ${target}`)
    }
  }
  t.same(broken, [])
})

t.test('no paths of one machine, no registries', async t => {
  const paths = /(?<![\w.$~}])\/(?:work|Users|root\/|home\/(?!USER|user\b|\$|me\b|tester))\b/
  const wrong: string[] = []
  for (const file of files.filter(f => !/\.(png|svg|ico)$/.test(f) && f !== 'test/house/files.test.ts'))
    read(file)
      .split('\n')
      .forEach((line, n) => {
        if (paths.test(line)) wrong.push(`${file}:${n + 1}: ${line.trim().slice(0, 100)}`)
      })
  for (const file of files.filter(f => f.endsWith('package-lock.json')))
    for (const [, url] of read(file).matchAll(/"resolved": "(https?:[^"]+)/g)) wrong.push(`${file}: ${url}`)
  t.same(wrong, [])
})

t.test('the API and the package have one version', async t => {
  const { VERSION } = await import('../../src/api/api.ts')
  t.equal(VERSION, JSON.parse(read('package.json')).version)
})

t.test('what tests draw is the same each time', async t => {
  const own = /^test\/(campaign|bench|fuzz|sim|house)\//
  const tests = sources.filter(f => f.startsWith('test/') && !own.test(f) && f !== 'test/draws.ts')
  t.same(
    tests.filter(f => read(f).includes('Math.random()') || imports(f).some(i => i.from === 'fast-check')),
    [],
    'by test/draws.ts and test/random.ts'
  )
})
