/** The changelogs of packages, made from NEWS.md. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { epoch, top } from './run.ts'

interface Release {
  readonly version: string
  readonly date: Date
  readonly items: readonly string[]
}

/** There is no address yet that anybody reads. */
export const MAINTAINER = 'The authors of Coterie <authors@coterie.invalid>'

/** `## 0.2.0 (2027-01-31)`, or `(unreleased)`, which is of the last commit. */
function releases(): Release[] {
  const news = readFileSync(join(top, 'NEWS.md'), 'utf8')
  return [...news.matchAll(/^## (\S+) \(([^)]+)\)\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm)].map(
    ([, version, when, text]) => ({
      version: version!,
      date: new Date(when === 'unreleased' ? epoch * 1000 : `${when}T12:00:00Z`),
      items: [...text!.matchAll(/^- (.*)$/gm)].map(([, item]) =>
        item!.replaceAll(/[`*]+/g, '').replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
      )
    })
  )
}

/** Lines of at most 78 columns, the first one after `first`, the others after as many blanks. */
function wrapped(text: string, first: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && first.length + line.length + 1 + word.length > 78) {
      lines.push(line)
      line = word
    } else line += line ? ` ${word}` : word
  }
  return first + [...lines, line].join(`\n${' '.repeat(first.length)}`)
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** As deb-changelog(5) has it. */
export function debianChangelog(): string {
  return releases()
    .map(({ version, date, items }) => {
      const lines = items.map(item => wrapped(item, '  * '))
      return `coterie (${version}) unstable; urgency=medium\n\n${lines.join('\n')}\n\n -- ${MAINTAINER}  ${date.toUTCString().replace('GMT', '+0000')}\n`
    })
    .join('\n')
}

/** What follows %changelog in a spec. */
export function rpmChangelog(): string {
  return releases()
    .map(({ version, date, items }) => {
      const [, day, month, year] = /^\w+, (\d+) (\w+) (\d+)/.exec(date.toUTCString())!
      const lines = items.map(item => wrapped(item.replaceAll('%', '%%'), '- '))
      return `* ${DAYS[date.getUTCDay()]} ${month} ${day} ${year} ${MAINTAINER} - ${version}-1\n${lines.join('\n')}\n`
    })
    .join('\n')
}
