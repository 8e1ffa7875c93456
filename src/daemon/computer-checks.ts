/** The checks of `coterie doctor` on the computer itself: clock, sleep, session bus, walls around the daemon. Pure. */
import type { CheckRecord } from '../api/api.ts'
import type { LogindState } from '../host/logind.ts'
import type { Power } from '../host/power.ts'
import type { Sandbox } from '../host/sandbox.ts'
import type { UnitFiles } from '../host/unit-files.ts'
import { failed, ok, warning } from './verdicts.ts'

export interface ComputerFacts {
  /** Milliseconds since 1970. */
  readonly wall: number
  /** Somebody is known to keep the clock right. */
  readonly synchronised: boolean
  /** owned, taken or absent. */
  readonly dbus: string
  /** Process that has our name on the session bus, where that is another one; 0 = not known. */
  readonly dbusOwner: number
  readonly sandbox: Sandbox
  readonly unit: UnitFiles
  readonly logind: LogindState
  /** How programs that run for messages are run. */
  readonly handlers: {
    /** As units of the user's systemd. */
    readonly units: boolean
    /** There is one. */
    readonly manager: boolean
  }
  readonly power: {
    readonly power: Power
    /** It has one. */
    readonly battery: boolean
  }
  readonly upowerInstalled: boolean
  /** The daemon is run by systemd. */
  readonly supervised: boolean
}

/** No clock that goes right says less, or more: in what is sent, seconds end in 2106. */
const EARLIEST = Date.UTC(2025, 0)
const LATEST = Date.UTC(2106, 0)
const SYNCHRONISE = 'sudo timedatectl set-ntp true'

export function clockCheck({ wall, synchronised }: ComputerFacts): CheckRecord {
  const name = 'clock'
  if (wall < EARLIEST || wall >= LATEST) {
    const day = new Date(wall).toISOString().slice(0, 10)
    return failed(
      name,
      `The clock says ${day}, which cannot be: tickets, guests and announcements would not be valid.`,
      SYNCHRONISE
    )
  }
  if (synchronised) return ok(name, 'The clock is set, and kept right over the network.')
  return warning(
    name,
    'The clock is set, but nobody is known to keep it right; devices that differ by many minutes do not find each other.',
    SYNCHRONISE
  )
}

/** Without a battery nobody is asked. */
export function powerCheck({ power: { power, battery }, upowerInstalled }: ComputerFacts): CheckRecord {
  const name = 'power'
  if (!battery) return ok(name, 'There is no battery to be saved.')
  if (power.by === 'UPower')
    return ok(name, 'UPower tells when this computer runs on battery: then links are asked less often.')
  return warning(
    name,
    'UPower does not run, so it is noticed up to a minute late that this computer runs on battery.',
    upowerInstalled ? 'sudo systemctl start upower' : 'install the package upower'
  )
}

export function sessionBusCheck({ dbus, dbusOwner }: ComputerFacts): CheckRecord {
  const name = 'session-bus'
  if (dbus === 'owned') return ok(name, 'Panels and programs find Coterie on the session bus.')
  if (dbus === 'taken')
    return failed(
      name,
      'Another program owns the name org.coterie.Coterie1 on the session bus.',
      dbusOwner > 0 ? `kill ${dbusOwner}` : 'busctl --user status org.coterie.Coterie1'
    )
  return warning(
    name,
    'There is no session bus, so panels and busctl cannot see Coterie; the command line can.',
    'systemctl --user start dbus.socket'
  )
}

export function handlersCheck({ handlers: { units, manager }, dbus }: ComputerFacts): CheckRecord {
  const name = 'handlers'
  if (units)
    return ok(
      name,
      'Handlers run as units of your systemd: limited as a whole, and a restart does not end them.'
    )
  if (manager)
    return ok(name, 'Handlers run as plain processes, because the configuration says `units = false`.')
  return warning(
    name,
    'Your systemd is not on the session bus, so handlers run as plain processes: limits hold for each process alone.',
    dbus === 'absent' ? 'systemctl --user start dbus.socket' : 'systemctl --user status'
  )
}

/** Whoever cannot be told in time notices it, later: nothing here is more than a warning. */
export function sleepCheck({ logind: { present, inhibition, why }, power }: ComputerFacts): CheckRecord {
  const name = 'sleep'
  if (!present && !power.battery)
    return ok(
      name,
      'There is no logind to tell when this computer sleeps; without a battery that seldom matters.'
    )
  const late = 'so the others notice only by its silence that this computer sleeps'
  if (!present) return warning(name, `There is no logind, ${late}.`, 'sudo systemctl start systemd-logind')
  if (inhibition === 'missing')
    return warning(
      name,
      `There is no systemd-inhibit to delay sleep with, ${late}.`,
      'sudo apt install systemd'
    )
  if (inhibition === 'refused') {
    const said = why === '' ? '' : ` (${why})`
    return warning(
      name,
      `logind does not let us delay sleep${said}, ${late}.`,
      'systemd-inhibit --mode=delay true'
    )
  }
  if (inhibition === 'held')
    return ok(name, 'Before this computer sleeps, the others are told; then it sleeps at once.')
  return ok(
    name,
    'logind says when this computer sleeps, and is being asked to let the others be told first.'
  )
}

/** A unit of one's own, as a checkout installs it, counts more than that of a package. */
export function unitCheck({ unit: { own, packaged }, supervised }: ComputerFacts): CheckRecord {
  const name = 'unit'
  if (own !== '' && packaged !== '')
    return warning(
      name,
      `${own} hides the unit of the package: it is not what you installed that is started.`,
      `rm ${own} && systemctl --user daemon-reload && systemctl --user restart coterie`
    )
  if (!supervised) return ok(name, 'The daemon was not started by systemd.')
  return ok(name, `The unit is ${own || packaged || 'none that is known'}.`)
}

/** Without systemd nothing is walled off, which is as it must be in a checkout. */
export function sandboxCheck({ sandbox, supervised }: ComputerFacts): CheckRecord {
  const name = 'sandbox'
  const { noNewPrivileges, seccomp, systemReadOnly, homeReadOnly, usersAllowed } = sandbox
  if (noNewPrivileges && seccomp) {
    const more = usersAllowed
      ? 'hardening.conf would keep it from more of the disk'
      : 'more needs user namespaces, which are denied here'
    const disk =
      systemReadOnly && homeReadOnly
        ? '; of the disk it can change only its own folders'
        : systemReadOnly
          ? `; it can change your files, but not the system: ${more}`
          : `; ${more}`
    return ok(name, `The daemon can gain no privileges and makes only filtered system calls${disk}.`)
  }
  if (!supervised)
    return warning(
      name,
      'The daemon was not started by systemd, so nothing walls it off from the rest of your files.',
      'systemctl --user enable --now coterie'
    )
  const missing = noNewPrivileges ? 'system calls are not filtered' : 'NoNewPrivileges= is not in force'
  return warning(
    name,
    `The daemon was started by systemd, but not by the unit that belongs to it: ${missing}.`,
    'systemctl --user daemon-reload && systemctl --user restart coterie'
  )
}
