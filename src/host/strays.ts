/**
 * Processes of this user that carry a name in their environment: what a run of a handler left behind, whatever session
 * or parent it has by now. Whoever takes the name out of its environment is not found.
 */
import { readdir, readFile } from 'node:fs/promises'
import { RUN_NAME, unitName } from './handler-run.ts'

/** `since`: the first process of the run; only later ones are looked at, unless their numbers began anew. */
export async function findStrays(name: string, since: number): Promise<number[]> {
  const mark = `\0${RUN_NAME}=${unitName(name)}\0`
  const [all, load] = await Promise.all([
    readdir('/proc').catch(() => []),
    readFile('/proc/loadavg', 'latin1').catch(() => '')
  ])
  // its last field is the process made last
  const first = Number(load.trim().split(' ').at(-1)) >= since ? since : 0
  const pids = all.map(Number).filter(pid => pid > 0 && pid >= first && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async pid => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
      return `\0${environment}`.includes(mark)
    })
  )
  return pids.filter((_, i) => found[i])
}

/** Until none is left, and at most ROUNDS times: each may have forked meanwhile. */
export async function killStrays(name: string, since: number, signal: NodeJS.Signals): Promise<void> {
  for (let round = 0; round < (signal === 'SIGKILL' ? ROUNDS : 1); round++) {
    const strays = await findStrays(name, since)
    if (strays.length === 0) return
    for (const pid of strays) {
      try {
        process.kill(pid, signal)
      } catch {
        // it has ended
      }
    }
  }
}
const ROUNDS = 10
