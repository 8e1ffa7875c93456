/** The methods of the API about the recovery code. */
import { ApiError, type Implementation } from '../../api/api.ts'
import { shareText } from '../../crypto/shares.ts'
import type { Daemon } from '../daemon.ts'
import { holdersOf } from './shares.ts'

type Name = 'VerifyRecovery' | 'UseRecovery' | 'SplitRecovery' | 'RecoveryShare' | 'UnlockCircle'

export function recoveryMethods(daemon: Daemon): Pick<Implementation, Name> {
  return {
    UnlockCircle: async ({ Circle, ...typed }) => {
      const circle = await daemon.circles.unlock(Circle, typed)
      return { Circle: circle.id, Name: circle.name }
    },

    SplitRecovery: async ({ Circle, Devices, ...typed }, call) => {
      const circle = daemon.circles.find(Circle)
      const key = circle.recovery.key(typed)
      const devices = Devices.map(text => circle.member(text))
      const left = await circle.shares.split(key, devices, call)
      return { Devices: devices, NotTold: left.map(id => circle.recovery.nameOf(id)) }
    },

    RecoveryShare: async ({ Circle }) => {
      const circle = daemon.circles.find(Circle)
      const { kept } = circle.shares
      if (kept === undefined)
        throw new ApiError(
          'NoShare',
          `this device holds no share of the recovery code of ${circle.name}; \`coterie recovery split\` gives one to each of three devices`
        )
      return {
        Share: shareText(kept.share),
        Holders: holdersOf(kept).map(id => circle.recovery.nameOf(id)),
        Finished: kept.counts === 1,
        AtUSec: kept.atMs * 1000
      }
    },

    VerifyRecovery: async ({ Circle, ...typed }) => {
      const circle = daemon.circles.find(Circle)
      circle.recovery.key(typed)
      return { Circle: circle.id, Name: circle.name }
    },

    UseRecovery: async ({ Circle, Remove, SinceUSec, Lost, Preview, ...typed }) => {
      const changes = await daemon.circles.find(Circle).recovery.use({
        ...typed,
        remove: Remove,
        beforeMs: SinceUSec === 0 ? undefined : SinceUSec / 1000,
        lost: Lost,
        preview: Preview
      })
      return {
        Changes: changes.map(({ id, name, change, was, level }) => ({
          Id: id,
          Name: name,
          Change: change,
          WasLevel: was,
          Level: level
        }))
      }
    }
  }
}
