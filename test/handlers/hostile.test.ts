/** The ready-made handlers alone, with bodies that mean no good and desktops that lack things. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lacking } from '../command.ts'

const folder = join(import.meta.dirname, '../../handlers')
const USUAL = ['awk', 'cat', 'cut', 'find', 'head', 'iconv', 'id', 'mkdir', 'mktemp', 'mv', 'rm', 'sed']
const MORE = ['setsid', 'sh', 'sleep', 'timeout', 'tr']

interface Run {
  home?: string
  /** Programs that there are beside those of every system: each writes its arguments and stdin into HOME. */
  programs?: string[]
  env?: { [name: string]: string }
}

function attempt(t: Test, name: string, body: string | Buffer, { home = '', programs = [], env = {} }: Run) {
  const directory = home || t.testdir()
  const bin = join(directory, 'bin')
  mkdirSync(bin, { recursive: true })
  for (const program of [...USUAL, ...MORE])
    if (!existsSync(join(bin, program)))
      symlinkSync(
        ['/usr/bin', '/bin'].map(place => join(place, program)).find(path => existsSync(path))!,
        join(bin, program)
      )
  for (const program of programs) {
    writeFileSync(
      join(bin, program),
      `#!/bin/sh\nprintf '%s\\n' "$@" > "$HOME/${program}.args"\n[ -t 0 ] || cat > "$HOME/${program}.in"\n`
    )
    chmodSync(join(bin, program), 0o755)
  }
  const ended = spawnSync(join(folder, name), [], {
    input: body,
    cwd: directory,
    env: {
      PATH: bin,
      HOME: directory,
      COTERIE_FROM_NAME: 'desk',
      COTERIE_SIZE: `${Buffer.byteLength(body)}`,
      ...env
    }
  })
  const wrote = (file: string) =>
    existsSync(join(directory, file)) ? readFileSync(join(directory, file), 'utf8') : undefined
  return { code: ended.status, out: `${ended.stdout}`, err: `${ended.stderr}`, wrote, directory }
}

const X = { DISPLAY: ':0' }

t.test('each says what it takes, and what it ends with', async t => {
  t.same(readdirSync(folder).sort(), ['clipboard', 'file', 'notify', 'open-url', 'run-command'])
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    t.match(text, /^#!\/bin\/sh\n# [A-Z].*\n(#.*\n)*# Takes .*\n(#.*\n)+set -eu\n/, name)
    t.match(text, /Ends (with|as) /, name)
  }
})

t.test('shellcheck', { skip: lacking('shellcheck') }, async t => {
  const { stdout } = spawnSync('shellcheck', readdirSync(folder), { cwd: folder, encoding: 'utf8' })
  t.equal(stdout, '')
})

t.test('open-url opens the web and nothing else', async t => {
  const home = t.testdir()
  const run = (body: string | Buffer) =>
    attempt(t, 'open-url', body, { home, programs: ['xdg-open'], env: X })
  for (const url of [
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http:/example.org',
    'http://',
    'https://-x',
    ' https://example.org',
    '--help',
    'https://example.org\nfile:///etc/passwd',
    'https://example.org\0',
    'https://example.org/a b',
    'https://example.org/"',
    'https://example.org/`id`',
    'https://example.org/\\',
    'https://exämple.org',
    '\nhttps://example.org',
    `https://example.org/${'x'.repeat(2048)}`,
    'x'.repeat(1_048_576),
    ''
  ])
    t.match(
      run(url),
      { code: 65, err: /no http:\/\/ or https:\/\/ address/ },
      JSON.stringify(url.slice(0, 40))
    )
  const bytes = run(Buffer.from([...Buffer.from('https://a/'), 0xff]))
  t.equal(bytes.code, 65)
  t.equal(bytes.wrote('xdg-open.args'), undefined, 'none of them was opened')
  for (const url of ['HTTPS://Example.org:8/~a/%20?x=[1]&y=$(id);z#!f', "http://[::1]/'*'"]) {
    const opened = run(`${url}\n`)
    t.match(opened, { code: 0 })
    t.equal(opened.wrote('xdg-open.args'), `${url}\n`)
  }
  t.match(attempt(t, 'open-url', 'https://a.org', { home: t.testdir(), env: X }), {
    code: 69,
    err: /xdg-utils/
  })
})

t.test('file keeps to its folder and overwrites nothing', async t => {
  const names: [string, string][] = [
    ['../../.bashrc', 'bashrc'],
    ['/etc/passwd', 'passwd'],
    ['..', 'from desk'],
    ['a/..', 'from desk'],
    ['', 'from desk'],
    ['-rf', 'rf'],
    ['.hidden', 'hidden'],
    ['a\tb\x1b[31m\rc', 'ab[31mc'],
    ['$(id) `id` "x" *', '$(id) `id` "x" *'],
    ['C:\\x', 'C:\\x'],
    ['Grüße.txt', 'Grüße.txt']
  ]
  for (const [name, expected] of names) {
    const saved = attempt(t, 'file', `${name}\nbody`, {})
    t.match(saved, { code: 0, out: `${expected}\n` }, JSON.stringify(name))
    t.same(readdirSync(join(saved.directory, 'Downloads')), [expected])
    t.equal(saved.wrote(`Downloads/${expected}`), 'body')
  }
  t.match(attempt(t, 'file', Buffer.from([0x41, 0xff, 0x0a]), {}), { code: 0, out: 'A\n' })
  t.equal(attempt(t, 'file', `${'ä'.repeat(5000)}\nx`, {}).out, `${'ä'.repeat(100)}\n`)
  t.equal(attempt(t, 'file', 'x\n', { env: { COTERIE_FROM_NAME: '../x' } }).code, 0)

  const home = t.testdir({ Downloads: { 'a.txt': 'mine', 'a-2.txt': {} } })
  symlinkSync('/nonexistent/file', join(home, 'Downloads/a-3.txt'))
  t.match(attempt(t, 'file', 'a.txt\nbody', { home }), { code: 0, out: 'a-4.txt\n' })
  t.equal(readFileSync(join(home, 'Downloads/a.txt'), 'utf8'), 'mine')
  t.same(readdirSync(join(home, 'Downloads')).length, 4, 'nothing is left beside')
})

t.test('run-command runs what is listed, and only from a list of its own', async t => {
  const list = 'date  echo today\n# no  echo no\n-x echo minus\n$(id) echo no\nlast echo last'
  const home = t.testdir({ '.config': { coterie: { commands: list } } })
  const run = (body: string | Buffer) => attempt(t, 'run-command', body, { home })
  t.match(run('date\n'), { code: 0, out: 'today\n' })
  t.match(run('last'), { code: 0, out: 'last\n' })
  t.match(run(''), { code: 0, out: 'date\n-x\n$(id)\nlast\n' })
  for (const body of [
    'date x',
    'date;id',
    'dat',
    'date\nlast',
    'date\0',
    '#',
    '*',
    'x'.repeat(1_048_576),
    'no'
  ])
    t.match(run(body), { code: 64 }, JSON.stringify(body.slice(0, 20)))
  chmodSync(join(home, '.config/coterie/commands'), 0o622)
  t.match(run('date'), { code: 78, out: '', err: /chmod go-w/ })
})

t.test('clipboard and notify use what there is', async t => {
  const run = (name: string, body: string, programs: string[], env: { [name: string]: string } = X) =>
    attempt(t, name, body, { programs, env })
  const selected = run('clipboard', '-x\n', ['xsel'])
  t.match([selected.code, selected.wrote('xsel.in')], [0, '-x'])
  const both = run('clipboard', 'x', ['xclip', 'wl-copy'], { ...X, WAYLAND_DISPLAY: 'wayland-0' })
  t.match([both.code, both.wrote('wl-copy.in'), both.wrote('xclip.in')], [0, 'x', undefined])
  t.match(run('clipboard', 'x', []), { code: 69, err: /wl-clipboard/ })
  t.match(run('clipboard', 'x', ['xclip'], {}), { code: 75 })

  const sent = run('notify', '-u <b> \\n &\n', ['notify-send'])
  t.equal(sent.code, 0)
  t.match(sent.wrote('notify-send.args'), /\n--\ndesk\n-u &lt;b&gt; \\\\n &amp;\n$/)
  t.match(run('notify', 'x', []), { code: 69, err: /libnotify/ })
})
