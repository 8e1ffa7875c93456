/** The machine-readable copyright file: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
import type { Component } from './components.ts'

const indented = (text: string) =>
  text
    .split('\n')
    .map(line => ` ${line.trimEnd() || '.'}`)
    .join('\n')

const APACHE = `On Debian systems the whole licence is in /usr/share/common-licenses/Apache-2.0,
elsewhere in /usr/share/licenses/coterie/LICENSE.`

/** A licence that differs in more than title, copyright lines and line breaks gets a name of its own. */
class Licences {
  readonly #names = new Map<string, string>()
  readonly texts = new Map<string, string>()

  name({ licence, text }: Component): string {
    if (licence === 'Apache-2.0') {
      this.texts.set(licence, APACHE)
      return licence
    }
    const key = text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, ' ')
      .replace(/^ ?(the )?mit license (mit )?/, '')
    const known = this.#names.get(key)
    if (known) return known
    const short = licence.replace('LicenseRef-', '')
    let name = short
    for (let n = 2; this.texts.has(name); n++) name = `${short}-${n}`
    this.#names.set(key, name)
    this.texts.set(name, text)
    return name
  }
}

function stanza(files: string, { copyright }: Component, licence: string): string {
  if (copyright.length === 0) copyright = ['public domain']
  return `Files: ${files}\nCopyright: ${copyright.map(line => line.replace(/^copyright:?\s*/i, '')).join('\n ')}\nLicense: ${licence}\n`
}

export function copyrightFile(all: readonly Component[]): string {
  const licences = new Licences()
  const stanzas = all.flatMap(its => {
    const place = its.name === 'node' ? 'usr/lib/coterie/node' : `node_modules/${its.name}/*`
    return [
      stanza(place, its, licences.name(its)),
      ...its.parts
        .filter(part => part.text !== '')
        .map(part => stanza(`node_modules/${its.name}/${part.name}/*`, part, licences.name(part)))
    ]
  })
  return [
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: coterie
Comment: Paths are those of the source; what is below node_modules is inside the files
 of /usr/lib/coterie. Node.js contains further works, each with its licence below.
`,
    'Files: *\nCopyright: 2026 The authors of Coterie\nLicense: Apache-2.0\n',
    ...stanzas,
    ...[...licences.texts].map(([name, text]) => `License: ${name}\n${indented(text)}\n`)
  ].join('\n')
}
