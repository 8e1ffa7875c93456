/** What programs and libraries need of the system they are installed on, and what they may need. */
import { run } from './run.ts'

/** Debian 12, the oldest system that packages are for. */
const OLDEST: { readonly [name: string]: string } = {
  GLIBC: '2.36',
  GLIBCXX: '3.4.30',
  CXXABI: '1.3.13',
  GCC: '12.0.0',
  LIBSYSTEMD: '252'
}

/** Debian's packages of the libraries; other ones may not be needed at all. */
const PACKAGES: { readonly [library: string]: string } = {
  'libc.so.6': 'libc6',
  'libm.so.6': 'libc6',
  'libdl.so.2': 'libc6',
  'libpthread.so.0': 'libc6',
  'ld-linux-x86-64.so.2': 'libc6',
  'ld-linux-aarch64.so.1': 'libc6',
  'libstdc++.so.6': 'libstdc++6',
  'libgcc_s.so.1': 'libgcc-s1',
  'libatomic.so.1': 'libatomic1',
  'libsystemd.so.0': 'libsystemd0'
}

/** Which GCC brought these symbols of libstdc++: its Debian packages bear GCC's numbers. */
const GLIBCXX: readonly (readonly [symbols: string, gcc: string])[] = [
  ['3.4.21', '5'],
  ['3.4.22', '6'],
  ['3.4.24', '7'],
  ['3.4.25', '8'],
  ['3.4.28', '9'],
  ['3.4.29', '11'],
  ['3.4.30', '12']
]

const parts = (version: string) => version.split('.').map(Number)

/** As numbers, part by part: negative where `a` is the older one. */
export function compare(a: string, b: string): number {
  const [x, y] = [parts(a), parts(b)]
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Highest version of each kind of symbol, such as GLIBC → 2.34, by library. */
export type Needs = Map<string, Map<string, string>>

/** Reads any architecture. Throws when a file needs a library or symbols that the oldest system has not. */
export function needs(files: readonly string[]): Needs {
  const all: Needs = new Map()
  for (const file of files) {
    const text = run('readelf', ['-W', '-d', '-V', file])
    for (const [, library] of text.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)) {
      if (!PACKAGES[library!]) throw new Error(`${file} needs ${library}, which no package is known for`)
      if (!all.has(library!)) all.set(library!, new Map())
    }
    let library = ''
    for (const [, from, kind, version] of text.matchAll(
      /File: (\S+)|Name: ([A-Z]+)_([\d.]+)(?= .*Flags: )/g
    )) {
      if (from) library = from
      else if (kind && version && library && all.has(library)) {
        const oldest = OLDEST[kind]
        if (!oldest || compare(version, oldest) > 0)
          throw new Error(`${file} needs ${kind}_${version} of ${library}; ${oldest ?? 'no such'} is there`)
        const known = all.get(library)!
        if (compare(version, known.get(kind) ?? '0') > 0) known.set(kind, version)
      }
    }
  }
  return all
}

/** For Depends: of a .deb, sorted. */
export function debianDepends(all: Needs): string[] {
  const least = new Map<string, string>()
  for (const [library, kinds] of all) {
    const name = PACKAGES[library]!
    const version =
      name === 'libstdc++6'
        ? GLIBCXX.find(([symbols]) => compare(symbols, kinds.get('GLIBCXX') ?? '0') >= 0)![1]
        : (kinds.get('GLIBC') ?? kinds.get('LIBSYSTEMD') ?? kinds.get('GCC') ?? '0')
    if (compare(version, least.get(name) ?? '0') >= 0) least.set(name, version)
  }
  return [...least].map(([name, version]) => `${name} (>= ${version})`).sort()
}
