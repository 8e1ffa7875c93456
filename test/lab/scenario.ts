import t, { type Test } from 'tap'
import { Lab, type Lan } from './lab.ts'
import { labMissing } from './missing.ts'

/** A story on a lab with these computers; skipped where no lab can be. What went wrong is told on stderr. */
export function scenario(
  name: string,
  places: { readonly [host: string]: Lan },
  story: (t: Test, lab: Lab) => Promise<void>
): void {
  t.test(name, { skip: labMissing() ?? false }, async t => {
    let lab: Lab | undefined
    try {
      lab = await Lab.up(t, places)
      await story(t, lab)
    } catch (error) {
      const { message, stack } = error as Error
      const [first, ...more] = message.split('\n')
      console.error([first, ...more, stack?.slice(stack.indexOf('\n    at ') + 1)].join('\n'))
      for (const host of lab?.hosts.values() ?? [])
        if (!message.includes(`log of ${host.name}`)) console.error(host.tail())
      throw Object.assign(new Error(first), { stack: '' })
    }
  })
}
