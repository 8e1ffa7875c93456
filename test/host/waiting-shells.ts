/** The sh that waits for the next run of a plain handler. */
import { readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Those that process has: children whose stdin is a socket still. */
export function waitingShells(parent: number): number[] {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1')
    return children.trim().split(' ').map(Number).filter(isWaiting)
  } catch {
    return []
  }
}

/** It is there, and has not been told anything. */
export function isWaiting(shell: number): boolean {
  try {
    return readlinkSync(`/proc/${shell}/fd/0`).startsWith('socket:')
  } catch {
    return false
  }
}

/** Once that process has one. */
export async function waitingShell(parent: number): Promise<number> {
  for (;;) {
    const [shell] = waitingShells(parent)
    if (shell !== undefined) return shell
    await delay(5)
  }
}

/** Resolves when it has ended. */
export async function noLongerWaits(shell: number): Promise<void> {
  while (isWaiting(shell)) await delay(5)
}
