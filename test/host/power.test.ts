import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Bus, type BusMessage, Variant } from '../../src/host/bus.ts'
import { type Power, PowerWatcher, powerOf, type Supply } from '../../src/host/power.ts'
import { TestBus } from '../bus.ts'
import { client, Inbox } from '../daemon/surface.ts'

const NAME = 'org.freedesktop.UPower'
const PATH = '/org/freedesktop/UPower'

/** UPower as far as it matters here. */
class UPower {
  readonly asked: BusMessage[] = []
  readonly #bus: Bus
  onBattery: unknown = new Variant('b', true)

  constructor(bus: Bus) {
    this.#bus = bus
    bus.serve(async message => {
      this.asked.push(message)
      return { signature: 'v', body: [this.onBattery] }
    })
  }

  static async up(t: Test, address: string): Promise<UPower> {
    const upower = new UPower(await client(t, address))
    await upower.appear()
    return upower
  }

  async appear(): Promise<void> {
    await this.#bus.requestName(NAME)
  }

  leave(): Promise<void> {
    return this.#bus.releaseName(NAME)
  }

  tell(changed: object, invalidated: string[] = []): void {
    this.#bus.emit({
      path: PATH,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'PropertiesChanged',
      signature: 'sa{sv}as',
      body: [NAME, changed, invalidated]
    })
  }
}

function watch(t: Test, bus: Bus, options: { directory?: string; lookMs?: number; pauseMs?: number } = {}) {
  const seen = new Inbox<Power>()
  const watcher = new PowerWatcher({
    bus,
    directory: options.directory ?? t.testdir({}),
    pauseMs: 0,
    onChange: () => seen.put(watcher.power),
    ...options
  })
  t.teardown(() => watcher.stop())
  watcher.start()
  return { watcher, seen }
}

function battery(directory: string, status: string, online: string): void {
  const files = { BAT0: { type: 'Battery', status }, AC: { type: 'Mains', online } }
  for (const [name, facts] of Object.entries(files)) {
    mkdirSync(join(directory, name), { recursive: true })
    for (const [file, text] of Object.entries(facts)) writeFileSync(join(directory, name, file), `${text}\n`)
  }
}

t.test('UPower says it, and says when it changes', async t => {
  const { address } = await TestBus.up(t, 'system')
  const upower = await UPower.up(t, address)
  const { seen } = watch(t, await client(t, address))
  t.same(await seen.next(), { onBattery: true, by: 'UPower' })
  t.match(upower.asked, [{ member: 'Get', path: PATH, body: [NAME, 'OnBattery'] }])
  upower.tell({ LidIsClosed: new Variant('b', true) })
  upower.tell({ OnBattery: new Variant('b', false) })
  t.same(await seen.next(), { onBattery: false, by: 'UPower' })
  upower.tell({}, ['OnBattery'])
  t.same(await seen.next(), { onBattery: true, by: 'UPower' }, 'asked for again')
  t.equal(upower.asked.length, 2)
})

t.test('UPower comes and goes; without it the kernel is asked', async t => {
  const { address } = await TestBus.up(t, 'system')
  const directory = t.testdir({})
  battery(directory, 'Discharging', '0')
  const { seen } = watch(t, await client(t, address), { directory })
  t.same(await seen.next(), { onBattery: true, by: 'sysfs' })
  const upower = new UPower(await client(t, address))
  upower.onBattery = new Variant('b', false)
  await upower.appear()
  t.same(await seen.next(), { onBattery: false, by: 'UPower' })
  await upower.leave()
  t.same(await seen.next(), { onBattery: true, by: 'sysfs' })
})

t.test('a UPower that answers nonsense', async t => {
  const { address } = await TestBus.up(t, 'system')
  const upower = await UPower.up(t, address)
  upower.onBattery = new Variant('s', 'perhaps')
  const directory = t.testdir({})
  battery(directory, 'Charging', '1')
  const { seen } = watch(t, await client(t, address), { directory })
  t.same(await seen.next(), { onBattery: false, by: 'sysfs' })
  upower.tell({ OnBattery: new Variant('s', 'yes') })
  upower.tell({ OnBattery: new Variant('b', true) })
  t.same(await seen.next(), { onBattery: true, by: 'UPower' })
})

t.test('it is never started, and no bus is needed', async t => {
  const daemon = await TestBus.up(t, 'system')
  const file = `[D-BUS Service]\nName=${NAME}\nExec=/bin/touch ${daemon.directory}/started\nUser=root\n`
  writeFileSync(join(daemon.services, `${NAME}.service`), file)
  const bus = await client(t, daemon.address)
  await bus.call({
    destination: 'org.freedesktop.DBus',
    path: '/',
    interface: 'org.freedesktop.DBus',
    member: 'ReloadConfig'
  })
  const { watcher } = watch(t, bus)
  await bus.call({
    destination: 'org.freedesktop.DBus',
    path: '/',
    interface: 'org.freedesktop.DBus',
    member: 'GetId'
  })
  t.same(watcher.power, { onBattery: false, by: '' })
  t.notOk((await import('node:fs')).existsSync(join(daemon.directory, 'started')))
  const none = new Bus({ kind: 'system', address: `unix:path=${daemon.directory}/nothing`, log: () => {} })
  t.same(watch(t, none).watcher.power, { onBattery: false, by: '' })
})

t.test('the kernel is looked at again while there is a battery', async t => {
  const bus = new Bus({ kind: 'system', address: 'unix:path=/nonexistent', log: () => {} })
  const directory = t.testdir({})
  battery(directory, 'Full', '1')
  const { seen } = watch(t, bus, { directory, lookMs: 5 })
  t.same(await seen.next(), { onBattery: false, by: 'sysfs' })
  battery(directory, 'Discharging', '0')
  const awake = setInterval(() => {}, 1000)
  t.same(await seen.next(), { onBattery: true, by: 'sysfs' })
  clearInterval(awake)
})

t.test('a loose plug: the first change at once, the others in turn', async t => {
  const { address } = await TestBus.up(t, 'system')
  const upower = await UPower.up(t, address)
  const { seen } = watch(t, await client(t, address), { pauseMs: 100 })
  t.same(await seen.next(), { onBattery: true, by: 'UPower' })
  for (let i = 0; i < 99; i++) upower.tell({ OnBattery: new Variant('b', i % 2 === 1) })
  const awake = setInterval(() => {}, 1000)
  t.same(await seen.next(), { onBattery: false, by: 'UPower' })
  clearInterval(awake)
  t.equal(seen.seen.length, 2)
})

t.test('what the kernel says', async t => {
  const supply = (type: string, facts: Partial<Supply> = {}): Supply => ({
    type,
    online: '',
    status: '',
    scope: '',
    ...facts
  })
  const mains = supply('Mains', { online: '1' })
  const unplugged = supply('Mains', { online: '0' })
  const full = supply('Battery', { status: 'Full' })
  const draining = supply('Battery', { status: 'Discharging' })
  const mouse = supply('Battery', { status: 'Discharging', scope: 'Device' })
  const table: [Supply[], boolean][] = [
    [[], false],
    [[mains, full], false],
    [[unplugged, draining], true],
    [[draining], true],
    [[full, draining], true],
    [[mains, draining], false],
    [[unplugged, full], false],
    [[supply('USB', { online: '1' }), supply('Battery', { status: 'Charging' })], false],
    [[mouse], false],
    [[supply('')], false]
  ]
  for (const [supplies, onBattery] of table)
    t.same(powerOf(supplies), { onBattery, by: supplies.length > 0 ? 'sysfs' : '' })
})
