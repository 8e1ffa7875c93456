/** Man pages: what packaging/man says, with the commands of the program itself where it has @COMMANDS@. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/api/api.ts'
import { commands, type Entry, every, spelled } from './commands.ts'
import { epoch, top } from './run.ts'

export const pages = ['coterie.1', 'coteried.8', 'coterie.toml.5'] as const

/** Text for man(7): nothing in it is taken for a request, and what is to be typed keeps its dashes. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll(/`([^`]*)`/g, (_, code: string) => `\\fB${code.replaceAll('-', '\\-')}\\fR`)
    .replaceAll(/(^|\s)--?(?=\w)/g, dashes => dashes.replaceAll('-', '\\-'))
    .replaceAll(/(^|\n)([.'])/g, '$1\\&$2')
}

const typed = (text: string) => text.replaceAll('-', '\\-')
const italic = (text: string) => `\\fI${typed(text)}\\fR`

/** `coterie send [options] <peer> [tag]`; options that all commands have are told once. */
function section({ path, doc, flags, words }: Entry): string {
  const usage = [`.B ${path.join(' ')}`, ...words.map(w => italic(spelled(w)))].join('\\fR ')
  return [
    '.TP',
    usage.replace('.B ', '\\fBcoterie '),
    `${roff(doc.charAt(0).toUpperCase() + doc.slice(1))}.`,
    ...words.filter(w => w.doc).map(w => `.br\n${italic(w.name)}: ${roff(w.doc)}.`),
    ...(flags.length > 0
      ? [
          '.RS',
          ...flags.flatMap(({ flag, doc: about, value }) => [
            '.TP',
            `\\fB${typed(flag)}\\fR${value ? ` ${italic(spelled(value))}` : ''}`,
            `${roff(about)}.`
          ]),
          '.RE'
        ]
      : [])
  ].join('\n')
}

/** One page, ready for man. */
export function page(name: (typeof pages)[number]): string {
  const all = every(commands()).filter(e => e.path.length > 0)
  const leaves = all.filter(e => e.words.length > 0 || e.flags.length > 0 || e.below.length === 0)
  const filled: { readonly [mark: string]: () => string } = {
    VERSION: () => VERSION,
    DATE: () => new Date(epoch * 1000).toISOString().slice(0, 10),
    COMMANDS: () => leaves.map(section).join('\n')
  }
  return readFileSync(join(top, 'packaging/man', name), 'utf8').replaceAll(/@([A-Z]+)@/g, (_, mark: string) =>
    filled[mark]!()
  )
}
