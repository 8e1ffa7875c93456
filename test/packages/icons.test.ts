/** Icons keep to the Icon Theme Specification, symbolic ones also to what GTK can recolour. */
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import t from 'tap'

const STATES = ['asleep', 'reachable', 'suspect', 'unreachable']
const theme = 'packaging/icons/hicolor'
const symbolic = globSync(`${theme}/symbolic/*/*.svg`)
const named = (path: string) => globSync(`${theme}/${path}/*.svg`).map(file => basename(file, '.svg'))

t.test('each has its symbolic counterpart, of the same name', async t => {
  t.same(
    named('scalable/status').sort(),
    STATES.map(state => `coterie-${state}`)
  )
  for (const kind of ['apps', 'status'])
    t.same(
      named(`symbolic/${kind}`).sort(),
      named(`scalable/${kind}`)
        .map(name => `${name}-symbolic`)
        .sort()
    )
})

t.test('symbolic ones are 16 pixels, filled with one colour, without strokes', async t => {
  t.equal(symbolic.length, 1 + STATES.length)
  for (const file of symbolic) {
    const text = readFileSync(file, 'utf8')
    t.match(text, /^<svg [^>]*width="16" height="16" viewBox="0 0 16 16">/, file)
    t.same([...new Set(text.match(/#[0-9a-f]{3,6}/g))], ['#2e3436'], file)
    // GTK 3 recolours what is filled, and only that
    t.same([...new Set(text.match(/<[a-z]+/g))], ['<svg', '<path'], file)
    t.notMatch(text, /stroke|style|<!|href/, file)
  }
})
