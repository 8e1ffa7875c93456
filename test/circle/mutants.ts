/** Copies of the source with one mistake each, made while a test runs: what is tested must find them. */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { Intake } from '../../src/circle/intake.ts'
import { Resolver } from '../../src/circle/resolver.ts'
import type { Subject } from './replica.ts'

const folder = new URL('../../src/circle/', import.meta.url)

/** What is said in the source, and what the mistake says instead. */
interface Mistake {
  readonly file: 'resolver' | 'intake'
  readonly is: string
  readonly becomes: string
  /** Those of the rules that break by it, without the oracle. */
  readonly rules: readonly string[]
}

export const mistakes: { readonly [name: string]: Mistake } = {
  'equals may remove each other': {
    file: 'resolver',
    is: 'removal.author.level >= device.level',
    becomes: 'removal.author.level > device.level',
    rules: ['equals and smaller levels']
  },
  'a cut is not looked at': {
    file: 'resolver',
    is: 'if (removal.cut === undefined) past',
    becomes: 'if (true) past',
    rules: ['outside the cut']
  },
  'a cut may name what its author never saw': {
    file: 'resolver',
    is: 'i !== undefined && bit(past, i)',
    becomes: 'i !== undefined',
    rules: ['order', 'outside the cut', 'replicas']
  },
  'one removal is enough to be trusted': {
    file: 'resolver',
    is: 'b[i]! &= a[i]!',
    becomes: 'b[i]! |= a[i]!',
    rules: ['outside the cut']
  },
  'one may add to its own level': {
    file: 'resolver',
    is: 'step.level! <= level ||',
    becomes: 'step.level! < level ||',
    rules: ['given by a smaller level']
  },
  'the first who added counts': {
    file: 'resolver',
    is: 'level === device.level && this.#entries[by]!.step.id < this.#entries[device.added]!.step.id',
    becomes: 'level === device.level && by < device.added',
    rules: ['order']
  },
  'a leaver may take back what it did after': {
    file: 'resolver',
    is: 'if (leaving.author !== device ||',
    becomes: 'if (leaving !== this.#entries[device.removals.at(-1)!] ||',
    rules: ['leaving finishes', 'no effect after removal']
  },
  'one more leaving changes nothing': {
    file: 'resolver',
    is: "&& !(author.left && target === author && step.kind === 'remove')",
    becomes: '',
    rules: ['order', 'replicas']
  },
  'authors need no introduction': {
    file: 'intake',
    is: 'if (!isGenesis && !this.#resolver.introduced(item.author, item.parents)) return false',
    becomes: '',
    rules: ['intake', 'replicas']
  },
  'what waits is not taken in later': {
    file: 'intake',
    is: 'else if (!this.#over(child.item)) this.#take(now, child.item, child.from)',
    becomes: '',
    rules: ['intake', 'replicas']
  }
}

export async function mutant(name: string): Promise<Subject> {
  const { file, is, becomes } = mistakes[name]!
  const source = readFileSync(new URL(`${file}.ts`, folder), 'utf8')
  if (source.split(is).length !== 2) throw new Error(`${name}: the source does not say this once: ${is}`)
  const code = stripTypeScriptTypes(source.replace(is, becomes)).replaceAll(
    /from '(\.{1,2}\/[^']+)'/g,
    (_, path) => `from '${new URL(path, folder).href}'`
  )
  const made = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  return { Resolver, Intake, ...made }
}
