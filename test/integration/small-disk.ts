/** A computer whose disk is small, and can be filled to the last byte. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Teardown } from '../namespace.ts'
import { Computer } from './daemon.ts'

export interface SmallDisk {
  readonly computer: Computer
  readonly place: string
  /** Leaves no byte. */
  fill(): void
  free(): void
}

/** The whole of a computer on a disk of its own, of this many KiB. */
export function onSmallDisk(t: Teardown, name: string, kib: number): SmallDisk {
  const place = mkdtempSync(join(tmpdir(), 'ct-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', place])
  const computer = new Computer(t, name, { place })
  t.teardown(() => {
    execFileSync('umount', ['-l', place])
    rmSync(place, { recursive: true })
  })
  const ballast = join(place, 'ballast')
  return {
    computer,
    place,
    fill() {
      const file = openSync(ballast, 'w')
      try {
        for (const size of [65536, 4096, 1]) {
          try {
            for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          }
        }
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(ballast)
  }
}
