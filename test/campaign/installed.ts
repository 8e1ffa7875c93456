/** Coterie in a box as its package put it there: nothing of the checkout, and the box has no Node of its own. */
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { VERSION } from '../../src/api/api.ts'
import { type Account, type Box, TESTER } from '../lab/box.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import type { Lab } from '../lab/lab.ts'
import type { Ended } from '../lab/space.ts'
import { THIS_DEB } from './releases.ts'

export const NAME = 'org.coterie.Coterie1'
export const SOCKET = 'coterie/coterie.sock'
const PING = `busctl --user --timeout=10 call ${NAME} /org/coterie/Coterie1 org.freedesktop.DBus.Peer Ping`

/** One of each release, with nothing of Coterie in them. `folder`: shown in /host. */
export async function fresh(t: Test, lab: Lab, folder: string): Promise<readonly [Box, Box]> {
  const boxes = [
    await lab.box('b252', 8, 'bookworm', 'a', folder),
    await lab.box('b257', 9, 'trixie', 'a', folder)
  ] as const
  for (const box of boxes) {
    const found =
      'command -v node nodejs npm coterie coteried; ls -d /usr/lib/node* /usr/lib/coterie /host/src'
    t.match(await box.try(['sh', '-c', found]), { stdout: '' }, `${box.name}: nothing of Node or Coterie`)
    t.match(await box.run('nmcli -t -f STATE general'), /connect/, `${box.name}: a NetworkManager of its own`)
  }
  return boxes
}

/** What apt says, and whatever it runs. */
export async function apt(box: Box, words: string): Promise<{ code: number; said: string }> {
  const quiet = ['env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8']
  const command = [...quiet, 'apt-get', '-y', '-q', ...words.split(' ')]
  const { code, stdout, stderr } = await box.try(command, { timeoutMs: 240_000 })
  return { code, said: stdout + stderr }
}

/** Whose it is, on which box. */
export class Agent {
  readonly box: Box
  readonly owner: Account

  constructor(box: Box, owner: Account = TESTER) {
    this.box = box
    this.owner = owner
  }

  get name(): string {
    return `${this.box.name}/${this.owner.name}`
  }
  systemctl(line: string): Promise<string> {
    return this.box.user(`systemctl --user ${line}`, '', this.owner)
  }
  try(line: string | readonly string[]): Promise<Ended> {
    const words = typeof line === 'string' ? line.split(' ') : line
    return this.box.tryUser(words, { as: this.owner, timeoutMs: 90_000 })
  }
  sh(script: string, input = ''): Promise<string> {
    return this.box.user(['sh', '-c', script], input, this.owner)
  }
  coterie(line: string, input = ''): Promise<string> {
    return this.box.user(`coterie ${line}`, input, this.owner)
  }
  async status(): Promise<Status> {
    return JSON.parse(await this.coterie('status --json'))
  }
  show(property: string): Promise<string> {
    return this.box.show('coterie.service', property, this.owner)
  }
  async pid(): Promise<number> {
    return Number(await this.show('MainPID'))
  }
  /** TCP ports that it listens on. */
  async ports(): Promise<string[]> {
    const [pid, lines] = [await this.pid(), (await this.box.run('ss -Hltnp')).split('\n')]
    return lines.filter(l => l.includes(`pid=${pid},`)).map(l => /:(\d+)\s/.exec(l)![1]!)
  }
  until(what: string, holds: () => Promise<boolean>): Promise<void> {
    return this.box.until(`${this.owner.name}: ${what}`, holds, PATIENCE_MS)
  }
  runs(): Promise<void> {
    return this.until('runs', async () => (await this.show('SubState')) === 'running')
  }
  /** Somebody asks for its name on the bus. */
  activated(): Promise<Ended> {
    return this.try(PING)
  }
  sees(peer: string): Promise<void> {
    return this.until(`sees ${peer}`, async () =>
      (await this.status()).Peers.some(({ Name, State }) => Name === peer && State === 'reachable')
    )
  }
  /** In the journal, which gets it a little later than it is written. */
  says(what: RegExp): Promise<void> {
    const journal = () => this.sh('journalctl --user -u coterie --no-pager -o cat')
    return this.until(`says ${what}`, async () => what.test(await journal()))
  }
}

export interface Status {
  readonly Device: { readonly State: string; readonly Name: string }
  readonly DBus: string
  readonly NetworkSource: string
  readonly Version: string
  readonly Circle: { readonly Id: string }
  readonly Peers: readonly { readonly Name: string; readonly State: string }[]
}

/** Installs the package, and sees that by itself nothing comes of it. */
export async function install(t: Test, box: Box, deb = THIS_DEB): Promise<void> {
  const { code, said } = await apt(box, `install ${deb}`)
  t.equal(code, 0, `${box.name}: ${said}`)
  t.notMatch(said, /^coterie: |failed|error/im, 'it goes without a word')
}

export async function asleep(t: Test, agent: Agent): Promise<void> {
  t.equal(await agent.systemctl('list-units --no-legend coterie*'), '', `${agent.name}: nothing runs`)
  t.match(await agent.try('systemctl --user is-enabled coterie.service'), { stdout: 'disabled\n' })
  t.match(await agent.try('systemctl --user is-enabled coterie.socket'), { stdout: 'disabled\n' })
  t.match(await agent.try('systemctl --user is-enabled coterie-tray.service'), { stdout: 'disabled\n' })
  t.not((await agent.activated()).code, 0, 'asking for its name does not start it')
  t.not((await agent.try(['sh', '-c', `test -e $XDG_RUNTIME_DIR/${SOCKET}`])).code, 0, 'there is no socket')
  t.match(await agent.try('coterie status'), { code: 3, stderr: /systemctl --user/ })
  t.equal(await agent.systemctl('list-units --no-legend coterie*'), '', 'and still nothing runs')
}

/** The process, and what others see of it. */
export async function awake(t: Test, agent: Agent, version = VERSION): Promise<void> {
  // who connects to the socket is answered before the bus has given the name
  await agent.until('has its name', async () => (await agent.status()).DBus === 'owned')
  t.equal((await agent.status()).Version, version, `${agent.name}: runs`)
  t.equal(await agent.systemctl('is-active coterie.service coterie.socket'), 'active\nactive')
}

/** By a code that one shows and the other types. */
export async function joinByCode(one: Agent, other: Agent): Promise<void> {
  const inviting = one.box.start(['coterie', 'invite', '--yes', '--json'], one.owner)
  const said: string[] = []
  const lines = createInterface({ input: inviting.stdout! }).on('line', line => said.push(line))
  const code = new Promise<string>(resolve =>
    lines.on('line', line => {
      const { Code } = JSON.parse(line)
      if (Code !== undefined) resolve(Code)
    })
  )
  const ended = new Promise(resolve => inviting.once('exit', resolve))
  const shown = await within(PATIENCE_MS, 'a code', code, () => said.join('\n'))
  await other.coterie(`join ${shown} --device ${other.box.name}`)
  await within(PATIENCE_MS, 'the invitation ends', ended, () => said.join('\n'))
  await Promise.all([one.sees(other.box.name), other.sees(one.box.name)])
}
