/** What the house rules look at: the files of the checkout, and the syntax of the sources. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import ts from 'typescript'

export const top = new URL('../..', import.meta.url).pathname

/** Paths below the top that git tracks or would track. */
export const files: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard'],
  {
    cwd: top,
    encoding: 'utf8'
  }
)
  .split('\n')
  .filter(file => file !== '' && file !== 'node_modules' && present(file))

export const read = (file: string): string => readFileSync(top + file, 'utf8')

export const syntax = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true, ts.ScriptKind.TS)

export interface Import {
  readonly from: string
  readonly typeOnly: boolean
  readonly line: number
}

/** All modules a file names: import, export … from, import(), import types. */
export function imports(file: string): Import[] {
  const source = syntax(file)
  const found: Import[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier && ts.isStringLiteral(specifier))
      found.push({
        from: specifier.text,
        typeOnly,
        line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1
      })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, allTypes(node))
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node, node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function allTypes(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause
  if (!clause) return false
  if (clause.isTypeOnly) return true
  const names = clause.namedBindings
  return (
    !clause.name && names !== undefined && ts.isNamedImports(names) && names.elements.every(e => e.isTypeOnly)
  )
}

function present(file: string): boolean {
  try {
    readFileSync(top + file)
    return true
  } catch {
    return false
  }
}
