/**
 * Overlay networks: asks tailscaled and WireGuard who else is there, when a member cannot be reached and this device
 * uses a tunnel. A tunnel that comes up is a network event, so nothing is asked again and again.
 */
import type { OverlayDevice } from '../../host/tailscale.ts'

/** From a reason to look until the look: other addresses come first. */
export const DELAY_MS = 3_000
/** Between two looks. */
export const PAUSE_MS = 60_000

export interface OverlaysOptions {
  readonly now: () => number
  /** Calls back once, that many milliseconds later; the function it gives calls that off. */
  readonly after: (ms: number, act: () => void) => () => void
  /** A tunnel is in use, and somebody is missed. */
  readonly wanted: () => boolean
  readonly read: () => Promise<readonly OverlayDevice[]>
  readonly onFound: (devices: readonly OverlayDevice[]) => void
}

export class Overlays {
  readonly #options: OverlaysOptions
  #cancel: (() => void) | undefined
  #at = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(options: OverlaysOptions) {
    this.#options = options
  }

  /** Something changed: a network, or who is reachable. */
  look(): void {
    const { after, now, wanted } = this.#options
    if (this.#cancel !== undefined || this.#stopped || !wanted()) return
    this.#cancel = after(Math.max(DELAY_MS, this.#at + PAUSE_MS - now()), () => void this.#read())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  async #read(): Promise<void> {
    const { now, onFound, read, wanted } = this.#options
    this.#at = now()
    this.#cancel = undefined
    if (!wanted()) return
    const devices = await read().catch(() => [])
    if (devices.length > 0 && !this.#stopped) onFound(devices)
  }
}
