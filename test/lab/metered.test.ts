/** A connection that NetworkManager calls metered: the device keeps quiet, and the other end with it. */
import type { Host } from './host.ts'
import { scenario } from './scenario.ts'

interface Energy {
  readonly Metered: boolean
  readonly KeepaliveUSec: number
  readonly Links: number
  readonly SlowLinks: number
}

const energy = (host: Host): Promise<Energy> => host.coterie('status --energy --json')

scenario('a metered connection', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await lab.circle(h1, h2)
  t.match(await energy(h1), { Metered: false, KeepaliveUSec: 15e6, SlowLinks: 0 })

  /** Pings go behind what is told. */
  const told = async (slow: boolean) => {
    for (let i = 0; i < 100; i++) {
      const [own, other] = [await energy(h1), await energy(h2)]
      const done = own.Metered === slow && other.Links > 0 && other.SlowLinks === (slow ? other.Links : 0)
      if (done) return own
      await h2.coterie('ping h1')
    }
    throw new Error('it was not told')
  }
  for (const metered of [true, false]) {
    await h1.nmcli(`con mod lan connection.metered ${metered ? 'yes' : 'no'}`)
    await h1.nmcli('con up lan')
    await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
    t.match(await told(metered), { Metered: metered, KeepaliveUSec: metered ? 60e6 : 15e6 })
    t.equal((await energy(h2)).Metered, false, 'the other end is not')
  }
})
