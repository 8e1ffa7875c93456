/**
 * The examples of docs/handlers.md, run as printed: on two computers that know each other, each with a desktop, and
 * with the ready-made handlers where packages put them.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Client } from '../../src/cli/client.ts'
import { bin, type Ended, run } from '../cli/command.ts'
import { lacking } from '../command.ts'
import { Desktop, X_PROGRAMS } from '../desktop.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { Computer } from './daemon.ts'

const top = join(import.meta.dirname, '../..')
const NAMES = ['laptop', 'desk'] as const
type Name = (typeof NAMES)[number]

interface Example {
  readonly title: string
  readonly blocks: readonly { readonly on: Name; readonly script: string }[]
}

function examples(): Example[] {
  const page = readFileSync(join(top, 'docs/handlers.md'), 'utf8')
  const [, section = ''] = /^## Five examples\n([\s\S]*?)^## /m.exec(page) ?? []
  const [, ...each] = section.split(/^### /m)
  return each.map(text => ({
    title: text.split('\n', 1)[0]!,
    blocks: [...text.matchAll(/^```sh (laptop|desk)\n([\s\S]*?)^```$/gm)].map(([, on, script]) => ({
      on: on as Name,
      script: script!
    }))
  }))
}

/** As a package does it; the mount namespace is the test's. */
function install(): void {
  mkdirSync('/run/share/coterie', { recursive: true })
  mkdirSync('/run/work')
  cpSync(join(top, 'handlers'), '/run/share/coterie/handlers', { recursive: true })
  const layers = 'lowerdir=/usr/share,upperdir=/run/share,workdir=/run/work'
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, '/usr/share'])
}

/** Until it knows all files in its handler folder. */
async function knows(computer: Computer): Promise<void> {
  const folder = join(dirname(computer.configFile), 'handlers')
  mkdirSync(folder, { recursive: true })
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(f => !f.isDirectory())
  const known = async () => {
    while ((await computer.aside('Handlers')).Handlers.length < files.length);
  }
  await within(PATIENCE_MS, `${computer.name} knows its handlers`, known())
}

/** Until so many messages of that tag are done. */
async function done(sender: Computer, tag: string, count: number): Promise<void> {
  const client = await Client.open(sender.socket)
  const look = async () => {
    for await (const _event of client.stream('Watch', { Since: '' })) {
      const { Messages } = await sender.aside('Outbox', { All: true })
      const of = Messages.filter(({ Tag, State }) => Tag === tag && State === 'done')
      if (of.length === count) return
    }
  }
  await within(PATIENCE_MS, `${count} of ${tag} are done`, look(), sender.story)
  client.close()
}

const skip = lacking(...X_PROGRAMS, 'xclip', 'make', 'busctl')

if (inside(t, import.meta.url))
  t.test('the examples of docs/handlers.md', { skip }, async t => {
    install()
    const desktops = { laptop: await Desktop.up(t, t.testdir()), desk: await Desktop.up(t, t.testdir()) }
    const computer = (name: Name) => {
      const PATH = `${bin}:${process.env['PATH']}`
      return new Computer(t, name, { env: { ...desktops[name].environment, PATH } })
    }
    const computers = { laptop: computer('laptop'), desk: computer('desk') }
    const { laptop, desk } = computers
    await Promise.all([laptop.start(), desk.start()])
    await desk.founds()
    await laptop.joins(await desk.ticket())
    await Promise.all([desk.sees('laptop'), laptop.sees('desk')])

    mkdirSync(join(laptop.directory, 'Documents'))
    writeFileSync(join(desk.directory, 'Makefile'), 'all:\n\ttrue\n')
    await run('sh', ['-c', 'xclip -in -selection clipboard > /dev/null 2>&1'], {
      stdin: 'copied on the desk',
      env: { PATH: process.env['PATH']!, ...desktops.desk.environment }
    })
    const saved = join(laptop.directory, 'Backups/documents.tar.gz')

    const checks: { [title: string]: (last: Ended) => unknown } = {
      'A backup': async ({ out }) => {
        t.match(out, /^saved at \d\d:\d\d\n$/)
        t.ok(statSync(saved).size > 0)
      },
      'Know when a build has ended': async () => {
        await done(desk, 'notify', 1)
        const [shown] = await desktops.laptop.notifications()
        t.match(shown, { title: 'desk', text: 'make ended with 0' })
      },
      'Copy here, paste there': async () => {
        await done(desk, 'clipboard', 1)
        t.equal(await desktops.laptop.clipboard(), 'copied on the desk')
      },
      'When the laptop comes home': async () => {
        rmSync(saved)
        await laptop.stop()
        await desk.until('misses it', ({ Peers }) => Peers.every(({ Reachable }) => !Reachable))
        await laptop.start()
        await done(desk, 'backup/start', 2)
        t.ok(statSync(saved).size > 0, 'saved again')
      },
      'How full is its disk?': ({ out }) => t.match(out, /^Filesystem .*Avail.*\n\S+ .*%/)
    }
    const found = examples()
    t.same(
      found.map(({ title }) => title),
      Object.keys(checks)
    )
    for (const { title, blocks } of found) {
      t.comment(title)
      let last: Ended = { code: 0, out: '', err: '' }
      for (const { on, script } of blocks) {
        const { environment } = computers[on]
        last = await run('sh', ['-c', `cd; ${script}`], { env: environment })
        t.match(last, { code: 0, err: '' }, `${title}, on the ${on}`)
        await knows(computers[on])
      }
      await checks[title]?.(last)
    }
    t.match(await laptop.coterie('handlers check'), { code: 0, err: '' })
  })
