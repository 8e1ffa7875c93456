/**
 * A computer of the lab with an address that nobody gives it and no NetworkManager: a peer among many, or one that
 * runs other people's programs.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '../../src/cli/client.ts'
import { Daemon } from './daemon.ts'
import type { Switch } from './lab.ts'
import { Space } from './space.ts'

const top = new URL('../..', import.meta.url).pathname
const NOWHERE = 'unix:path=/nonexistent/bus'

export class Plain {
  readonly name: string
  /** h1 to h9 have the numbers 1 to 9; this one another, at most 99. */
  readonly number: number
  readonly folder: string
  readonly space: Space
  address: string

  private constructor(name: string, number: number, folder: string, space: Space, address: string) {
    this.name = name
    this.number = number
    this.folder = folder
    this.space = space
    this.address = address
  }

  /** Plugged into LAN a. */
  static async open(number: number, folder: string, wires: Switch): Promise<Plain> {
    const name = `p${number}`
    const home = join(folder, name)
    mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 })
    const space = await Space.open(name, {
      PATH: `${top}node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: 'C.UTF-8',
      NODE_COMPILE_CACHE: `${top}node_modules/.cache/compile`,
      HOME: home,
      XDG_RUNTIME_DIR: join(home, 'run'),
      DBUS_SYSTEM_BUS_ADDRESS: NOWHERE,
      DBUS_SESSION_BUS_ADDRESS: NOWHERE
    })
    const address = `10.77.1.${150 + number}`
    await wires.plug({ name, number, space }, 'eth0', 'a')
    await space.run('ip link set eth0 up')
    await space.run(`ip address add ${address}/24 dev eth0`)
    await space.run('ip route add default via 10.77.1.1')
    return new Plain(name, number, home, space, address)
  }

  start(): Promise<Daemon> {
    return Daemon.start(this.space, `${this.folder}/coteried.log`)
  }
  client(): Promise<Client> {
    return Client.open(`${this.folder}/run/coterie/coterie.sock`)
  }
  /** Another address in the place of the one it has. */
  async readdress(address: string): Promise<void> {
    await this.space.run(`ip address del ${this.address}/24 dev eth0`)
    await this.space.run(`ip address add ${address}/24 dev eth0`)
    await this.space.run('ip route replace default via 10.77.1.1')
    this.address = address
  }
}
