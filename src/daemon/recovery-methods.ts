/** The methods of the API about the recovery code. */
import type { Implementation } from '../api/api.ts'
import type { Daemon } from './daemon.ts'

export function recoveryMethods(
  daemon: Daemon
): Pick<Implementation, 'VerifyRecovery' | 'UseRecovery' | 'UnlockCircle'> {
  return {
    UnlockCircle: async ({ Circle, ...typed }) => {
      const circle = await daemon.circles.unlock(Circle, typed)
      return { Circle: circle.id, Name: circle.name }
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
