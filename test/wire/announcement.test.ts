import t from 'tap'
import {
  announcementName,
  announcementText,
  announcementUuid,
  decodeAnnouncement,
  encodeAnnouncement,
  parseAnnouncementText
} from '../../src/wire/announcement.ts'
import { generator } from '../random.ts'

const fill = (size: number, from: number) => Uint8Array.from({ length: size }, (_, i) => from + i)
const value = { port: 24747, salt: fill(8, 0x10), tag: fill(16, 0x20), mac: fill(16, 0x40) }

t.test('the layout', t => {
  const bytes = encodeAnnouncement(value)
  const expected =
    '4342010060ab0000' +
    '1011121314151617' +
    '202122232425262728292a2b2c2d2e2f' +
    '404142434445464748494a4b4c4d4e4f'
  t.equal(Buffer.from(bytes).toString('hex'), expected)
  t.strictSame(decodeAnnouncement(bytes), value)
  t.end()
})

t.test('fixed bytes are strict', t => {
  const bytes = encodeAnnouncement(value)
  for (const at of [0, 1, 2, 3, 6, 7]) {
    const mutant = bytes.slice()
    mutant[at]! ^= 1
    t.equal(decodeAnnouncement(mutant), undefined, `byte ${at}`)
  }
  t.equal(decodeAnnouncement(encodeAnnouncement({ ...value, port: 0 }))?.port, 0, 'a search')
  t.equal(decodeAnnouncement(bytes.subarray(0, 47)), undefined, 'short')
  t.equal(decodeAnnouncement(new Uint8Array([...bytes, 0])), undefined, 'long')
  t.end()
})

t.test('names come from the tag alone', t => {
  const a = encodeAnnouncement(value)
  const b = encodeAnnouncement({ ...value, port: 1, salt: fill(8, 0), mac: fill(16, 0) })
  t.equal(announcementName(a), '2021222324252627')
  t.equal(announcementUuid(a), '20212223-2425-2627-2829-2a2b2c2d2e2f')
  t.equal(announcementName(a), announcementName(b))
  t.end()
})

t.test('as text: base64url and back', t => {
  const random = generator(1)
  for (let i = 0; i < 200; i++) {
    const bytes = encodeAnnouncement({
      port: 1 + Math.floor(random() * 65535),
      salt: Uint8Array.from({ length: 8 }, () => random() * 256),
      tag: Uint8Array.from({ length: 16 }, () => random() * 256),
      mac: Uint8Array.from({ length: 16 }, () => random() * 256)
    })
    const text = announcementText(bytes)
    if (text !== Buffer.from(bytes).toString('base64url')) t.fail(text)
    t.same(parseAnnouncementText(text), bytes)
  }
  const text = announcementText(encodeAnnouncement(value))
  for (const bad of [
    '',
    text.slice(1),
    `${text}A`,
    `+${text.slice(1)}`,
    text.replace('Q', '='),
    `A${text.slice(1)}`
  ]) {
    t.equal(parseAnnouncementText(bad), undefined, JSON.stringify(bad))
  }
  t.end()
})

t.test('20,000 mutants: nothing throws', t => {
  const random = generator(2)
  const bytes = encodeAnnouncement(value)
  const text = announcementText(bytes)
  let accepted = 0
  for (let i = 0; i < 20_000; i++) {
    const mutant = bytes.slice(0, random() < 0.3 ? Math.floor(random() * 60) : 48)
    if (mutant.length > 0) mutant[Math.floor(random() * mutant.length)] = random() * 256
    if (decodeAnnouncement(mutant) !== undefined) accepted++
    const at = Math.floor(random() * 64)
    parseAnnouncementText(
      text.slice(0, at) + String.fromCodePoint(Math.floor(random() * 0x3000)) + text.slice(at + 1)
    )
  }
  t.ok(accepted > 5000 && accepted < 15_000, `${accepted} still well-formed`)
  t.end()
})
