/** Gathers what `coterie doctor` goes by, and has it examined. */
import { existsSync } from 'node:fs'
import { type CheckRecord, INTERFACE } from '../api/api.ts'
import type { Bus } from '../host/bus.ts'
import { ownerPid } from '../host/bus-names.ts'
import { clockSynchronised } from '../host/synchronised.ts'
import type { NetworkConfig } from '../net/policy.ts'
import type { Paths } from '../paths.ts'
import type { Circle } from './circle/circle.ts'
import { examine, type Facts, findFacts } from './doctor.ts'
import type { KeyStoreName } from './keys/key-stores.ts'
import type { Attachment } from './network/attachment.ts'
import { networkFacts } from './network/network-facts.ts'

export interface Sources
  extends Pick<Facts, 'away' | 'supervised' | 'dbus' | 'logind' | 'handlers' | 'power'> {
  readonly paths: Paths
  readonly buses: { readonly session: Bus; readonly system: Bus }
  readonly attachment: Attachment
  readonly config: NetworkConfig
  readonly circles: readonly Circle[]
  readonly keyStore: () => KeyStoreName | undefined
}

/** Where its unit is, when it is installed. */
const UPOWER = ['/usr/lib/systemd/system/upower.service', '/lib/systemd/system/upower.service']

/** Is done within 5 s. */
export async function diagnose(sources: Sources): Promise<CheckRecord[]> {
  const { attachment, buses, circles, config, dbus, paths, ...known } = sources
  const [network, synchronised, dbusOwner] = await Promise.all([
    networkFacts(attachment, buses.system, { config, wanted: circles.length > 0 }),
    clockSynchronised(buses.system),
    dbus === 'taken' ? ownerPid(buses.session, INTERFACE) : 0
  ])
  return examine(
    findFacts(paths, {
      ...known,
      dbus,
      network,
      synchronised,
      dbusOwner,
      upowerInstalled: UPOWER.some(path => existsSync(path)),
      clocks: circles.flatMap(circle => circle.explaining.clocks()),
      apart: new Map(circles.flatMap(circle => [...circle.explaining.apart]))
    })
  )
}
