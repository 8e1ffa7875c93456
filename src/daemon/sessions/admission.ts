/**
 * How many first messages are answered: token buckets, for all together and for each source, asked after
 * mac1 and before anything is computed with foreign points. Pure.
 */
import { addressClass, parseAddress } from '../../wire/address.ts'

/** 50 a second, 100 at once. */
const ALL = { perMs: 0.05, burst: 100 }
/** One in 20 ms; 4 at once, as a device may dial several circles together. */
const EACH = { perMs: 0.05, burst: 4 }

interface Bucket {
  tokens: number
  at: number
}

export class Admission {
  readonly #all: Bucket = { tokens: ALL.burst, at: 0 }
  /** Only those below their burst; what the first bucket lets through bounds them. */
  readonly #sources = new Map<string, Bucket>()

  /** Takes a token of each, or none. `now` is monotonic milliseconds. */
  allow(now: number, source: string): boolean {
    refill(this.#all, ALL, now)
    if (this.#all.tokens < 1) return false
    let bucket = this.#sources.get(source)
    if (bucket) refill(bucket, EACH, now)
    else {
      this.#forget(now)
      bucket = { tokens: EACH.burst, at: now }
      this.#sources.set(source, bucket)
    }
    if (bucket.tokens < 1) return false
    bucket.tokens--
    this.#all.tokens--
    return true
  }

  get size(): number {
    return this.#sources.size
  }

  #forget(now: number): void {
    for (const [source, bucket] of this.#sources) {
      if (bucket.tokens + (now - bucket.at) * EACH.perMs >= EACH.burst) this.#sources.delete(source)
    }
  }
}

function refill(bucket: Bucket, limit: { perMs: number; burst: number }, now: number): void {
  bucket.tokens = Math.min(limit.burst, bucket.tokens + (now - bucket.at) * limit.perMs)
  bucket.at = now
}

/**
 * Whom an address counts as: an IPv4 address, or an IPv6 prefix of 64 bits, as one device may have all of it.
 * Link-local addresses count one by one: a whole LAN shares their prefix.
 */
export function sourceOf(remote: string): string {
  const address = parseAddress(remote)
  if (!address) return remote
  const whole = address.family === 4 || addressClass(address) === 'link-local'
  return (whole ? address.host : address.host.subarray(0, 8)).join('.')
}
