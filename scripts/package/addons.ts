/**
 * Native addons, each as index.js (its own JavaScript in one file) beside one stripped .node file: no search for
 * prebuilds at run time, and nothing of other platforms.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build } from 'esbuild'
import { ONE_FILE, packagesOf } from '../bundle.ts'
import { run, top } from './run.ts'
import type { Target } from './target.ts'

interface Addon {
  readonly name: string
  /** The file that is required, below the package. */
  readonly entry: (target: Target) => string
  /** The one that loads the binary, as it is asked for in the package; answered with the binary itself. */
  readonly loader: RegExp
  /** What is called for the binary, where it is a function. */
  readonly call?: string
  /** Puts the binary there. */
  readonly binary: (target: Target, node: string, path: string) => void
}

const modules = join(top, 'node_modules')

export const addons: readonly Addon[] = [
  {
    name: 'better-sqlite3-multiple-ciphers',
    entry: target => `lib/linux-${target.node}.js`,
    loader: /^\.\.\/prebuilds\/linux-\w+\.node$/,
    binary: (target, _, path) =>
      copyFileSync(
        join(modules, 'better-sqlite3-multiple-ciphers/prebuilds', `linux-${target.node}.node`),
        path
      )
  },
  {
    name: 'sodium-native',
    entry: () => 'index.js',
    loader: /^\.\/binding$/,
    binary: (target, _, path) =>
      copyFileSync(
        join(modules, 'sodium-native/prebuilds', `linux-${target.node}`, 'sodium-native.node'),
        path
      )
  },
  {
    name: 'sd-notify',
    entry: () => 'index.js',
    loader: /^bindings$/,
    call: '() => require("./addon.node")',
    binary: compileNotify
  }
]

/** Makes `folder`/NAME for each; resolves with the names of the npm packages that went into them. */
export async function placeAddons(folder: string, target: Target, node: string): Promise<string[]> {
  const names: string[] = []
  for (const { name, entry, loader, call, binary } of addons) {
    const directory = join(folder, name)
    mkdirSync(directory, { recursive: true })
    const { metafile } = await build({
      entryPoints: [join('node_modules', name, entry(target))],
      outfile: join(directory, 'index.js'),
      ...ONE_FILE,
      external: ['./addon.node'],
      plugins: [
        {
          name: 'addon',
          setup(its) {
            its.onResolve({ filter: loader }, () => ({ path: name, namespace: 'addon' }))
            its.onLoad({ filter: /./, namespace: 'addon' }, () => ({
              contents: `module.exports = ${call ?? 'require("./addon.node")'}`
            }))
          }
        }
      ]
    })
    binary(target, node, join(directory, 'addon.node'))
    names.push(...packagesOf(Object.keys(metafile.inputs)))
  }
  return [...new Set(names)].sort()
}

/** What sd-notify calls, with the versions that libsystemd gives them: enough to link for any machine. */
const SYSTEMD = {
  LIBSYSTEMD_209: ['sd_notify', 'sd_watchdog_enabled', 'sd_journal_print_with_location'],
  LIBSYSTEMD_214: ['sd_pid_notify']
}

/** Compiled here, because its package brings no binary. */
function compileNotify({ triplet }: Target, node: string, path: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-notify-'))
  try {
    const functions = Object.values(SYSTEMD).flat()
    writeFileSync(join(folder, 'systemd.c'), functions.map(name => `int ${name}() { return 0; }\n`).join(''))
    const versions = Object.entries(SYSTEMD).map(([v, names]) => `${v} { global: ${names.join('; ')}; };\n`)
    writeFileSync(join(folder, 'systemd.map'), versions.join(''))
    run(`${triplet}-gcc`, [
      ...['-shared', '-fPIC', '-Wl,-soname,libsystemd.so.0'],
      `-Wl,--version-script=${folder}/systemd.map`,
      ...['-o', join(folder, 'libsystemd.so'), join(folder, 'systemd.c')]
    ])
    // __FILE__ is in the object: a relative path is the same on every machine
    const source = relative(top, join(modules, 'sd-notify/notify.cc'))
    run(`${triplet}-g++`, [
      ...['-shared', '-fPIC', '-O2', '-std=gnu++20', '-fvisibility=hidden', '-fstack-protector-strong', '-w'],
      ...['-D_FORTIFY_SOURCE=2', '-DNODE_GYP_MODULE_NAME=notify', '-DBUILDING_NODE_EXTENSION'],
      ...['-I', join(node, 'include/node'), '-idirafter', '/usr/include'],
      ...['-Wl,-z,relro,-z,now', '-Wl,--build-id=none', '-L', folder],
      ...['-o', path, source, '-lsystemd']
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
}
