/**
 * Loaded into a daemon with `--import`: at SIGUSR2 it writes into the file $COTERIE_COUNTERS what it holds, after
 * all garbage is gone. Only for tests.
 */
import { createHook } from 'node:async_hooks'
import { renameSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Counters {
  /** Counted up each time. */
  readonly serial: number
  /** Timers that are set, whether they keep the process alive or not. */
  readonly timers: number
  /** Bytes. */
  readonly heap: number
  /** Of sockets, pipes, watchers: how many of each keep it alive. */
  readonly resources: { readonly [type: string]: number }
}

const file = process.env['COTERIE_COUNTERS']
if (file !== undefined && process.argv[1]?.endsWith('daemon/main.ts')) {
  const timers = new Set<number>()
  createHook({
    init(id, type) {
      if (type === 'Timeout') timers.add(id)
    },
    destroy: id => timers.delete(id)
  }).enable()
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let serial = 0
  process.on('SIGUSR2', () => {
    collect()
    // what was found dead in the first is told to the hooks before the second
    setImmediate(() => {
      collect()
      const resources: { [type: string]: number } = {}
      for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1
      const heap = process.memoryUsage().heapUsed
      const counters: Counters = { serial: ++serial, timers: timers.size, heap, resources }
      writeFileSync(`${file}.new`, JSON.stringify(counters))
      renameSync(`${file}.new`, file)
    })
  })
}
