import t from 'tap'
import { Datagrams } from '../../src/daemon/network/datagrams.ts'
import { PROBE_LENGTH, writeProbeHeader } from '../../src/wire/probe.ts'
import { generator } from '../random.ts'

const to = { interface: 'eth0', address: '192.0.2.1' }

t.test('garbage reaches no circle; a probe goes to the first circle that knows it', async t => {
  const asked: string[] = []
  let known = 'second'
  const circle = (name: string) => ({
    datagram: () => {
      asked.push(name)
      return name === known
    }
  })
  const datagrams = new Datagrams(() => [circle('first'), circle('second'), circle('third')])
  const random = generator(3)
  for (let i = 0; i < 5_000; i++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 80) }, () => random() * 256)
    datagrams.receive(bytes, 'tcp://192.0.2.2:1', to)
  }
  t.same(asked, [])
  t.same(datagrams.counters, { garbage: 5_000, stranger: 0 })

  const probe = new Uint8Array(PROBE_LENGTH)
  writeProbeHeader(probe, { index: 1, counter: 1 })
  datagrams.receive(probe, 'tcp://192.0.2.2:1', to)
  t.same(asked, ['first', 'second'])
  known = ''
  datagrams.receive(probe, 'tcp://192.0.2.2:1', to)
  t.same(datagrams.counters, { garbage: 5_000, stranger: 1 })
})
