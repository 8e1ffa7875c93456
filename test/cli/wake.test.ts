import t from 'tap'
import { wokenLine } from '../../src/cli/wake.ts'

const device = (Id: string, Name: string, Self = false) => ({ Id, Name, Self }) as never
const devices = [device('co1a', 'desk', true), device('co1b', 'nas'), device('co1c', 'lap\u001b[2Jtop')]

t.test('who sent the packet, and whether the device came', async t => {
  const table: [string[], boolean, string][] = [
    [[], true, 'lap\ufffd[2Jtop is awake.'],
    [['co1a'], true, 'This device sent the packet that wakes lap\ufffd[2Jtop; it is awake.'],
    [['co1b'], true, 'nas sent the packet that wakes lap\ufffd[2Jtop; it is awake.'],
    [
      ['co1a', 'co1b'],
      false,
      'This device and nas sent the packet that wakes lap\ufffd[2Jtop; it has not come within 5 s.'
    ],
    [['co1x'], false, 'co1x sent the packet that wakes lap\ufffd[2Jtop; it has not come within 5 s.']
  ]
  for (const [SentBy, Reachable, line] of table)
    t.equal(wokenLine({ Id: 'co1c', SentBy, Reachable }, devices, 5), line)
})
