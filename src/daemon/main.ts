/**
 * Entry of coteried: arguments, configuration, lock; then the daemon runs until a signal ends it.
 * Exit codes: 0 ended as asked, 1 could not start, 2 usage, 78 (EX_CONFIG) configuration or keys unusable,
 * so that systemd does not try for ever.
 */
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { VERSION } from '../api/api.ts'
import { leaveMemoryOut } from '../host/core-dumps.ts'
import { DatabaseError } from '../host/database-error.ts'
import { FileError } from '../host/files.ts'
import { LockError } from '../host/lock.ts'
import { listenFds, Supervisor } from '../host/systemd.ts'
import { PathError, type Paths, paths } from '../paths.ts'
import { ConfigError, readConfig } from './config.ts'
import { Daemon } from './daemon.ts'
import { VaultError } from './keys/vault.ts'
import { openLog } from './log.ts'
import { SocketPlaceError } from './surfaces/place.ts'
import { refuse } from './surfaces/refusal.ts'

const usage = `Usage: coteried [--only INTERFACE,…] [--check-config [FILE]] [--version] [--help]

  --only INTERFACE,…       use these network interfaces and nothing else (lo for a trial on one computer)
  --check-config [FILE]    check the configuration file and exit
  --version                print the version and exit
`

const EX_USAGE = 2
const EX_CONFIG = 78

/** Errors whose message is for the user. */
const sentences: readonly [new (...args: never[]) => Error, number][] = [
  [ConfigError, EX_CONFIG],
  [VaultError, EX_CONFIG],
  [FileError, EX_CONFIG],
  [DatabaseError, EX_CONFIG],
  [LockError, 1],
  [SocketPlaceError, 1]
]

function fail(code: number, sentence: string): never {
  process.stderr.write(`coteried: ${sentence}\n`)
  process.exit(code)
}

/** The same, for what whoever runs it may not see: it is told to systemd, and to who waits for an answer. */
async function refuseAndFail(code: number, sentence: string): Promise<never> {
  process.stderr.write(`coteried: ${sentence}\n`)
  await new Supervisor().notify({ status: sentence })
  const fds = listenFds().map(({ fd }) => fd)
  await refuse(fds, sentence, () => {}).catch(() => {})
  process.exit(code)
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        'check-config': { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' }
      }
    })
  } catch (error) {
    return fail(EX_USAGE, `${(error as Error).message}\n\n${usage}`)
  }
}

function findPaths(): Paths {
  try {
    return paths()
  } catch (error) {
    if (error instanceof PathError) return fail(EX_CONFIG, error.message)
    throw error
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parse()
  if (values.help) return void process.stdout.write(usage)
  if (values.version) return void process.stdout.write(`coteried ${VERSION}\n`)
  const places = findPaths()
  if (values['check-config']) {
    const path = positionals[0] ?? places.configFile
    try {
      readConfig(path, hostname())
    } catch (error) {
      if (error instanceof ConfigError) fail(EX_CONFIG, error.message)
      throw error
    }
    return void process.stdout.write(`${path}: no errors\n`)
  }
  if (positionals.length > 0) fail(EX_USAGE, `unexpected argument ${positionals[0]}\n\n${usage}`)

  leaveMemoryOut()
  try {
    await run(places, values.only)
  } catch (error) {
    const code = sentences.find(([kind]) => error instanceof kind)?.[1]
    if (code === undefined) throw error
    await refuseAndFail(code, (error as Error).message)
  }
}

/** Resolves when it is ready. */
async function run(places: Paths, only: readonly string[] | undefined): Promise<void> {
  const { log, setLevel } = openLog(readConfig(places.configFile, hostname()).log.level)
  process.on('uncaughtException', error => {
    log('error', 'internal error', { stack: error.stack })
    process.exit(1)
  })
  const daemon = new Daemon({
    paths: places,
    readConfig: () => {
      const fresh = readConfig(places.configFile, hostname())
      setLevel(fresh.log.level)
      return only === undefined
        ? fresh
        : { ...fresh, network: { ...fresh.network, only: only.flatMap(s => s.split(',')) } }
    },
    log
  })
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) process.exit(1)
    stopping = true
    log('info', 'stopping', { signal })
    daemon.stop().then(
      () => process.exit(0),
      error => {
        log('error', 'internal error', { stack: error.stack })
        process.exit(1)
      }
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', () => daemon.reload().catch(error => log('error', error.message)))
  await daemon.start()
}

void main()
