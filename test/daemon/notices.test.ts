/** What a person is told by notifications, when, and what that costs where nobody takes it. */
import t from 'tap'
import type { PeerId } from '../../src/crypto/identity.ts'
import { Notices } from '../../src/daemon/notices.ts'
import type { EventRecord } from '../../src/daemon/surfaces/events.ts'
import type { Notice } from '../../src/host/notifications.ts'

type Facts = Parameters<Notices['peer']>[2]
const peer = (name: string) => ({ id: `co1${name}` as PeerId, name, circle: 'home' })
const because = (reason: string): Facts => ({ state: 'unreachable', reason, address: '', latencyUSec: 0 })

function world(config = { joined: true, failed: true, lost: true }) {
  const told: Notice[] = []
  const timers: (() => void)[] = []
  const answers: PromiseWithResolvers<number>[] = []
  const notices = new Notices({
    config: () => config,
    tell: notice => {
      told.push(notice)
      answers.push(Promise.withResolvers())
      return answers.at(-1)!.promise
    },
    after: (_ms, act) => {
      timers.push(act)
      return () => {}
    }
  })
  const dead = (Name: string, Tag: string, Reason: string, Exit = 0, Id = `${told.length}-${Tag}`) =>
    notices.events([
      {
        Type: 'ReceiptChanged',
        Properties: { Name, Tag, Reason, Exit, Id, State: 'dead' }
      } as unknown as EventRecord
    ])
  /** The moment is over, and what was asked of the service before has come to an end. */
  const settle = async (how: 'answered' | 'refused' = 'answered') => {
    for (const timer of timers.splice(0)) timer()
    await new Promise(setImmediate)
    for (const answer of answers.splice(0))
      how === 'answered' ? answer.resolve(1) : answer.reject(new Error())
    await new Promise(setImmediate)
  }
  return { notices, told, timers, dead, settle }
}

t.test('each of the three', async t => {
  const { notices, told, dead, settle } = world()
  notices.peer('joined', peer('phone'), because(''))
  await settle()
  dead('laptop', 'backup/start', 'failed', 3)
  await settle()
  notices.peer('unreachable', peer('nas'), because('timeout'))
  await settle()
  t.same(told, [
    { summary: 'phone has joined', body: 'It belongs to home now.' },
    { summary: 'Not done on laptop', body: 'backup/start: its handler ended with 3' },
    { summary: 'nas is out of sight', body: 'No answer.' }
  ])
})

t.test('what was to be expected is not told, nor what passed', async t => {
  const { notices, told, dead, settle } = world()
  for (const reason of ['stopped', 'no-network', 'asleep'])
    notices.peer('unreachable', peer(reason), because(reason))
  for (const reason of ['cancelled', 'removed']) dead('laptop', 'x', reason)
  notices.peer('asleep', peer('nas'), because(''))
  notices.peer('unreachable', peer('nas'), because('timeout'))
  notices.peer('reachable', peer('nas'), because(''))
  await settle()
  t.same(told, [])
})

t.test('off by its key', async t => {
  const { notices, timers, dead } = world({ joined: false, failed: false, lost: false })
  notices.peer('joined', peer('phone'), because(''))
  notices.peer('unreachable', peer('nas'), because('timeout'))
  dead('laptop', 'x', 'failed')
  t.same(timers, [])
})

t.test('what comes together is one, with names as they are, but harmless', async t => {
  const { notices, told, settle } = world()
  for (const name of ['a', 'b', 'c\u202eb\n', 'd', 'e', 'f', 'g'])
    notices.peer('unreachable', peer(name), because('timeout'))
  await settle()
  t.same(told, [
    {
      summary: '7 devices are out of sight',
      body: 'a: No answer.\nb: No answer.\nc\ufffdb\ufffd: No answer.\nd: No answer.\ne: No answer.\nand 2 more'
    }
  ])
})

t.test('a service that hangs, or refuses', async t => {
  const { notices, told, timers, dead, settle } = world()
  notices.peer('joined', peer('phone'), because(''))
  for (const timer of timers.splice(0)) timer()
  for (let i = 0; i < 1_000; i++) dead('laptop', `tag/${i}`, 'failed', 1, `${i}`)
  t.equal(told.length, 1, 'one call at a time')
  t.equal(timers.length, 0, 'and nothing else runs')
  await settle('refused')
  await settle('refused')
  t.match(told[1], { summary: '50 messages came to nothing', body: /and 45 more$/ })
  await settle()
  t.equal(told.length, 2)
  t.equal(timers.length, 0)
})
