/** A pointer of a test's own in a Wayland compositor (wlr-virtual-pointer-unstable-v1). */
import { connect, type Socket } from 'node:net'

interface Test {
  teardown(fn: () => void): void
}
const MANAGER = 'zwlr_virtual_pointer_manager_v1'
const LEFT = 0x110
/** Objects of this client. */
const DISPLAY = 1
const REGISTRY = 2
const SYNC = 3
const POINTERS = 4
const POINTER = 5

export class Pointer {
  readonly #socket: Socket
  readonly #extent: readonly [number, number]
  #time = 0

  private constructor(socket: Socket, extent: readonly [number, number]) {
    this.#socket = socket
    this.#extent = extent
  }

  /** `path`: of the compositor's socket. `extent`: of the screen, pixels. */
  static async up(t: Test, path: string, extent: readonly [number, number]): Promise<Pointer> {
    const socket = connect(path)
    t.teardown(() => socket.destroy())
    const pointer = new Pointer(socket, extent)
    pointer.#send(DISPLAY, 1, REGISTRY)
    pointer.#send(DISPLAY, 0, SYNC)
    let rest = Buffer.alloc(0)
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      rest = Buffer.concat([rest, chunk as Buffer])
      while (rest.length >= 8 && rest.length >= rest.readUInt32LE(4) >>> 16) {
        const [object, size] = [rest.readUInt32LE(0), rest.readUInt32LE(4) >>> 16]
        const event = rest.subarray(8, size)
        rest = rest.subarray(size)
        if (object === SYNC) return pointer
        if (object !== REGISTRY) continue
        const its = event.toString('latin1', 8, 8 + event.readUInt32LE(4) - 1)
        if (its !== MANAGER) continue
        pointer.#send(REGISTRY, 0, event.readUInt32LE(0), MANAGER, 1, POINTERS)
        pointer.#send(POINTERS, 0, 0, POINTER)
      }
    }
    throw new Error('the compositor went away')
  }

  move(x: number, y: number): void {
    this.#send(POINTER, 1, this.#time++, x, y, ...this.#extent)
    this.#send(POINTER, 4)
  }

  click(): void {
    for (const down of [1, 0]) {
      this.#send(POINTER, 2, this.#time++, LEFT, down)
      this.#send(POINTER, 4)
    }
  }

  #send(object: number, opcode: number, ...values: (number | string)[]): void {
    const body = Buffer.concat(values.map(argument))
    this.#socket.write(Buffer.concat([argument(object), argument(((body.length + 8) << 16) | opcode), body]))
  }
}

function argument(value: number | string): Buffer {
  if (typeof value === 'number') {
    const word = Buffer.alloc(4)
    word.writeUInt32LE(value >>> 0)
    return word
  }
  const text = Buffer.alloc(Math.ceil((Buffer.byteLength(value) + 1) / 4) * 4)
  text.write(value)
  return Buffer.concat([argument(Buffer.byteLength(value) + 1), text])
}
