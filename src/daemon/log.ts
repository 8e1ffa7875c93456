/**
 * The log, as lines for people. Under systemd each line carries its level for the journal (sd-daemon(3): `<3>`
 * error, `<4>` warning, `<6>` info, `<7>` debug); in a terminal it carries the time.
 * Facts are short values; keys, tickets and codes are never passed here.
 */
import { writeSync } from 'node:fs'
import { goesToJournal } from '../host/systemd.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Log = (level: Level, text: string, facts?: object) => void

/** In the order of their weight. */
const levels: readonly Level[] = ['debug', 'info', 'warn', 'error']
const journalPriority = { debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' } as const

const value = (v: unknown): string => {
  if (typeof v === 'string' && /^[^\s"=]+$/.test(v)) return v
  if (v instanceof Error) return JSON.stringify(v.stack ?? v.message)
  try {
    return JSON.stringify(v) ?? String(v)
  } catch {
    // a bigint, or a circle
    return String(v)
  }
}

/** One line, whatever is in it. */
export function line(level: Level, text: string, facts: object, journal: boolean, when: Date): string {
  const tail = Object.entries(facts)
    .map(([name, v]) => ` ${name}=${value(v)}`)
    .join('')
  const head = journal ? journalPriority[level] : `${when.toTimeString().slice(0, 8)} ${level.padEnd(5)} `
  return `${head}${`${text}${tail}`.replaceAll('\n', '\\n')}\n`
}

export function openLog(level: Level, fd = 2): { log: Log; setLevel(level: Level): void } {
  const journal = goesToJournal(fd)
  let least = levels.indexOf(level)
  return {
    log(at, text, facts = {}) {
      if (levels.indexOf(at) < least) return
      try {
        writeSync(fd, line(at, text, facts, journal, new Date()))
      } catch {
        // nobody reads (EPIPE, EAGAIN, full disk): a log must not stop the daemon
      }
    },
    setLevel(to) {
      least = levels.indexOf(to)
    }
  }
}
