/** What packages contain of others: for the copyright file and the bill of materials. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addons } from './addons.ts'
import { locked, top } from './run.ts'
import { runtime } from './runtime.ts'
import type { Target } from './target.ts'

export interface Component {
  readonly name: string
  readonly version: string
  /** As SPDX says it, or `LicenseRef-…`. */
  readonly licence: string
  /** Lines. */
  readonly copyright: readonly string[]
  /** The whole licence, without the copyright lines. */
  readonly text: string
  /** Where it came from, as npm wrote it into the lock file: `sha512-BASE64`. */
  readonly integrity?: string
  readonly purl: string
  /** What is compiled into it. */
  readonly parts: readonly Component[]
}

/** Code of others that is compiled into addons; packaging/licences has their licences. A test looks for the versions. */
export const compiled: {
  readonly [addon: string]: readonly Omit<Component, 'copyright' | 'text' | 'parts'>[]
} = {
  'better-sqlite3-multiple-ciphers': [
    { name: 'sqlite', version: '3.53.4', licence: 'blessing', purl: 'pkg:generic/sqlite@3.53.4' },
    {
      name: 'sqlite3multipleciphers',
      version: '2.4.0',
      licence: 'MIT',
      purl: 'pkg:github/utelle/SQLite3MultipleCiphers@v2.4.0'
    }
  ],
  'sodium-native': [
    { name: 'libsodium', version: '1.0.21', licence: 'ISC', purl: 'pkg:github/jedisct1/libsodium@1.0.21' },
    {
      name: 'libjstl',
      version: '098664c',
      licence: 'Apache-2.0',
      purl: 'pkg:github/holepunchto/libjstl@098664c'
    }
  ]
}

const COPYRIGHT = /^\W*(?:[\w ]+ )?Copyright (?:\([cC]\)|©|\d{4}|[A-Z])/

/** The lines that say whose it is, and the rest. */
function divided(licence: string): { copyright: string[]; text: string } {
  const lines = licence.replaceAll('&lt;', '<').replaceAll('&gt;', '>').split(/\r?\n/)
  return {
    copyright: lines.filter(line => COPYRIGHT.test(line)).map(line => line.trim()),
    text: lines
      .filter(line => !COPYRIGHT.test(line))
      .join('\n')
      .trim()
  }
}

function licenceFile(folder: string): string {
  const name = readdirSync(folder).find(file => /^(licen[cs]e|copying)/i.test(file))
  if (!name) throw new Error(`${folder} has no licence`)
  return readFileSync(join(folder, name), 'utf8')
}

function licenceName({ license }: { license?: string | { type: string } }): string {
  const name = typeof license === 'object' ? license.type : license
  if (!name) throw new Error('a package without a licence')
  return name === 'MIT/X11' ? 'MIT' : name
}

function npmComponent(name: string): Component {
  const folder = join(top, 'node_modules', name)
  const its = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { version, integrity } = locked(name)
  if (its.version !== version)
    throw new Error(`${name} ${its.version} is installed, the lock file has ${version}`)
  const { copyright, text } = divided(licenceFile(folder))
  const given = typeof its.author === 'object' ? its.author.name : its.author
  return {
    name,
    version,
    licence: licenceName(its),
    copyright: copyright.length > 0 ? copyright : [`Copyright ${given ?? `the authors of ${name}`}`],
    text,
    // dbus-next is the name under which a fork is installed
    purl: `pkg:npm/${(its.name as string).replace('@', '%40')}@${version}`,
    ...(integrity && { integrity }),
    parts: (compiled[name] ?? []).map(part => ({
      ...part,
      parts: [],
      ...divided(readFileSync(join(top, 'packaging/licences', part.name), 'utf8'))
    }))
  }
}

/** Names of what Node has compiled in that are no versions of anything. */
const NO_PART = ['node', 'modules', 'napi', 'cldr', 'unicode', 'tz']

function nodeComponent(target: Target): Component {
  const name = `node-linux-${target.node}`
  const { version, integrity } = locked(name)
  const here = `node-linux-${process.arch}`
  if (locked(here).version !== version) throw new Error(`${here} and ${name} are not of one version`)
  const versions = JSON.parse(
    execFileSync(process.execPath, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8' })
  )
  const text = readFileSync(join(runtime(target), 'LICENSE'), 'utf8').trim()
  return {
    name: 'node',
    version,
    licence: 'LicenseRef-Node.js',
    copyright: ['Copyright Node.js contributors, and those that its licence names'],
    text,
    purl: `pkg:npm/${name}@${version}`,
    ...(integrity && { integrity }),
    parts: Object.entries<string>(versions)
      .filter(([part, its]) => its !== '' && !NO_PART.includes(part))
      .map(([part, its]) => ({
        name: part,
        version: its,
        licence: '',
        copyright: [],
        text: '',
        purl: `pkg:generic/${part}@${encodeURIComponent(its)}`,
        parts: []
      }))
  }
}

/** Sorted by name; `names` are the npm packages in the bundle and the addons. */
export function components(names: readonly string[], target: Target): Component[] {
  const all = new Set([...names, ...addons.map(a => a.name), 'node-addon-api'])
  return [...[...all].sort().map(npmComponent), nodeComponent(target)]
}
