/** The methods of the API, over the daemon. Each is short: what it takes to answer is elsewhere. */

import type { Implementation, PingPathRecord, Properties } from '../api/api.ts'
import { ApiError, Circle as CircleRecord, VERSION } from '../api/api.ts'
import { empty } from '../api/types.ts'
import type { Circle } from './circle/circle.ts'
import { measure } from './circle/measuring.ts'
import { recoveryMethods } from './circle/recovery-methods.ts'
import type { Daemon } from './daemon.ts'
import { invite } from './joining/invite-call.ts'
import { handlerMethods } from './messages/handler-methods.ts'
import { messageMethods } from './messages/message-methods.ts'
import { serveMethods } from './messages/serve-methods.ts'
import { realClock } from './surfaces/pace.ts'
import { subscribe, wishOf } from './surfaces/subscribe.ts'
import { watch } from './surfaces/watch.ts'

const DAY = 86_400_000_000
const MEMBER = 10
const PINGS_AT_MOST = 1000
/** How long a device that was woken is waited for. */
const WAKE_MS = 20_000
const WAKE_AT_MOST_MS = 60_000

export function methods(daemon: Daemon): Implementation {
  const { publisher } = daemon
  const shown = (name: string): Circle | undefined =>
    (name === '' && daemon.circles.all.length === 0) || daemon.circles.findSealed(name)
      ? undefined
      : daemon.circles.find(name)
  const peersOf = (circle: Circle | undefined): Properties<'Peer'>[] =>
    circle === undefined
      ? []
      : publisher
          .list('Peer')
          .map(o => o.properties)
          .filter(p => p.Circle === circle.id)

  return {
    Status: async ({ Circle, All }) => {
      const circle = shown(Circle)
      const self = publisher.get('')?.properties as Properties<'Daemon'>
      const sealed = circle === undefined ? daemon.circles.findSealed(Circle) : undefined
      const record = circle?.record ?? sealed?.record ?? (empty(CircleRecord) as Properties<'Circle'>)
      return {
        Device: {
          Id: circle?.self ?? sealed?.self ?? '',
          Name: circle?.device ?? sealed?.device ?? self.Name,
          State: sealed === undefined ? self.State : 'locked'
        },
        Circle: record,
        Circles: [...daemon.circles.all, ...daemon.circles.sealed].map(c => c.record),
        NetworkSource: self.NetworkSource,
        DBus: self.DBus,
        Listeners: publisher.list('Listener').map(o => o.properties),
        Notes: self.Notes,
        Peers: All ? publisher.list('Peer').map(o => o.properties) : peersOf(circle),
        Version: VERSION,
        Summary: daemon.summary
      }
    },

    Peers: async ({ Circle }) => ({ Peers: peersOf(daemon.circles.find(Circle)) }),

    Devices: async ({ Circle }) => ({ Devices: daemon.circles.find(Circle).devices() }),

    UseCircle: async ({ Circle }) => {
      const circle = daemon.circles.find(Circle)
      await daemon.circles.use(circle)
      return { Circle: circle.id, Name: circle.name }
    },

    Init: async ({ Name, Device, Another, KeyStore }) => {
      const device = Device || daemon.config.device.name
      const { circle, recoveryCode } = await daemon.circles.init(Name || 'home', device, {
        another: Another,
        keyStore: KeyStore
      })
      return {
        Circle: circle.id,
        Name: circle.name,
        Id: circle.self,
        Device: circle.device,
        RecoveryCode: recoveryCode
      }
    },

    Invite: ({ Circle, ...wish }, call) => {
      const circle = daemon.circles.find(Circle)
      return invite(wish, call, daemon.prompts, (invitation, signal) =>
        daemon.inviteByCode(circle, invitation, signal)
      )
    },

    Confirm: async ({ Request, Accept }) => {
      daemon.prompts.questions.answer(Request, Accept)
      return {}
    },

    MakeTicket: async ({ Circle, Level, ExpiresInUSec, GuestForUSec }) => {
      const circle = daemon.circles.find(Circle)
      const { ticket, expiresMs } = await circle.invite(
        Level || MEMBER,
        (ExpiresInUSec || DAY) / 1000,
        GuestForUSec / 1000
      )
      return { Ticket: ticket, ExpiresUSec: expiresMs * 1000 }
    },

    Join: async ({ Ticket, Code, At, Device, TimeoutUSec, KeyStore }, call) => {
      if ((Ticket === '') === (Code === ''))
        throw new ApiError('InvalidValue', 'Join takes either a Ticket or a Code')
      if (At.length > 0 && Code === '')
        throw new ApiError('InvalidValue', 'Join.At goes with a Code; a ticket says itself where to go')
      const way = Code === '' ? { ticket: Ticket } : { code: Code, at: At }
      const circle = await daemon.circles.join(way, Device || daemon.config.device.name, {
        timeoutMs: TimeoutUSec === 0 ? 60_000 : TimeoutUSec / 1000,
        keyStore: KeyStore,
        call
      })
      return { Circle: circle.id, Name: circle.name, Id: circle.self, Device: circle.device }
    },

    Rename: async ({ Circle, Name }) => {
      const circle = daemon.circles.find(Circle)
      await circle.rename(Name)
      return { Id: circle.self, Name: circle.device }
    },

    Rekey: async ({ Circle }) => {
      const circle = daemon.circles.find(Circle)
      await circle.rekey()
      return { Id: circle.self }
    },

    Remove: async ({ Circle, Device, Lost }) => {
      const circle = daemon.circles.find(Circle)
      const member = circle.member(Device)
      if (member === circle.self)
        throw new ApiError('InvalidValue', 'this is the device you are on; use `coterie leave` to leave')
      await circle.remove(member, { lost: Lost })
      return { Id: member }
    },

    ...recoveryMethods(daemon),
    ...messageMethods(daemon),
    ...serveMethods(() => daemon.handlers.programs),
    ...handlerMethods(daemon),

    Leave: async ({ Circle }, call) => {
      const sealed = daemon.circles.findSealed(Circle)
      if (sealed === undefined) return { Told: await daemon.circles.leave(daemon.circles.find(Circle), call) }
      await daemon.circles.forget(sealed)
      return { Told: 0 }
    },

    Erase: async (_, call) => ({ Told: await daemon.circles.erase(call) }),

    Ping: async ({ Circle, Peer, Count }, call) => {
      if (Count > PINGS_AT_MOST)
        throw new ApiError('InvalidValue', `Ping.Count: at most ${PINGS_AT_MOST} at a time`)
      const circle = daemon.circles.find(Circle)
      const peer = circle.member(Peer)
      if (peer === circle.self) throw new ApiError('InvalidValue', 'this is the device you are on')
      const paths = await measure(circle.ways(peer, call.signal), Count || 1, call)
      const [{ Address, LatencyUSec }] = paths as [PingPathRecord]
      return { Id: peer, Address, LatencyUSec, Paths: paths }
    },

    Wake: async ({ Circle, Peer, WaitUSec }, call) => {
      const circle = daemon.circles.find(Circle)
      const peer = circle.member(Peer)
      if (peer === circle.self) throw new ApiError('InvalidValue', 'this is the device you are on')
      const waitMs = Math.min(WAKE_AT_MOST_MS, WaitUSec === 0 ? WAKE_MS : WaitUSec / 1000)
      const { by, came } = await circle.waking.wake(peer, waitMs, call)
      return { Id: peer, SentBy: [...by], Reachable: came }
    },

    Why: ({ Circle, Peer }, call) =>
      daemon.circles.find(Circle).explaining.why(Peer, call.signal, sentence => call.progress(sentence)),

    Matrix: async ({ Circle }) => daemon.circles.find(Circle).explaining.matrix(),

    Watch: ({ Since }, call) => watch(publisher, Since, call),

    Subscribe: async (asked, call) => {
      const wish = wishOf(asked, (name, device) => {
        const circle = daemon.circles.find(name)
        const peer = device === '' ? '' : circle.member(device)
        if (peer === circle.self) throw new ApiError('InvalidValue', 'this is the device you are on')
        return { circle: circle.id, peer }
      })
      await subscribe(publisher, wish, asked.IntervalUSec / 1000, call, realClock)
    },

    Config: async () => ({ Path: daemon.paths.configFile, Values: { ...daemon.config } }),

    Reload: async () => {
      await daemon.reload()
      return {}
    },

    Doctor: async () => ({ Checks: await daemon.examine() }),

    Energy: async () => daemon.energy.report(),

    Version: async () => ({ Version: VERSION })
  }
}
