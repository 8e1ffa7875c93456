/** A device joins while another is away; that one learns of it when it is back. */
import { scenario } from './scenario.ts'

scenario('h3 joins by h2 while h1 is away', { h1: 'a', h2: 'a', h3: 'a', h4: 'a' }, async (t, lab) => {
  const [h1, h2, h3, h4] = lab.all('h1', 'h2', 'h3', 'h4')
  await lab.circle(h1, h2)
  await h1.coterie('invite --ticket') // an open ticket is no obstacle to a stop
  await h1.daemon.stop()
  await h2.sees('h1', 'unreachable')

  await h3.start()
  await h3.coterie('join - --yes', await h2.coterie('invite --ticket'))
  await Promise.all([h2.sees('h3', 'reachable'), h3.sees('h2', 'reachable')])
  t.equal(h3.daemon.peer('h1')?.['State'], 'unreachable', 'h3 knows of h1 by the log')
  await h3.daemon.until('says why h1 is not there', () =>
    /^(never-seen|no-address|refused)$/.test(String(h3.daemon.peer('h1')?.['Reason']))
  )

  t.comment('h1 comes back and learns of h3')
  await h1.start()
  await Promise.all([h1.sees('h3', 'reachable'), h3.sees('h1', 'reachable')])

  t.comment('h4 joins by h2 while h1 is away, and h2 is away when h1 comes back: h4 introduces itself')
  await h1.daemon.stop()
  await h4.start()
  await h4.coterie('join - --yes', await h2.coterie('invite --ticket'))
  await Promise.all([h2.daemon.stop(), h3.daemon.stop()])
  await h1.start()
  await Promise.all([h1.sees('h4', 'reachable'), h4.sees('h1', 'reachable')])
  t.equal((await h1.coterie('status --json')).Circle.Members, 4)
})
