import t from 'tap'
import { isTag, tagProblem } from '../../src/messages/tag.ts'
import { missing, vectors } from '../vectors.ts'

t.test('tags', async t => {
  const longest = 'a'.repeat(63)
  for (const tag of ['a', 'backup/start', '0/1_2-3', longest, Array(8).fill('x').join('/')])
    t.equal(tagProblem(tag), '', tag)
  t.notOk(isTag(Array(5).fill(longest).join('/')), 'at most 255 characters')
  t.notOk(isTag(`${longest}a`))
  t.notOk(isTag(Array(9).fill('x').join('/')))
})

t.test('a sentence says what is wrong', async t => {
  t.match(tagProblem(''), /must not be empty/)
  t.match(tagProblem('/x'), /neither begins nor ends with/)
  t.match(tagProblem('Backup'), /"Backup" cannot be part of a tag: lower-case/)
  t.match(tagProblem('a/../b'), /"\.\." cannot be/)
})

const hostile = vectors('hostile/tags.json') as { tags: string[] } | undefined
t.test('hostile ones', { skip: hostile === undefined && missing }, async t => {
  for (const tag of hostile!.tags) t.notOk(isTag(tag), JSON.stringify(tag))
})
