/** Man pages and completions are made from the program; what is written by hand beside it must not fall behind. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { commands, every } from '../../scripts/package/commands.ts'
import { bash, fish, zsh } from '../../scripts/package/completions.ts'
import { page, pages } from '../../scripts/package/pages.ts'
import { parseConfig } from '../../src/daemon/config.ts'
import { lacking } from '../command.ts'
import { syntax, top } from './source.ts'

const all = every(commands())
const plain = (text: string) => text.replaceAll('\\-', '-').replaceAll(/\\f[BIR]/g, '')

t.test('coterie(1) has every command and option', async t => {
  const text = plain(page('coterie.1'))
  t.same(
    all.filter(e => e.below.length === 0 && !text.includes(`coterie ${e.path.join(' ')}`)).map(e => e.path),
    []
  )
  t.same(
    all
      .flatMap(e => e.flags)
      .filter(f => f.flag !== '--version' && !text.includes(`${f.flag} `) && !text.includes(`${f.flag}\n`)),
    []
  )
})

t.test('coteried(8) has the options that coteried has, and no others', async t => {
  const options = (text: string) => [...new Set(text.match(/--[a-z][a-z-]+/g))].sort()
  const help = execFileSync(join(top, 'bin/coteried'), ['--help'], { encoding: 'utf8' })
  const text = plain(page('coteried.8'))
  const told = text.slice(text.indexOf('.SH OPTIONS'), text.indexOf('.SH SIGNALS'))
  t.same(options(told), options(help), 'else: packaging/man/coteried.8')
})

t.test('coterie.toml(5) has the keys that the daemon knows, and no others', async t => {
  const text = page('coterie.toml.5')
  const told = [
    ...text.matchAll(/^\.SH (?:\[\[?([\w.]+)\]\]?|[A-Z]+)$|^\.BR (\w+) " \((?:text|list|number|true)/gm)
  ]
  const keys: string[] = []
  let section = ''
  for (const [, heading, key] of told)
    if (key) keys.push(`${section}.${key}`)
    else section = heading ?? ''
  t.same(keys.sort(), known().sort(), 'else: packaging/man/coterie.toml.5')
  const example = /\.SH EXAMPLES\n\.EX\n([\s\S]*?)\.EE/.exec(text)?.[1] ?? ''
  t.equal(parseConfig(example, 'host').device.name, 'desk', 'and its example is right')
})

/** Every key in the tables of src/daemon/config.ts, such as network.rule.policy. */
function known(): string[] {
  const source = syntax('src/daemon/config.ts')
  const named = new Map<string, ts.Node>()
  for (const statement of source.statements)
    if (ts.isVariableStatement(statement))
      for (const d of statement.declarationList.declarations)
        if (ts.isIdentifier(d.name) && d.initializer) named.set(d.name.text, d.initializer)
  const tableIn = (node: ts.Node): ts.ObjectLiteralExpression | undefined => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'table')
      return node.arguments[0] as ts.ObjectLiteralExpression
    return ts.forEachChild(node, tableIn)
  }
  /** What a key's check is, behind listOf(…) and a name. */
  const meant = (check: ts.Node): ts.Node | undefined => {
    if (ts.isIdentifier(check)) return named.get(check.text)
    if (ts.isCallExpression(check) && ts.isIdentifier(check.expression) && check.expression.text === 'listOf')
      return meant(check.arguments[0]!)
    return check
  }
  const keys = (table: ts.ObjectLiteralExpression, place: string): string[] =>
    table.properties.flatMap(property => {
      const path = place ? `${place}.${property.name!.getText(source)}` : property.name!.getText(source)
      const check = ts.isPropertyAssignment(property)
        ? property.initializer
        : (property as ts.ShorthandPropertyAssignment).name
      const node = meant(check)
      const below = node && tableIn(node)
      return below ? keys(below, path) : [path]
    })
  return keys(tableIn(named.get('file')!)!, '')
}

for (const name of pages)
  t.test(`${name} is a man page without warnings`, { skip: lacking('man', 'groff') }, async t => {
    const { status, stderr } = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', '-'], {
      input: page(name),
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFSEQ: '', MANWIDTH: '80' }
    })
    t.equal(stderr, '')
    t.equal(status, 0)
  })

t.test('completions for bash', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'coterie')
  writeFileSync(file, bash())
  // the daemon's words, as it prints them
  writeFileSync(
    join(folder, 'names'),
    JSON.stringify({ Devices: [{ Id: 'co1x', Name: 'lap top' }, { Name: 'nas' }] })
  )
  const complete = (line: string) => {
    const words = line.split(' ')
    const script = `. ${file}; coterie() { cat ${folder}/names; }; compopt() { :; }
      COMP_WORDS=(${words.map(w => `'${w}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _coterie; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n')
  }
  t.same(complete('coterie in'), ['init', 'invite'])
  t.same(complete('coterie circle '), ['list', 'use', 'create', '--help'])
  t.same(complete('coterie circle use --j'), ['--json'])
  t.same(complete('coterie init --key-store '), ['file', 'secret-service', 'credential'])
  t.same(complete('coterie send nas backup/start --wait '), ['received', 'started', 'done'])
  t.same(complete('coterie ping n'), ['nas'])
  t.same(complete('coterie why l'), ['lap\\ top'])
  t.ok(complete('coterie call St').includes('Status'))
  const asked = all.flatMap(e => e.flags.map(f => [e.path, f.flag] as const))
  const missed = asked.filter(
    ([, flag]) => !bash().includes(flag) || !zsh().includes(flag) || !fish().includes(flag.slice(2))
  )
  t.same(missed, [])
})

for (const [shell, text] of [
  ['zsh', zsh],
  ['fish', fish]
] as const)
  t.test(`completions for ${shell} are understood by it`, { skip: lacking(shell) }, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'it'), text())
    const { status, stderr } = spawnSync(shell, ['-n', join(folder, 'it')], { encoding: 'utf8' })
    t.equal(stderr, '')
    t.equal(status, 0)
  })
