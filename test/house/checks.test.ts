/** The type check and the formatting are tests like any other. */
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { top } from './source.ts'

for (const [command, ...args] of [['tsc'], ['biome', 'check', '--colors=off']] as const)
  t.test([command, ...args].join(' '), async t => {
    const run = spawnSync(`${top}node_modules/.bin/${command}`, args, { cwd: top, encoding: 'utf8' })
    t.equal(run.status, 0, `${run.stdout}${run.stderr}`.slice(0, 4000))
  })

for (const script of ['scripts/setup', 'scripts/install-user'])
  t.test(`${script} is a POSIX shell script`, async t => {
    const run = spawnSync('sh', ['-n', script], { cwd: top, encoding: 'utf8' })
    t.equal(run.status, 0, run.stderr)
  })
