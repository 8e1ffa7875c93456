/** Joining by code on real networks: found by multicast, or across a router at a given address. */
import { scenario } from './scenario.ts'

/** Given up soon. */
const briefly = (params: object) => `call Join ${JSON.stringify({ ...params, TimeoutUSec: 3_000_000 })}`

scenario('joining by code', { h1: 'a', h2: 'a', h3: 'b' }, async (t, lab) => {
  const [h1, h2, h3] = lab.all('h1', 'h2', 'h3')
  await Promise.all([h1, h2, h3].map(host => host.start()))
  t.match(
    await h2.tryCoterie(briefly({ Code: 'K7QF-2M9X' })),
    { code: 4, stderr: /invit/ },
    'nobody invites, so nobody is found'
  )
  await h1.coterie('init --name home')
  await h1.dialable()

  const open = await h1.invites()
  t.match(open.code, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
  const wrong = open.code.replace(/^./, first => (first === '7' ? '8' : '7'))
  t.match(await h2.tryCoterie(`join ${wrong}`), { code: 1, stderr: /2 tries left/ }, 'a wrong code')
  t.equal((await h2.coterie('status --json')).Device.State, 'new')

  const typed = open.code.toLowerCase().replace('-', '').replaceAll('0', 'o').replaceAll('1', 'l')
  const joined = await h2.coterie(`join ${typed} --json`)
  t.match(await open.joined(), { Id: joined.Id, Name: 'h2', Level: 10 }, 'the inviter says who has joined')
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])

  t.comment('the code is used up')
  t.match(await h3.tryCoterie(briefly({ Code: open.code, At: ['10.77.1.11'] })), { code: 4 })

  t.comment('no multicast comes to the other LAN; there the address is given')
  const other = await h1.invites()
  await h3.coterie(`join ${other.code} --at 10.77.1.11`)
  t.match(await other.joined(), { Name: 'h3' })
  await Promise.all([h3.sees('h2', 'reachable'), h3.sees('h1', 'reachable')])
})

scenario('an inviter with two cards on one LAN is one inviter', { h1: 'a', h2: 'a' }, async (t, lab) => {
  const [h1, h2] = lab.all('h1', 'h2')
  await h1.plug('a', 'eth1')
  await h1.addressed(h1.address('a', 'eth1'))
  await Promise.all([h1.start(), h2.start()])
  await h1.coterie('init --name home')
  await Promise.all([h1.listens('10.77.1.11'), h1.listens('10.77.1.21')])
  const open = await h1.invites()
  for (const left of ['2 tries left', '1 try left']) {
    const wrong = open.code.replace(/^./, first => (first === '7' ? '8' : '7'))
    t.match(await h2.tryCoterie(`join ${wrong}`), { code: 1, stderr: new RegExp(left) })
  }
  await h2.coterie(`join ${open.code}`)
  await Promise.all([h1.sees('h2', 'reachable'), h2.sees('h1', 'reachable')])
})
