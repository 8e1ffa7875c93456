/**
 * Processes of this user that carry a name in their environment: what a run of a handler left behind, whatever session
 * or parent it has by now. Whoever takes the name out of its environment is not found.
 */
import { readdir, readFile } from 'node:fs/promises'
import { RUN_NAME, unitName } from './handler-run.ts'

/**
 * `since`: the first process of the run; only later ones are looked at, unless their numbers began anew. `sure` is false
 * when one ended while it was looked at, as it may have left another one, or has no environment yet.
 */
export async function findStrays(name: string, since: number): Promise<{ pids: number[]; sure: boolean }> {
  const mark = `\0${RUN_NAME}=${unitName(name)}\0`
  const [all, load] = await Promise.all([
    readdir('/proc').catch(() => []),
    readFile('/proc/loadavg', 'latin1').catch(() => '')
  ])
  // its last field is the process made last
  const first = Number(load.trim().split(' ').at(-1)) >= since ? since : 0
  const pids = all.map(Number).filter(pid => pid > 0 && pid >= first && pid !== process.pid)
  let sure = true
  const found = await Promise.all(
    pids.map(async pid => {
      try {
        const environment = await readFile(`/proc/${pid}/environ`, 'latin1')
        // it is just becoming another program, or has ended
        if (environment === '') sure = false
        return `\0${environment}`.includes(mark)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EACCES') sure = false
        return false
      }
    })
  )
  return { pids: pids.filter((_, i) => found[i]), sure }
}

/** Until none is left, and at most ROUNDS times: each may have forked meanwhile. */
export async function killStrays(name: string, since: number, signal: NodeJS.Signals): Promise<void> {
  let doubts = 0
  for (let round = 0; round < (signal === 'SIGKILL' ? ROUNDS : 1); round++) {
    const { pids, sure } = await findStrays(name, since)
    if (pids.length === 0 && (sure || ++doubts === DOUBTS)) return
    for (const pid of pids) {
      try {
        process.kill(pid, signal)
      } catch {
        // it has ended
      }
    }
  }
}
const ROUNDS = 20
const DOUBTS = 3
