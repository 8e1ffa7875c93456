/**
 * What the kernel would write of this process to the disk if it crashed (core(5)). The limit does not bind a
 * program that the kernel hands dumps to (`|…` in core_pattern); what the filter leaves out is in no dump.
 */
import { readFileSync, writeFileSync } from 'node:fs'

export interface CoreDumps {
  /** Bytes a dump may have; Infinity without a limit, undefined when it cannot be found out. */
  readonly limit: number | undefined
  /** Which kinds of memory go into a dump, a bit each; undefined as above. */
  readonly filter: number | undefined
  /** What the kernel does with a dump: a name for the file, or `|program …`; '' when it cannot be found out. */
  readonly pattern: string
}

const FILTER = '/proc/self/coredump_filter'

/**
 * From now on a dump has the registers of the threads and no memory; processes that this one starts inherit it.
 * False where the kernel does not let us.
 */
export function leaveMemoryOut(): boolean {
  try {
    writeFileSync(FILTER, '0\n')
    return true
  } catch {
    return false
  }
}

export function coreDumps(root = ''): CoreDumps {
  const soft = /^Max core file size\s+(\S+)/m.exec(text(`${root}/proc/self/limits`))?.[1]
  const filter = Number.parseInt(text(`${root}${FILTER}`), 16)
  return {
    limit: soft === undefined ? undefined : soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft),
    filter: Number.isNaN(filter) ? undefined : filter,
    pattern: text(`${root}/proc/sys/kernel/core_pattern`).trim()
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
