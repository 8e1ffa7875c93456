/** Cores and formats are functions of what they are given: then a seed gives the same history twice. */
import t from 'tap'
import ts from 'typescript'
import { files, syntax } from './source.ts'

const time = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']
const world = ['process', 'console', 'globalThis', 'require', 'fetch', 'navigator', 'crypto']
const promises = ['Promise']
const rules: { readonly [folder: string]: { names: readonly string[]; async: boolean } } = {
  circle: { names: [...time, ...world, ...promises, 'Buffer'], async: false },
  mesh: { names: [...time, ...world, ...promises, 'Buffer'], async: false },
  messages: { names: [...time, ...world, ...promises, 'Buffer'], async: false },
  wire: { names: [...time, ...world, ...promises, 'Buffer'], async: false },
  crypto: { names: [...time, 'process', 'console', 'globalThis', 'fetch'], async: true }
}

for (const [folder, rule] of Object.entries(rules)) {
  const inside = files.filter(f => f.startsWith(`src/${folder}/`) && f.endsWith('.ts'))
  if (inside.length === 0) continue
  t.test(`src/${folder}: no clock, no chance, no world${rule.async ? '' : ', no promises'}`, async t => {
    t.same(
      inside.flatMap(file => offences(file, rule)),
      []
    )
  })
}

t.test('the rule sees what it forbids', async t => {
  t.match(scan('x.ts', 'const now = Date.now()', rules['mesh']!), [/Date/])
  t.match(scan('x.ts', 'const r = Math.random()', rules['mesh']!), [/Math.random/])
  t.match(scan('x.ts', 'async function f() {}', rules['mesh']!), [/async/])
  t.same(scan('x.ts', '// Date\nconst a = { Date: 1 }.Date\nlet b: Named["Promise"]', rules['mesh']!), [])
})

function offences(file: string, rule: { names: readonly string[]; async: boolean }): string[] {
  return walk(file, syntax(file), rule)
}
function scan(file: string, text: string, rule: { names: readonly string[]; async: boolean }): string[] {
  return walk(file, ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), rule)
}
function walk(
  file: string,
  source: ts.SourceFile,
  rule: { names: readonly string[]; async: boolean }
): string[] {
  const found: string[] = []
  const say = (node: ts.Node, what: string) =>
    found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1} uses ${what}`)
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && rule.names.includes(node.text) && isFree(node)) say(node, node.text)
    if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') say(node, 'Math.random')
    if (!rule.async && (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)))
      say(node, 'async or await')
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The identifier stands for the global: it is not the name of a member, parameter or own thing. */
function isFree(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return parent.left === node
  return !(
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isEnumMember(parent)) &&
    parent.name === node
  )
}
