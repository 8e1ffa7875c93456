import t from 'tap'
import { RecoveryError } from '../../src/crypto/recovery.ts'
import {
  isShare,
  joinShares,
  looksLikeShare,
  markOf,
  readShare,
  SHARE_BYTES,
  shareText,
  splitCode
} from '../../src/crypto/shares.ts'
import { hex } from '../../src/wire/bytes.ts'

const bytes = (length: number, step: number) => new Uint8Array(length).map((_, i) => (i + 1) * step)
const code = bytes(20, 13)
const random = bytes(24, 91)

t.test('any two of three give the code back, in either order', async t => {
  for (const [step, slope] of [
    [13, 91],
    [255, 255],
    [0, 7],
    [101, 0]
  ] as const) {
    const secret = bytes(20, step)
    const shares = splitCode(secret, bytes(24, slope))
    for (const one of shares)
      for (const other of shares) if (one !== other) t.same(joinShares(one, other), secret)
  }
})

t.test('every byte value is joined rightly', async t => {
  let wrong = 0
  for (let value = 0; value < 256; value++)
    for (let slope = 0; slope < 256; slope += 5) {
      const shares = splitCode(new Uint8Array(20).fill(value), new Uint8Array(24).fill(slope))
      for (const [a, b] of [
        [0, 1],
        [0, 2],
        [1, 2]
      ] as const)
        if (joinShares(shares[a]!, shares[b]!).some(byte => byte !== value)) wrong++
    }
  t.equal(wrong, 0)
})

t.test('one share says nothing: each code is as possible as any other', async t => {
  const [first] = splitCode(code, random)
  for (const other of [bytes(20, 77), new Uint8Array(20)]) {
    const slope = other.map((byte, i) => byte ^ first![5 + i]!)
    t.same(splitCode(other, Uint8Array.of(...random.subarray(0, 4), ...slope))[0], first)
  }
})

t.test('pairs that cannot be', async t => {
  const [one, two] = splitCode(code, random)
  const [, later] = splitCode(code, bytes(24, 17))
  t.throws(() => joinShares(one!, one!), { name: 'RecoveryError', message: /one share twice/ })
  t.throws(() => joinShares(one!, later!), { name: 'RecoveryError', message: /different splittings/ })
  t.notSame(markOf(one!), markOf(later!))
  const forged = two!.slice()
  forged[9]! ^= 1
  t.notSame(joinShares(one!, forged), code, 'what does not fit gives another code, which the genesis refuses')
})

t.test('the text of a share reads back, however it is typed, and is checked', async t => {
  const [share] = splitCode(code, random)
  const text = shareText(share!)
  t.equal(text, '05DV-C4BC-S8W5-NV3J-R2S2-STKR-V8PA-5M02-SJN3-HPMC-E4E9', 'frozen')
  t.match(text, /^([0-9A-HJKMNP-TV-Z]{4}-){10}[0-9A-HJKMNP-TV-Z]{4}$/)
  t.same(readShare(` ${text.toLowerCase().replaceAll('-', ' ')}\n`), share)
  t.equal(share!.length, SHARE_BYTES)
  t.ok(looksLikeShare(text))
  t.notOk(looksLikeShare('0471-PA1N-897N-RTBP-GE89-VANQ-RK8X-XTZR-57Q4'), 'a code is none')
  t.throws(() => readShare(text.slice(1)), /1 characters too short/)
  t.throws(() => readShare(`${text}00`), /2 characters too long/)
  t.throws(() => readShare(text.replace(/^./, 'U')), /characters that none has/)
  const plain = text.replaceAll('-', '')
  let missed = 0
  for (let i = 0; i < plain.length; i++) {
    const wrong = plain.slice(0, i) + (plain[i] === 'Z' ? 'Y' : 'Z') + plain.slice(i + 1)
    try {
      readShare(wrong)
      missed++
    } catch (error) {
      if (!(error instanceof RecoveryError)) throw error
    }
  }
  t.equal(missed, 0)
  t.notOk(isShare(new Uint8Array(SHARE_BYTES)), 'there is no share 0')
  t.notOk(isShare(new Uint8Array(SHARE_BYTES).fill(4)), 'nor a fourth')
  t.equal(hex(splitCode(code, random)[2]!), '035bb6116c5f7ca04714c77ba4cf977057b41c9bf444878087', 'frozen')
})
