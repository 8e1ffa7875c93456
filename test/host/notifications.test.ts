import t from 'tap'
import { Bus } from '../../src/host/bus.ts'
import { Notifications } from '../../src/host/notifications.ts'
import { TestBus } from '../bus.ts'
import { client } from '../daemon/surface.ts'
import { NotificationService } from '../notification-service.ts'

const never = new AbortController().signal
const question = {
  summary: 'A device wants to join',
  body: 'Bold <b>Eve</b> & “friends”',
  buttons: { accept: 'Accept', decline: 'Decline' }
}

t.test('what is shown, and the buttons', async t => {
  const { address } = await TestBus.up(t)
  const service = await NotificationService.up(t, address)
  const bus = await client(t, address)
  const notifications = new Notifications(bus)
  t.equal(await notifications.there(), true)

  const answer = notifications.ask(question, never)
  const shown = await service.shown.next()
  t.match(shown, {
    application: 'Coterie',
    summary: 'A device wants to join',
    body: 'Bold &lt;b&gt;Eve&lt;/b&gt; &amp; “friends”',
    actions: ['accept', 'Accept', 'decline', 'Decline'],
    hints: { urgency: 2 },
    timeout: 0
  })
  const stranger = await client(t, address)
  const press = (from: Bus, id: number, key: string) => {
    const interfaceName = 'org.freedesktop.Notifications'
    const path = '/org/freedesktop/Notifications'
    from.emit({ path, interface: interfaceName, member: 'ActionInvoked', signature: 'us', body: [id, key] })
  }
  press(stranger, shown.id, 'accept')
  // behind it on the same connection: when it is answered, the signal was passed over
  await stranger
    .call({ destination: bus.uniqueName, path: '/', interface: 'x.y', member: 'Z' })
    .catch(() => {})
  service.press(shown.id + 1, 'accept')
  service.press(shown.id, 'other')
  service.press(shown.id, 'decline')
  t.equal(await answer, 'decline')
  t.equal(await service.closed.next(), shown.id)

  const yes = notifications.ask(question, never)
  service.press((await service.shown.next()).id, 'accept')
  t.equal(await yes, 'accept')
})

t.test('no answer', async t => {
  const { address } = await TestBus.up(t)
  const service = await NotificationService.up(t, address)
  const notifications = new Notifications(await client(t, address))

  const dismissed = notifications.ask(question, never)
  service.dismiss((await service.shown.next()).id)
  t.equal(await dismissed, undefined)

  const controller = new AbortController()
  const aborted = notifications.ask(question, controller.signal)
  const { id } = await service.shown.next()
  controller.abort()
  t.equal(await aborted, undefined)
  t.equal(await service.closed.until(n => n === id), id, 'and it is taken away')
  t.equal(await notifications.ask(question, controller.signal), undefined)

  const left = notifications.ask(question, never)
  await service.shown.next()
  await service.bus.close()
  t.equal(await left, undefined)
  t.equal(await notifications.there(), false)
})

t.test('a desktop that cannot ask', async t => {
  const { address } = await TestBus.up(t)
  const notifications = new Notifications(await client(t, address))
  t.equal(await notifications.there(), false, 'no service')
  await NotificationService.up(t, address, ['body'])
  t.equal(await notifications.there(), false, 'a service without buttons')
  t.equal(await notifications.ask(question, never), undefined)
  const none = new Bus({ kind: 'session', address: 'unix:path=/no/such/bus', log: () => {} })
  t.equal(await new Notifications(none).there(), false)
})
