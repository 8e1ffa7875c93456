/** So many messages, with so many bytes of payload. */
export class Tally {
  messages = 0
  bytes = 0

  add(size: number): void {
    this.messages++
    this.bytes += size
  }

  take(size: number): void {
    this.messages--
    this.bytes -= size
  }

  clear(): void {
    this.messages = this.bytes = 0
  }

  /** Whether one more of that size keeps within these; a first one always does. */
  admits(size: number, most: Pick<Tally, 'messages' | 'bytes'>): boolean {
    return this.messages < most.messages && (this.messages === 0 || this.bytes + size <= most.bytes)
  }
}
