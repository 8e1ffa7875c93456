/**
 * The log: pino, as lines for people. Under systemd each line carries its level for the journal
 * (sd-daemon(3): `<3>` error, `<4>` warning, `<6>` info, `<7>` debug); in a terminal it carries the time.
 * Facts are short values; keys, tickets and codes are never passed here.
 */
import { writeSync } from 'node:fs'
import { pino } from 'pino'
import { goesToJournal } from '../host/systemd.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'
export type Log = (level: Level, text: string, facts?: object) => void

const journalPriority: { [level: number]: string } = { 20: '<7>', 30: '<6>', 40: '<4>', 50: '<3>' }
const word: { [level: number]: string } = { 20: 'debug', 30: 'info ', 40: 'warn ', 50: 'error' }

const value = (v: unknown): string =>
  typeof v === 'string' && /^[^\s"=]+$/.test(v) ? v : (JSON.stringify(v) ?? String(v))

/** One line out of one pino record. */
export function line(json: string, journal: boolean): string {
  const { level, time, pid: _pid, hostname: _hostname, msg, ...facts } = JSON.parse(json)
  const tail = Object.entries(facts)
    .map(([k, v]) => ` ${k}=${value(v)}`)
    .join('')
  const text = `${msg ?? ''}${tail}`.replaceAll('\n', '\\n')
  if (journal) return `${journalPriority[level] ?? '<6>'}${text}\n`
  return `${new Date(time).toTimeString().slice(0, 8)} ${word[level] ?? ''} ${text}\n`
}

export function openLog(level: Level, fd = 2): { log: Log; setLevel(level: Level): void } {
  const journal = goesToJournal(fd)
  const write = (json: string) => {
    try {
      writeSync(fd, line(json, journal))
    } catch {
      // nobody reads (EPIPE, EAGAIN, full disk): a log must not stop the daemon
    }
  }
  const logger = pino({ level, base: null }, { write })
  return {
    log: (at, text, facts = {}) => logger[at](facts, text),
    setLevel: to => {
      logger.level = to
    }
  }
}
