/** Who may import whom. A new arrow needs a reason here and in docs/architecture.md. */
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import { files, imports } from './source.ts'

interface Layer {
  /** Folders of src it may import, its own aside; `types:x` for types only. */
  readonly may: readonly string[]
  /** Packages and `node:` modules: exact names, or a prefix ending in `/` or `:`; `*` for all. */
  readonly packages: readonly string[]
  readonly why: string
}
const layers: { readonly [folder: string]: Layer } = {
  api: { may: [], packages: [], why: 'what the daemon offers is read by all, so it may need nobody' },
  wire: { may: [], packages: ['msgpackr'], why: 'a format is a function of bytes' },
  crypto: { may: ['wire'], packages: ['@noble/'], why: 'bytes to bytes, randomness passed in' },
  circle: { may: ['crypto', 'wire'], packages: [], why: 'a core: the same history gives the same state' },
  messages: { may: ['crypto', 'wire'], packages: [], why: 'a core: what is sent, and what becomes of it' },
  mesh: { may: ['crypto', 'wire'], packages: [], why: 'a core: the same history gives the same state' },
  net: {
    may: ['wire', 'types:api', 'paths.ts'],
    packages: ['*'],
    why: 'sockets carry bytes and know no keys and no members'
  },
  host: {
    may: ['wire', 'types:api', 'paths.ts', 'net/interfaces.ts'],
    packages: ['*'],
    why: 'Linux is told in our words (snapshots of net/interfaces.ts) and knows nothing of the circle'
  },
  daemon: {
    may: ['api', 'wire', 'crypto', 'circle', 'mesh', 'messages', 'net', 'host', 'paths.ts'],
    packages: ['*'],
    why: 'the only place that knows all'
  },
  cli: {
    may: ['api', 'paths.ts', 'host/bus.ts', 'host/notifications.ts'],
    packages: ['*'],
    why: 'a client like any other: what it can do, any program can; the two of host are a library for D-Bus'
  },
  'paths.ts': { may: [], packages: ['node:'], why: 'read by daemon and command line alike' }
}
/** Single files with a wider door than their folder. */
const exceptions: { readonly [file: string]: readonly string[] } = {
  'src/crypto/provider.ts': ['node:crypto', 'node:module', 'node:util', 'sodium-native']
}
/** Native addons have one door each, so that what happens without them is decided in one place. */
const doors: { readonly [name: string]: readonly string[] } = {
  'sodium-native': ['src/crypto/provider.ts'],
  'dbus-next': ['src/host/bus.ts'],
  'sd-notify': ['src/host/systemd.ts']
}

const matches = (name: string, allowed: readonly string[]) =>
  allowed.some(a => a === '*' || a === name || (/[/:]$/.test(a) && name.startsWith(a)))

for (const [folder, layer] of Object.entries(layers)) {
  const inside = files.filter(f =>
    folder.endsWith('.ts') ? f === `src/${folder}` : f.startsWith(`src/${folder}/`) && f.endsWith('.ts')
  )
  if (inside.length === 0) continue
  t.test(`src/${folder}: ${layer.why}`, async t => {
    const wrong: string[] = []
    for (const file of inside)
      for (const { from, typeOnly, line } of imports(file)) {
        const say = (what: string) => wrong.push(`${file}:${line} imports ${from}: ${what}`)
        if (doors[from] && !typeOnly && !doors[from].includes(file)) {
          say(`only ${doors[from].join(', ')} may`)
          continue
        }
        if (!from.startsWith('.')) {
          if (!matches(from, layer.packages) && !matches(from, exceptions[file] ?? []))
            say(`${folder} may use ${layer.packages.join(', ') || 'no package'}`)
          continue
        }
        const target = normalize(join(dirname(file), from)).replace(/^src\//, '')
        const allowed = [folder, ...layer.may].some(rule => {
          const [, types, where] = /^(types:)?(.*)$/.exec(rule)!
          if (types && !typeOnly) return false
          return target === where || target.startsWith(`${where}/`)
        })
        if (!allowed) say(`${folder} may import ${layer.may.join(', ') || 'nothing'}`)
      }
    t.same(wrong, [])
  })
}

t.test('every folder of src is a layer', async t => {
  const folders = new Set(files.filter(f => f.startsWith('src/')).map(f => f.split('/')[1]!))
  t.same(
    [...folders].filter(f => !layers[f]),
    []
  )
})
