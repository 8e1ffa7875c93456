/** A place for the one master key of 32 bytes. Which one a device has is chosen once (daemon/keys/key-stores.ts). */

export const MASTER_KEY = 32

/** The key cannot be had now: its place is locked or not there. The message says what to do. */
export class KeyAway extends Error {
  override name = 'KeyAway'
}

export interface KeyStore {
  /**
   * `start`: a program that keeps keys may be started for it; nobody is ever asked anything. Rejects KeyAway,
   * and FileError for a file that must not be trusted.
   */
  read(id: string, options: { start: boolean }): Promise<Uint8Array>
  /**
   * Keeps `key` under `id`, not for good before `keep`. Resolves with the key to use: a place that cannot be
   * written has its own. Rejects KeyAway, FileError.
   */
  make(id: string, key: Uint8Array): Promise<Uint8Array>
  /** What was made counts from now on; may be said again. */
  keep(id: string): Promise<void>
  /** Takes `keep` back. */
  doubt(id: string): Promise<void>
  /** What was made and not kept is to be forgotten; resolves although it could not be. */
  drop(id: string): Promise<void>
  /** Called whenever `read` may end differently than before. Returns the function that ends it. */
  watch(fn: () => void): () => void
}
