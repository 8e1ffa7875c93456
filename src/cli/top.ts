/** `coterie top`: a live view of the other devices. Events make it, one timer notes latencies. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import type { Command } from 'commander'
import { ApiError, type Result } from '../api/api.ts'
import { paths } from '../paths.ts'
import { Client, NotRunning } from './client.ts'
import { nearness } from './near.ts'
import { pingLines } from './ping.ts'
import { type Look, lookOf } from './print.ts'
import { UsageError, withCircle } from './run.ts'
import { Screen } from './screen.ts'
import { starting } from './starting.ts'
import { helpPage, topLines } from './top-lines.ts'
import { type Peer, SAMPLE_MS, Scene, type Wish } from './top-scene.ts'
import { wokenLine } from './wake.ts'
import { whyLines } from './why.ts'

/** Between two pictures, while much happens. */
const DRAW_MS = 100
/** How often a daemon is looked for that is gone. */
const LOOK_MS = 1_000
/** The daemon is killed that has not ended by then (TimeoutStopSec). */
const ENDING_MS = 12_000
const WAKE_WAIT_S = 20

export function addTopCommand(program: Command): void {
  withCircle(program.command('top'))
    .description('a live view: the other devices, what waits to be sent, what happens; q ends it, ? explains')
    .action(top)
}

async function top({ circle }: { circle?: string }): Promise<void> {
  const { stdin, stdout, env } = process
  if (!stdin.isTTY || !stdout.isTTY || env['TERM'] === 'dumb')
    throw new UsageError(
      'top needs a terminal that can be drawn on; `coterie watch` prints what happens, `coterie status` what is'
    )
  // what is wrong from the beginning is told below the prompt
  const client = await Client.open(paths().socket)
  const only = circle === undefined ? '' : (await client.call('Status', { Circle: circle })).Circle.Id
  client.close()
  const look: Look = {
    ...lookOf(stdout),
    get columns() {
      return stdout.columns || 80
    }
  }
  await new Top(look, only).run()
  // a daemon may be waited for, or an answer
  process.exit(0)
}

class Top {
  readonly #scene: Scene
  readonly #look: Look
  readonly #screen: Screen
  readonly #over = Promise.withResolvers<void>()
  #ended = false
  #clients: readonly Client[] = []
  /** Of the daemon that is followed; 0 when it cannot be told. */
  #pid = 0
  #anew = false
  #counting = false
  #near = nearness(networkInterfaces())
  #drawing: NodeJS.Timeout | undefined
  #drawnMs = 0

  constructor(look: Look, only: string) {
    this.#look = look
    this.#scene = new Scene(look, only)
    this.#screen = new Screen(process.stdin, process.stdout, {
      key: (name, ctrl) => {
        const wish = this.#scene.press(name, ctrl)
        if (wish) this.#do(wish)
        this.#draw()
      },
      resized: () => this.#draw(),
      gone: () => this.#over.resolve()
    })
  }

  async run(): Promise<void> {
    this.#screen.open()
    const ticking = setInterval(() => void this.#tick(), SAMPLE_MS)
    try {
      await Promise.race([this.#over.promise, this.#follow()])
    } finally {
      this.#ended = true
      clearInterval(ticking)
      clearTimeout(this.#drawing)
      this.#screen.close()
      for (const client of this.#clients) client.close()
    }
  }

  // --- the daemon -----------------------------------------------------------------------------------------

  /** Follows the events of one daemon after the other. */
  async #follow(): Promise<void> {
    for (;;) {
      try {
        await this.#stream()
        // events were missed: all of it is read again, with a breath
        await later(LOOK_MS, undefined, { ref: false })
      } catch (error) {
        if (this.#ended) return
        if (!(error instanceof NotRunning)) throw error
        if (this.#anew) {
          this.#anew = false
          continue
        }
        if (this.#scene.trouble === '') {
          const text = `coteried is gone; waiting for it (${starting().command})`
          this.#scene.lost(text, new Date())
          this.#draw()
        }
        await present(this.#pid)
      }
    }
  }

  async #stream(): Promise<void> {
    const { socket } = paths()
    const [events, calls] = await Promise.all([Client.open(socket), Client.open(socket)])
    this.#clients = [events, calls]
    try {
      const again = this.#scene.trouble !== ''
      const status = await calls.call('Status', { All: true })
      const waiting: Result<'Outbox'>['Messages'] = []
      for (const { Id, Level } of status.Circles)
        if (Level > 0 && this.#scene.shows(Id)) waiting.push(...(await this.#outbox(calls, Id)))
      this.#pid = pidOf()
      this.#scene.begin(status, waiting)
      if (again) this.#scene.remark('coteried is back', new Date())
      if (this.#scene.peers.some(peer => this.#scene.historyOf(peer).length === 0)) this.#scene.sample()
      void this.#count()
      this.#draw()
      for await (const event of events.stream('Watch', { Since: '' })) {
        if (event.Type === 'Gap') return
        if (event.Kind === 'Listener') this.#near = nearness(networkInterfaces())
        this.#scene.receive(event, new Date())
        this.#draw()
      }
    } finally {
      for (const client of this.#clients) client.close()
    }
  }

  /** Nothing, of a circle that cannot be read now. */
  async #outbox(client: Client, Circle: string): Promise<Result<'Outbox'>['Messages']> {
    try {
      return (await client.call('Outbox', { Circle })).Messages
    } catch (error) {
      if (error instanceof ApiError) return []
      throw error
    }
  }

  /** One call beside the events. */
  async #ask<T>(action: (client: Client) => Promise<T>): Promise<T> {
    const client = await Client.open(paths().socket)
    try {
      return await action(client)
    } finally {
      client.close()
    }
  }

  async #tick(): Promise<void> {
    this.#scene.sample()
    await this.#count()
    this.#draw()
  }

  /** There are no events of what is counted. */
  async #count(): Promise<void> {
    const [, calls] = this.#clients
    if (this.#scene.trouble !== '' || calls === undefined || this.#counting) return
    this.#counting = true
    const energy = await calls.call('Energy', {}).catch(() => undefined)
    this.#counting = false
    if (energy) this.#scene.count(energy)
  }

  // --- keys -----------------------------------------------------------------------------------------------

  #do(wish: Wish): void {
    if (wish.type === 'quit') this.#over.resolve()
    else if (wish.type === 'suspend') this.#screen.suspend()
    else if (wish.type === 'help') this.#scene.show(helpPage(this.#look))
    else if (wish.type === 'anew') {
      // the stream ends with its connection, and another one begins
      this.#anew = this.#scene.trouble === ''
      for (const client of this.#clients) client.close()
    } else
      void this.#about(wish.type, wish.peer).catch((error: unknown) => {
        const text =
          error instanceof ApiError || error instanceof NotRunning
            ? error.message.replaceAll(/\s*\n\s*/g, ' ')
            : String(error)
        this.#scene.show(undefined)
        this.#remark(`${wish.type} ${wish.peer.Name}: ${text}`)
      })
  }

  async #about(what: 'why' | 'wake' | 'ping', { Id, Name, Circle }: Peer): Promise<void> {
    const params = { Circle, Peer: Id }
    switch (what) {
      case 'why': {
        const title = `why ${Name}`
        const page = { title, lines: [this.#look.dim('looking, which takes some seconds')] }
        this.#scene.show(page)
        this.#draw()
        const found = await this.#ask(client => client.call('Why', params))
        // nobody waits for it any more
        if (this.#scene.page !== page) return
        this.#scene.show({ title, lines: whyLines(found, this.#look, Date.now() * 1000) })
        return this.#draw()
      }
      case 'wake': {
        this.#remark(`waking ${Name}`)
        const [woken, { Devices }] = await this.#ask(async client => [
          await client.call('Wake', { ...params, WaitUSec: WAKE_WAIT_S * 1e6 }),
          await client.call('Devices', { Circle })
        ])
        return this.#remark(wokenLine(woken, Devices, WAKE_WAIT_S))
      }
      case 'ping':
        for (const line of pingLines(Name, await this.#ask(client => client.call('Ping', params))))
          this.#remark(line)
    }
  }

  #remark(text: string): void {
    this.#scene.remark(text, new Date())
    this.#draw()
  }

  // --- the picture ----------------------------------------------------------------------------------------

  /** Soon: what comes at once is drawn at once. */
  #draw(): void {
    if (this.#drawing !== undefined || this.#ended) return
    const paint = () => {
      this.#drawing = undefined
      this.#drawnMs = performance.now()
      const { rows } = this.#screen
      this.#screen.draw(
        topLines(this.#scene, { look: this.#look, rows, nowUSec: Date.now() * 1000, near: this.#near })
      )
    }
    this.#drawing = setTimeout(paint, Math.max(0, this.#drawnMs + DRAW_MS - performance.now()))
  }
}

/**
 * Resolves when another daemon runs than that of `before`, or that one still after all the time it may take to end.
 * Found by the pid in its lock: connecting would start one where the socket is systemd's, and who stopped it meant
 * that.
 */
async function present(before: number): Promise<void> {
  for (let n = 1; ; n++) {
    await later(LOOK_MS, undefined, { ref: false })
    const pid = pidOf()
    if (pid > 0 && (pid !== before || n * LOOK_MS > ENDING_MS)) return
  }
}

/** Of the daemon that runs on this data; 0: there is none. */
function pidOf(): number {
  try {
    const pid = Number.parseInt(readFileSync(join(paths().data, 'lock'), 'utf8'), 10)
    return pid > 0 && process.kill(pid, 0) ? pid : 0
  } catch {
    return 0
  }
}
