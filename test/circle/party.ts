/** A device with its real membership log and exchange, whose signatures are cheap: a hash that all can check. */
import type { Author } from '../../src/circle/author.ts'
import { genesis } from '../../src/circle/author.ts'
import { type LogOutput, MembershipLog } from '../../src/circle/log.ts'
import { staticProof } from '../../src/crypto/handshake.ts'
import { type PeerId, peerId } from '../../src/crypto/identity.ts'
import { bytesOf, equal, hash, type Signed } from '../../src/crypto/provider.ts'
import type { Dice } from './dice.ts'

const keys = new Map<string, Author>()

export function keyOf(name: string): Author {
  let author = keys.get(name)
  if (author === undefined) {
    const publicKey = hash(bytesOf(`cheap key ${name}`))
    author = { publicKey, sign: message => signature(publicKey, message) }
    keys.set(name, author)
  }
  return author
}

function signature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64)
  bytes.set(hash(publicKey, message))
  bytes.set(hash(message, publicKey), 32)
  return bytes
}
const signed = ({ publicKey, message, signature: given }: Signed): boolean =>
  equal(given, signature(publicKey, message))

export const RECOVERY = 'recovery'
const staticOf = (name: string, serial = 0) => hash(bytesOf(`cheap static ${name} ${serial}`))
export const first = genesis(keyOf('d0'), 0, {
  recovery: keyOf(RECOVERY).publicKey,
  recoveryStatic: staticOf(RECOVERY),
  static: staticOf('d0'),
  nonce: new Uint8Array(16),
  name: 'd0',
  circle: 'home'
})
export const gid = first.id

export const rekeyed = (name: string, serial: number) => ({ static: staticOf(name, serial), serial })
/** The body of an `add`. */
export function joiner(name: string, level: number, guest = false) {
  const target = keyOf(name)
  const key = staticOf(name)
  return {
    target: target.publicKey,
    level,
    guest,
    expiresMs: guest ? 1 : 0,
    static: key,
    staticSignature: target.sign(staticProof(gid, target.publicKey, key, 0)),
    suites: 1,
    name
  }
}

export class Party {
  readonly name: string
  readonly keys: Author
  readonly id: PeerId
  readonly dice: Dice
  log: MembershipLog
  readonly disk: Uint8Array[] = []
  /** Answers of the threads that check signatures; they come in any order. */
  readonly checks: (() => void)[] = []
  serial = 0

  constructor(name: string, dice: Dice) {
    this.name = name
    this.keys = keyOf(name)
    this.id = peerId(this.keys.publicKey)
    this.dice = dice
    this.log = new MembershipLog({ gid })
  }

  /** The process ends and begins again with what is on disk. */
  restart(): void {
    this.checks.length = 0
    this.log = new MembershipLog({ gid })
    this.log.load(this.disk)
  }

  place(by = this.id) {
    return { gid, prev: this.log.parents(by), wallMs: 0 }
  }
  get level(): number | undefined {
    return this.log.members.get(this.id)?.level
  }

  /** What is to be done: records are on disk. */
  take(): LogOutput[] {
    const { records, outputs } = this.log.take()
    this.disk.push(...records.map(({ bytes }) => bytes))
    const { log } = this
    for (const output of outputs)
      if (output.type === 'verify')
        this.checks.push(() => log.verified(0, output.batch, output.items.map(signed)))
    return outputs
  }
  /** One of the answers comes. */
  check(): void {
    const [answer] = this.checks.splice(this.dice.nat(this.checks.length), 1)
    answer?.()
  }
}
