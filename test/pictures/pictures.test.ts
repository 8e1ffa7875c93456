/** The pictures of README show what the program prints now. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { IMAGES, pictures, readSeen, TIME_ZONE } from './scenes.ts'
import { picture } from './svg.ts'

process.env['TZ'] = TIME_ZONE

t.test('they are up to date', async t => {
  const drawn = pictures(readSeen())
  const readme = readFileSync(join(IMAGES, '../../README.md'), 'utf8')
  t.equal(Object.keys(drawn).length, 3)
  for (const [name, svg] of Object.entries(drawn)) {
    t.equal(readFileSync(join(IMAGES, name), 'utf8'), svg, `${name}; else: npm run pictures`)
    t.match(readme, `](docs/images/${name})`, 'README shows it')
  }
})

t.test('a picture', async t => {
  const svg = picture('a <b>', ['\x1b[1mname\x1b[0m & \x1b[32m●\x1b[0m ▃', '\x1b[7mall of it\x1b[0m'], 20)
  t.match(svg, /<title>a &lt;b&gt;<\/title>/)
  t.match(svg, /font-weight="700">name<\/text>/)
  t.match(svg, />&amp;<\/text>/)
  t.match(svg, /<circle cx="79" cy="53.5" r="4" fill="#6cc66c"\/>/)
  t.match(svg, /<rect [^>]*fill="#d5d9e0"\/>\n<text [^>]*fill="#171a21">all of it</, 'turned round')
  t.throws(() => picture('x', ['\x1b[35mx'], 20), /no such colour: 35/)
})
