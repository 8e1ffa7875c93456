/** A real avahi-daemon on a bus of its own inside a host of a Lan. Needs avahi-daemon, avahi-utils, dbus. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Lan } from './lan.ts'

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=PATH</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`

export class Avahi {
  readonly #lan: Lan
  readonly #host: string
  readonly #bus: string

  private constructor(lan: Lan, host: string, bus: string) {
    this.#lan = lan
    this.#host = host
    this.#bus = bus
  }

  /** Up, and its host name (that of the host in the Lan) established. */
  static async start(lan: Lan, host: string): Promise<Avahi> {
    const folder = lan.folder()
    for (const sub of ['run', 'services']) mkdirSync(join(folder, sub))
    const bus = join(folder, 'bus')
    writeFileSync(join(folder, 'bus.conf'), BUS.replace('PATH', bus))
    writeFileSync(join(folder, 'conf'), `[server]\nhost-name=${host}\nallow-interfaces=eth0\n`)
    const dbus = lan.start(
      host,
      'dbus-daemon',
      `--config-file=${folder}/bus.conf`,
      '--nofork',
      '--print-address'
    )
    await line(dbus.stdout!, 'unix:')
    const mounts = `mount --bind ${folder}/run /run/avahi-daemon; mount --bind ${folder}/services /etc/avahi/services`
    const options = `--no-chroot --no-drop-root --no-rlimits --no-proc-title -f ${folder}/conf`
    const script = `mkdir -p /run/avahi-daemon; ${mounts}; DBUS_SYSTEM_BUS_ADDRESS=unix:path=${bus} exec avahi-daemon ${options}`
    const avahi = lan.start(host, 'unshare', '-m', '--propagation', 'private', 'sh', '-c', script)
    await line(avahi.stderr!, 'Server startup complete')
    return new Avahi(lan, host, bus)
  }

  /** The name it holds now. */
  hostName(): string {
    const call = ['org.freedesktop.Avahi', '/', 'org.freedesktop.Avahi.Server', 'GetHostName']
    return this.#lan.in(this.#host, 'busctl', `--address=unix:path=${this.#bus}`, 'call', ...call).trim()
  }

  /** Browses until one is resolved: avahi-browse's line. */
  async browse(type: string): Promise<string> {
    const env = `DBUS_SYSTEM_BUS_ADDRESS=unix:path=${this.#bus}`
    const browse = this.#lan.start(this.#host, 'env', env, 'avahi-browse', '-rp', type)
    const found = await line(browse.stdout!, '=;')
    browse.kill()
    return found
  }
}

async function line(stream: NodeJS.ReadableStream, text: string): Promise<string> {
  let all = ''
  for await (const one of createInterface({ input: stream })) {
    all += `${one}\n`
    if (one.includes(text)) {
      stream.resume()
      return one
    }
  }
  throw new Error(`no "${text}" in ${all}`)
}
