/** The first five minutes of README.md as a new user types them, on a fresh Debian 12 and a fresh Debian 13. */
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Box } from '../lab/box.ts'
import { FILE_MS, PATIENCE_MS } from '../lab/deadline.ts'
import { scenario } from '../lab/scenario.ts'
import { Terminal } from '../terminal.ts'
import { releases } from './releases.ts'

t.setTimeout(FILE_MS)

/** What each block of a section has one type, without its comments. */
function blocks(section: string): string[][] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const from = readme.indexOf(`\n${section}\n`)
  if (from < 0) throw new Error(`README.md has no ${section}`)
  const text = readme.slice(from + section.length, readme.indexOf('\n#', from + section.length + 1))
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = '']) =>
    block
      .split('\n')
      .map(line => line.replace(/ {2,}# .*$/, '').trim())
      .filter(line => line !== '' && !line.startsWith('#'))
  )
}

/** Somebody at a computer: types a line, and reads until the prompt is there again. */
class Person {
  readonly box: Box
  readonly #t: Test
  constructor(t: Test, box: Box) {
    this.#t = t
    this.box = box
  }

  /** What a shell needs to understand the line. */
  terminal(line: string): Terminal {
    return new Terminal(this.#t, this.box.words(['env', 'TERM=xterm', 'bash', '-c', line]), {
      env: { PATH: process.env['PATH'] ?? '' },
      rows: 50,
      columns: 80
    })
  }

  async type(line: string, how = /^ended 0/): Promise<string> {
    const terminal = this.terminal(line)
    const ended = await terminal.ended()
    return this.#read(line, terminal, ended, how)
  }

  /** What is on the screen in the end, and how it ended. */
  read(line: string, terminal: Terminal, ended: string): string {
    return this.#read(line, terminal, ended, /^ended 0/)
  }

  #read(line: string, terminal: Terminal, ended: string, how: RegExp): string {
    const text = terminal.display.lines
      .join('\n')
      .replace(/\nended [\s\S]*/, '')
      .trimEnd()
    const lines = `$ ${line}\n${text}`.split('\n')
    this.#t.match(ended, how, `${this.box.name} $ ${line}`)
    for (const one of lines) this.#t.comment(`${this.box.name.padEnd(6)} ${one}`)
    return text
  }

  /** Until a line says it; each try is the command anew. */
  until(what: string, line: string, holds: RegExp): Promise<void> {
    return this.box.until(
      what,
      async () => holds.test((await this.box.tryUser(['sh', '-c', line])).stdout),
      PATIENCE_MS
    )
  }
}

scenario('the first five minutes', {}, async (t, lab) => {
  const folder = releases(t, { next: false })
  const boxes = await Promise.all([
    lab.box('desk', 6, 'bookworm', 'a', folder),
    lab.box('laptop', 7, 'trixie', 'a', folder)
  ])
  const [desk, laptop] = boxes.map(box => new Person(t, box)) as [Person, Person]
  const [[install] = [], [enable, alone] = []] = blocks('## Install')
  const [[init, invite] = [], [join, status] = []] = blocks('## The first five minutes')
  const [handler, [ask, send, outbox] = [], [link] = []] = blocks('### A message that runs something')

  for (const one of [desk, laptop]) {
    const apt = await one.box.try(['sh', '-c', `cd /host && ${install}`], { timeoutMs: 120_000 })
    t.equal(apt.code, 0, `${install}\n${apt.stdout}${apt.stderr}`)
    const before = await one.type(alone!, /^ended 3/)
    t.equal(before.split('\n').length, 3)
    t.match(before, `  ${enable}`, 'before anything it says what README says')
    t.match((await one.type('coterie status', /^ended 3/)).replaceAll('\n', ''), enable!)
    await one.type(enable!)
    t.match(await one.type(alone!), /in no circle yet[\s\S]*coterie init[\s\S]*coterie join CODE/)
  }

  t.match(
    await desk.type(init!),
    /The circle home is ready[\s\S]*Recovery code\n\n.*[0-9A-Z]{4}-[\s\S]*coterie invite/
  )
  t.match(await desk.type(alone!), /desk is the only device in the circle home[\s\S]*coterie invite/)

  const inviting = desk.terminal(invite!)
  await inviting.shows('a code', /[0-9A-Z]{4}-[0-9A-Z]{4}/)
  const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(inviting.display.lines.join('\n'))![0]
  const joining = laptop.terminal(join!.replace('K7QF-2M9X', code))
  await inviting.shows('the question', /laptop[\s\S]*\[Y\/n\]/i)
  inviting.type('y\n')
  const [invited, joined] = await Promise.all([inviting.ended(), joining.ended()])
  t.match(desk.read(invite!, inviting, invited), /laptop/)
  t.match(laptop.read(join!, joining, joined), /home/)

  await laptop.until('sees desk', 'coterie status', /desk +reachable/)
  await desk.until('sees laptop', 'coterie status', /laptop +reachable/)
  t.match(
    await laptop.type(status!),
    /laptop in the circle home[\s\S]*1 of 1 other reachable[\s\S]*● desk {2}reachable/
  )
  t.match(await desk.type(alone!), /desk in the circle home: 1 of 1 other reachable\n {2}● laptop/)
  const top = desk.terminal('coterie top')
  await top.shows('the laptop', /^›● laptop +reachable/m)
  top.type('q')
  t.equal(await top.ended(), 'ended 0, echo on')
  await desk.type('coterie devices')
  await desk.type('coterie why laptop')
  await desk.type('coterie doctor', /^ended [01]/)

  for (const line of handler!) await laptop.type(line)
  t.match(await desk.type(ask!), /^ *[\d.,]+[KMGTP]?$/)
  await desk.type(send!)
  await desk.until('has an answer', outbox!, /(space +done[\s\S]*){2}/)
  t.match(await desk.type(outbox!), /laptop +space +done/)
  await laptop.type(link!)
  t.match(await laptop.type('coterie handlers'), /● {2}notify/)
})
