import t from 'tap'
import { chosen, storedCircles } from '../../src/daemon/circle/stored.ts'
import type { Row } from '../../src/host/database.ts'
import { fill } from './gates.ts'

const circle = (gid: number, position: number): Row => ({
  table: 'circle',
  gid: fill(gid),
  name: `circle ${gid}`,
  device: 'desk',
  position,
  seed: fill(1),
  secret: fill(2),
  serial: 0,
  joinedMs: 0
})
const operation = (gid: number, n: number): Row => ({
  table: 'operation',
  gid: fill(gid),
  id: fill(n),
  bytes: fill(n, 3)
})
const address = (gid: number, peer: string): Row => ({
  table: 'address',
  gid: fill(gid),
  peer,
  address: 'tcp://192.0.2.1:1',
  lastMs: 1
})

t.test('rows go to their circles, in their order; the default circle is first', async t => {
  const circles = storedCircles([
    { table: 'setting', key: 'a', value: 'b' },
    circle(2, 1),
    circle(1, 0),
    operation(2, 9),
    operation(1, 8),
    operation(2, 7),
    operation(3, 1),
    address(1, 'x')
  ])
  t.same(
    circles.map(({ row }) => row.name),
    ['circle 1', 'circle 2']
  )
  t.same(circles[1]!.operations, [fill(9, 3), fill(7, 3)])
  t.same(circles[0]!.operations, [fill(8, 3)])
  t.same(
    circles.map(({ addresses }) => addresses.map(({ peer }) => peer)),
    [['x'], []]
  )
  t.same(
    circles.map(({ tickets, discovery }) => [tickets, discovery]),
    [
      [[], []],
      [[], []]
    ]
  )
  t.same(storedCircles([]), [])
})

t.test('the circle that was chosen is the default one, as long as it is there', t => {
  const rows = [circle(1, 0), circle(2, 1), circle(3, 2)]
  const names = (rows: Row[]) => storedCircles(rows).map(({ row }) => row.name)
  const write = chosen(fill(3))
  const put = 'put' in write ? write.put : t.fail('a row')
  t.same(names([...rows, put as Row]), ['circle 3', 'circle 1', 'circle 2'])
  t.same(names([rows[1]!, rows[0]!, put as Row]), ['circle 1', 'circle 2'])
  t.end()
})
