import { spawnSync } from 'node:child_process'
import t from 'tap'

const fuzz = (...words: string[]) =>
  spawnSync('node', ['test/fuzz/run.ts', ...words], {
    cwd: new URL('../..', import.meta.url),
    encoding: 'utf8'
  })

t.test('says its seed and what it did', async t => {
  const { status, stdout } = fuzz(
    '60',
    '--seed',
    '7',
    '--part',
    'histories',
    '--part',
    'meetings',
    '--part',
    'verdict'
  )
  t.match(stdout, /^seed 7\n/)
  t.match(stdout, /histories: 60 in \d+ s, none wrong, \d+ operations/)
  t.match(stdout, /meetings: 6 in/)
  t.match(stdout, /verdict: 60 in/)
  t.equal(status, 0)
})

t.test('what it does not know', async t => {
  const { status, stderr } = fuzz('--part', 'nothing')
  t.match(stderr, /usage: .*parts: histories/s)
  t.equal(status, 2)
  t.equal(fuzz('0').status, 2)
})
