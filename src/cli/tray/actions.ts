/** What the menu does. Each ends with a notification, also when it fails. */
import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApiError, type Params } from '../../api/api.ts'
import type { Bus } from '../../host/bus.ts'
import { Client } from '../client.ts'
import { printable } from '../print.ts'
import { Failure } from '../run.ts'
import { sentence } from '../send.ts'
import { wokenLine } from '../wake.ts'
import { latency, reason } from '../words.ts'
import { chooseFile } from './choosing.ts'
import { clipboard } from './clipboard.ts'
import type { Peer, Wishes } from './view.ts'

/** A body of a message. */
const MOST = 1_048_576
/** A message that is not done by then goes on by itself. */
const PATIENCE_USEC = 15_000_000
const WAKE_S = 20

/** `stays`: until it is taken away, or the function that comes back is called. */
export type Tell = (title: string, text: string, stays?: boolean) => Promise<() => void>

export class Actions implements Wishes {
  readonly quit: () => void
  readonly #bus: Bus
  readonly #socket: string
  readonly #tell: Tell
  readonly #onChange: () => void
  #invitation: Client | undefined

  /** `onChange`: an invitation began or ended. */
  constructor(options: { bus: Bus; socket: string; tell: Tell; onChange: () => void; quit: () => void }) {
    this.#bus = options.bus
    this.#socket = options.socket
    this.#tell = options.tell
    this.#onChange = options.onChange
    this.quit = options.quit
  }

  /** A code is shown now. */
  get inviting(): boolean {
    return this.#invitation !== undefined
  }

  sendFile(peer: Peer): void {
    void this.#do(peer.Name, async client => {
      const path = await chooseFile(this.#bus, `Send a file to ${printable(peer.Name)}`)
      if (path === undefined) return
      const name = basename(path)
      const line = Buffer.from(`${name.replaceAll('\n', ' ')}\n`)
      const { size } = await stat(path)
      if (size + line.length > MOST) throw new Failure(`${name} is too large: a message carries 1 MiB`)
      await this.#send(client, peer, 'file', name, Buffer.concat([line, await readFile(path)]))
    })
  }

  sendClipboard(peer: Peer): void {
    void this.#do(peer.Name, async client => {
      const text = await clipboard()
      if (text === '') throw new Failure('there is no text in the clipboard')
      await this.#send(client, peer, 'clipboard', 'The clipboard', Buffer.from(text))
    })
  }

  wake(peer: Peer): void {
    void this.#do(peer.Name, async client => {
      const { Devices } = await client.call('Devices', { Circle: peer.Circle })
      const woken = await client.call('Wake', { ...whom(peer), WaitUSec: WAKE_S * 1_000_000 })
      await this.#tell(peer.Name, wokenLine(woken, Devices, WAKE_S))
    })
  }

  why(peer: Peer): void {
    void this.#do(peer.Name, async client => {
      const why = await client.call('Why', whom(peer))
      const because = why.State === 'reachable' ? latency(why.LatencyUSec) : reason(why.Reason)
      const is = `It is ${why.State}${because ? `: ${because}` : ''}.`
      await this.#tell(peer.Name, [is, ...why.Advice.map(printable)].join('\n'))
    })
  }

  invite(): void {
    if (this.#invitation !== undefined) return
    void this.#do('Coterie', async client => {
      this.#invitation = client
      this.#onChange()
      let takeAway = Promise.resolve(() => {})
      try {
        const joined = await client.call('Invite', {}, (_sentence, { Code, TriesLeft }) => {
          if (typeof Code === 'string') takeAway = this.#code(client, Code)
          if (TriesLeft !== undefined)
            void this.#tell('Invitation', `A wrong code was tried; tries left: ${TriesLeft}.`)
        })
        await this.#tell('Coterie', `${printable(joined.Name)} has joined.`)
      } catch (error) {
        if (this.#invitation !== undefined) throw error
      } finally {
        this.#invitation = undefined
        this.#onChange()
        void takeAway.then(close => close())
      }
    })
  }

  cancelInvitation(): void {
    const client = this.#invitation
    this.#invitation = undefined
    client?.close()
  }

  /** Only by a notification: menus can be read by every program of the session. */
  async #code(client: Client, code: string): Promise<() => void> {
    const text = `On the other device: coterie join ${code}\nGood for one device, for 10 minutes.`
    try {
      return await this.#tell('Invitation', text, true)
    } catch {
      client.close()
      return () => {}
    }
  }

  async #send(client: Client, peer: Peer, tag: string, what: string, body: Buffer): Promise<void> {
    const { Messages } = await client.call('Send', {
      Circle: peer.Circle,
      Peers: [peer.Id],
      Tag: tag,
      BodyBase64: body.toString('base64')
    })
    const wait = { Circle: peer.Circle, Id: Messages[0]!.Id, State: 'done', TimeoutUSec: PATIENCE_USEC }
    try {
      const { Message } = await client.call('WaitMessage', wait)
      await this.#tell(peer.Name, `${what}: ${sentence(Message)}`)
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'Timeout')) throw error
      await this.#tell(peer.Name, `${what} waits for ${printable(peer.Name)}, and goes there by itself`)
    }
  }

  async #do(title: string, work: (client: Client) => Promise<void>): Promise<void> {
    let client: Client | undefined
    try {
      client = await Client.open(this.#socket)
      await work(client)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      await this.#tell(title, text).catch(() => {})
    } finally {
      client?.close()
    }
  }
}

const whom = (peer: Peer): Pick<Params<'Why'>, 'Circle' | 'Peer'> => ({
  Circle: peer.Circle,
  Peer: peer.Id
})
