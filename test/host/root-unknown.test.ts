import t from 'tap'
import { mapsRoot, rootIsUnknown } from '../../src/host/root-unknown.ts'

t.test('whether root has a name', async t => {
  t.ok(mapsRoot('         0          0 4294967295\n'), 'no namespace')
  t.ok(mapsRoot('      1000          0          1\n'), 'root itself, by another name')
  t.ok(mapsRoot('         0     100000      65536\n     65536          0          1\n'))
  t.notOk(mapsRoot('      1000       1000          1\n'), 'what systemd makes for a unit of a user')
  t.ok(mapsRoot(''), 'nothing is known: as if there were no namespace')
  t.notOk(rootIsUnknown(0))
})
