import t from 'tap'
import { nearest } from '../../src/daemon/config.ts'
import { ruleProblem, verdictOn, verdictSentence } from '../../src/daemon/messages/rules.ts'

const from = (name: string, more: object = {}) => ({
  name,
  level: 10,
  guest: false,
  names: new Set([`co1${name}`, name]),
  ...more
})
const guest = { guest: true }
const relay = { level: 11 }
const rules = [
  { from: 'phone', tags: ['clipboard/*', 'notify'], line: 1 },
  { from: 'co1tv', tags: ['play'], line: 4 },
  { from: 'phone', tags: ['ring'], line: 7 },
  { from: '*', tags: ['ping'], line: 10 },
  { from: 'mute', tags: [], line: 13 }
]

t.test('who may send what', async t => {
  const cases: [object, string, boolean, string, number?][] = [
    [from('laptop'), 'backup/start', true, 'member'],
    [from('laptop'), 'ping', true, 'rule', 10],
    [from('phone'), 'clipboard/set', true, 'rule', 1],
    [from('phone'), 'clipboard/a/b', true, 'rule', 1],
    [from('phone'), 'clipboard', false, 'other-rules', 1],
    [from('phone'), 'clipboardy/x', false, 'other-rules', 1],
    [from('phone'), 'notify', true, 'rule', 1],
    [from('phone'), 'notify/x', false, 'other-rules', 1],
    [from('phone'), 'ring', true, 'rule', 7],
    [from('phone'), 'ping', true, 'rule', 10],
    [from('phone', guest), 'notify', true, 'rule', 1],
    [from('phone', guest), 'backup', false, 'other-rules', 1],
    [from('tv', guest), 'play', true, 'rule', 4],
    [from('visitor', guest), 'ping', true, 'rule', 10],
    [from('visitor', guest), 'notify', false, 'guest'],
    [from('box', relay), 'notify', false, 'relay'],
    [from('box', relay), 'ping', true, 'rule', 10],
    [from('mute'), 'backup', false, 'other-rules', 13],
    [from('mute'), 'ping', true, 'rule', 10],
    [from('*'), 'backup', true, 'member']
  ]
  for (const [sender, tag, allowed, why, line] of cases) {
    const verdict = verdictOn(rules, sender as ReturnType<typeof from>, tag)
    const { name } = sender as { name: string }
    t.match(verdict, { allowed, why }, `${name} ${tag}`)
    t.equal(verdict.rule?.line, line, `${name} ${tag}: the line`)
    const sentence = verdictSentence(verdict, name, tag)
    if (line !== undefined) t.match(sentence, `(line ${line} of coterie.toml)`)
    t.match(sentence, name)
  }
})

t.test('a name that two devices have', async t => {
  const twin = from('phone', { names: new Set(['co1other']) })
  t.match(verdictOn(rules, twin, 'notify'), { allowed: false, why: 'two-of-that-name' }, 'gives nothing')
  t.match(verdictOn(rules, twin, 'backup'), { allowed: false }, 'and frees of nothing')
  t.match(verdictOn(rules, twin, 'ping'), { allowed: true, why: 'rule' }, 'beyond what everybody may')
  t.match(verdictSentence(verdictOn(rules, twin, 'notify'), 'phone', 'notify'), /two devices are called so/)
})

t.test('rules that are for nobody', async t => {
  const members = [from('phone'), from('laptop')]
  const problem = (name: string, all = members) => ruleProblem({ from: name }, all, nearest)
  t.equal(problem('phone'), '')
  t.equal(problem('*'), '')
  t.equal(problem('co1laptop'), '')
  t.equal(problem('fone'), 'no member is called "fone"; did you mean "phone"?')
  t.equal(problem('fone', []), 'no member is called "fone"')
  t.match(problem('phone', [from('phone', { names: new Set(['co1a']) })]), /two devices are called "phone"/)
})
