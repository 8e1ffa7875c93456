import t from 'tap'
import { RecoveryError, readRecoveryCode, recoveryCode, recoveryKeys } from '../../src/crypto/recovery.ts'
import { hex } from '../../src/wire/bytes.ts'

const bytes = new Uint8Array(20).map((_, i) => i * 13 + 1)

t.test('a code of 9 groups that reads back, however it is typed', async t => {
  const code = recoveryCode(bytes)
  t.equal(code, '0471-PA1N-897N-RTBP-GE89-VANQ-RK8X-XTZR-57Q4')
  t.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/)
  t.same(readRecoveryCode(code), bytes)
  t.same(readRecoveryCode(` ${code.toLowerCase().replaceAll('-', ' ')}\n`), bytes)
  t.same(readRecoveryCode(code.replaceAll('0', 'O').replaceAll('1', 'l')), bytes)
})

t.test('every single mistyped character, and every swap of neighbours, is found', async t => {
  const code = recoveryCode(bytes).replaceAll('-', '')
  let missed = 0
  for (let i = 0; i < code.length; i++) {
    const other = code[i] === 'Z' ? 'Y' : 'Z'
    const swapped = code.slice(0, i) + (code[i + 1] ?? '') + code[i] + code.slice(i + 2)
    for (const wrong of [code.slice(0, i) + other + code.slice(i + 1), swapped])
      if (wrong !== code) {
        try {
          readRecoveryCode(wrong)
          missed++
        } catch (error) {
          if (!(error instanceof RecoveryError)) throw error
        }
      }
  }
  t.equal(missed, 0)
  t.throws(() => readRecoveryCode(code.slice(1)), /1 characters too short/)
  t.throws(() => readRecoveryCode(`${code}11`), /2 characters too long/)
  t.throws(() => readRecoveryCode(code.replace(/^./, 'U')), /characters that no code has/)
})

t.test('keys by HKDF, frozen', async t => {
  const { seed, secret } = recoveryKeys(bytes)
  t.equal(hex(seed), '630c08bd27c809d823f32e549407f691fcc4db50c441258f862d3e005ed37109')
  t.equal(hex(secret), '78a0f2964343b2accf579213426efca09627c448b79866e5a2aab7c929d496f8')
})
