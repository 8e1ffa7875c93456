import t from 'tap'
import type { MethodName } from '../../src/api/api.ts'
import { errors, methods, objects, signals } from '../../src/api/api.ts'
import { examples, reference } from '../../src/api/reference.ts'
import { checkFields } from '../../src/api/types.ts'

const page = reference()

t.test('the examples have parameters that would be accepted', async t => {
  for (const [name, { params }] of Object.entries(examples)) {
    t.doesNotThrow(() => checkFields(methods[name as MethodName].params, params, name), name)
  }
})

t.test('all there is has its place on the page, and links lead somewhere', async t => {
  const headings = [...page.matchAll(/^##+ (.*)$/gm)].map(m => m[1]!)
  const anchors = headings.map(h => h.toLowerCase().replace(/[()]/g, '').replaceAll(' ', '-'))
  t.equal(new Set(anchors).size, anchors.length, 'no heading is there twice')
  const wanted = [
    ...Object.keys(methods),
    ...Object.keys(objects).map(o => `${o} (object)`),
    ...Object.keys(signals)
  ]
  for (const heading of wanted) t.ok(headings.includes(heading), heading)
  for (const name of Object.keys(errors)) t.ok(page.includes(`| \`${name}\` | `), name)
  for (const [, anchor] of page.matchAll(/\]\(#([^)]*)\)/g)) t.ok(anchors.includes(anchor!), `#${anchor}`)
})

t.test('secrets are offered on the socket only', async t => {
  t.match(page, /busctl --user call \S+ \S+ \S+ Ping ssu "" "desktop" 3\n/)
  for (const name of ['Init', 'MakeTicket', 'Join', 'Watch']) {
    t.notMatch(page, new RegExp(`busctl .* ${name} `), name)
  }
})
