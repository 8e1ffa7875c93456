import t from 'tap'
import { CODE_BYTES, JoinCodeError, joinCode, readJoinCode } from '../../src/crypto/join-code.ts'
import { fc } from '../draws.ts'

const prs = (text: string) => Buffer.from(readJoinCode(text)).toString()

t.test('shown in two groups of four; read as it was shown', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: CODE_BYTES, maxLength: CODE_BYTES }), bytes => {
      const code = joinCode(bytes)
      return /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/.test(code) && prs(code) === code.replace('-', '')
    })
  )
})

t.test('as people type it', async t => {
  t.equal(joinCode(new Uint8Array(CODE_BYTES)), '0000-0000')
  for (const typed of ['K7QF-2M9X', 'k7qf-2m9x', 'k7qf2m9x', ' K7QF 2M9X\n', 'k7-qf-2m-9x'])
    t.equal(prs(typed), 'K7QF2M9X', typed)
  for (const typed of ['0011-ABCD', 'OOII-ABCD', 'oolL-abcd', 'O0iI abcd', '00l1ABCD'])
    t.equal(prs(typed), '0011ABCD', typed)
})

t.test('says what is wrong', async t => {
  const why = (text: string) => {
    try {
      readJoinCode(text)
      return ''
    } catch (error) {
      if (error instanceof JoinCodeError) return error.message
      throw error
    }
  }
  t.match(why('K7QU-2M9X'), /no code: .*8 letters and digits, such as K7QF-2M9X, and never "U"/)
  t.match(why('K7Q!-2M9X'), /never "!"/)
  t.match(why('K7Q💥-2M9X'), /never "💥"/)
  t.match(why('K7QF-2M9'), /1 character too short: it has 8/)
  t.match(why(''), /8 characters too short/)
  t.match(why('K7QF-2M9XAB'), /2 characters too long/)
  t.match(why('coterie1:aeaq'), /no code/)
  t.throws(() => joinCode(new Uint8Array(4)), RangeError)
})

t.test('anything else is refused without harm', async () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40, unit: 'binary' }), text => {
      try {
        return readJoinCode(text).length === 8
      } catch (error) {
        return error instanceof JoinCodeError
      }
    })
  )
})
