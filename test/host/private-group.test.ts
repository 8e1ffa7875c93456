/** When a group counts as the user's own. */
import t from 'tap'
import { isPrivate, privateGroup } from '../../src/host/private-group.ts'

const users =
  'root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/user:/bin/sh\nben:x:1001:1001::/:/bin/sh\n'

t.test('a group is private when nobody else has it', async t => {
  const of = (groups: string, people = users) => isPrivate(1000, 1000, groups, people)
  t.ok(of('anna:x:1000:\n'))
  t.ok(of('root:x:0:\nanna:x:1000:anna\nben:x:1001:anna'))
  t.notOk(of('anna:x:1000:ben\n'), 'somebody was added')
  t.notOk(of('anna:x:1000:anna,ben\n'))
  t.notOk(of('anna:x:1000:\n', users.replace('1001:1001', '1001:1000')), 'somebody else begins with it')
  t.notOk(of('users:x:100:\n'), 'it is not in the file: who has it is not known')
  t.notOk(of('anna:x:1000:\n', 'ben:x:1001:1001::/:/bin/sh'), 'nor is the user')
  t.notOk(of('anna:x:1000:\nmore:x:1000:ben\n'), 'two names of one group')
  t.notOk(of(''))
})

t.test('root has none', { skip: process.getuid?.() !== 0 && 'is not root' }, async t => {
  t.equal(privateGroup(), undefined)
})
