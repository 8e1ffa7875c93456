/**
 * What `coterie doctor` looks at. Each check is a pure function of the facts and says one thing; a new one is
 * a function, its facts, and its place in the list.
 */
import { lstatSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CheckRecord } from '../api/api.ts'
import { type CoreDumps, coreDumps } from '../host/core-dumps.ts'
import { diskEncryption, type Encryption, swapEncryption } from '../host/disk-encryption.ts'
import { lingers } from '../host/linger.ts'
import { sandbox } from '../host/sandbox.ts'
import { unitFiles } from '../host/unit-files.ts'
import type { Paths } from '../paths.ts'
import {
  type ComputerFacts,
  clockCheck,
  handlersCheck,
  powerCheck,
  sandboxCheck,
  sessionBusCheck,
  sleepCheck,
  unitCheck
} from './computer-checks.ts'
import {
  coreDumpCheck,
  filesCheck,
  keyStoreCheck,
  lingerCheck,
  socketCheck,
  swapCheck
} from './keys/key-checks.ts'
import type { KeyStoreName } from './keys/key-stores.ts'
import { firewallCheck } from './network/firewall-check.ts'
import { mdnsPortCheck, multicastCheck } from './network/multicast-checks.ts'
import { interfacesCheck, listenersCheck, networkSourceCheck } from './network/network-checks.ts'
import type { NetworkFacts } from './network/network-facts.ts'
import { accessPointCheck, type PeerFacts, peerClocksCheck } from './peer-checks.ts'

/** Of a file or directory that is there. */
export interface Access {
  readonly path: string
  readonly kind: 'file' | 'directory' | 'socket' | 'link' | 'other'
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
}

export interface Facts extends ComputerFacts, PeerFacts {
  readonly network: NetworkFacts
  readonly uid: number
  /** Undefined before there is a key. */
  readonly keyStore: KeyStoreName | undefined
  readonly keyPath: string
  /** Why the key cannot be read now; '' when it can be. */
  readonly away: string
  readonly lingers: boolean
  readonly disk: Encryption
  readonly swap: Encryption | 'none'
  readonly coreDumps: CoreDumps
  /** What must be for the user alone: directories first. */
  readonly private: readonly Access[]
  readonly socket: readonly Access[]
}

const networkChecks: readonly ((facts: NetworkFacts) => CheckRecord)[] = [
  networkSourceCheck,
  interfacesCheck,
  listenersCheck,
  firewallCheck,
  multicastCheck,
  mdnsPortCheck
]
const checks: readonly ((facts: Facts) => CheckRecord)[] = [
  keyStoreCheck,
  filesCheck,
  socketCheck,
  coreDumpCheck,
  swapCheck,
  lingerCheck,
  unitCheck,
  sandboxCheck,
  sessionBusCheck,
  handlersCheck,
  clockCheck,
  sleepCheck,
  powerCheck,
  peerClocksCheck,
  ...networkChecks.map(
    check =>
      ({ network }: Facts) =>
        check(network)
  ),
  accessPointCheck
]

export const examine = (facts: Facts): CheckRecord[] => checks.map(check => check(facts))

/** Looks at the computer; what only the daemon knows is given. */
export function findFacts(
  paths: Paths,
  known: Omit<ComputerFacts, 'wall' | 'sandbox' | 'unit'> &
    PeerFacts &
    Pick<Facts, 'away' | 'network'> & { keyStore: () => KeyStoreName | undefined }
): Facts {
  const keyPath = join(paths.state, 'key')
  const database = join(paths.data, 'coterie.db')
  const kept = [paths.data, paths.state, keyPath, `${keyPath}-store`, database, `${database}-wal`]
  return {
    ...known,
    ...keyStoreOf(known),
    uid: process.getuid?.() ?? 0,
    keyPath,
    wall: Date.now(),
    sandbox: sandbox(),
    unit: unitFiles(dirname(paths.config)),
    lingers: lingers(),
    disk: diskEncryption(paths.state),
    swap: swapEncryption(),
    coreDumps: coreDumps(),
    private: kept.flatMap(accessOf),
    socket: [dirname(paths.socket), paths.socket].flatMap(accessOf)
  }
}

/** A record that cannot be read is told as a key that cannot be. */
function keyStoreOf(known: { keyStore: () => KeyStoreName | undefined; away: string }) {
  try {
    return { keyStore: known.keyStore(), away: known.away }
  } catch (error) {
    return { keyStore: undefined, away: known.away || (error as Error).message }
  }
}

function accessOf(path: string): Access[] {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return []
  const kind = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSocket()
        ? 'socket'
        : found.isSymbolicLink()
          ? 'link'
          : 'other'
  return [{ path, kind, mode: found.mode & 0o7777, uid: found.uid }]
}
