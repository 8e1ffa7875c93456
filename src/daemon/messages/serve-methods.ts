/** The methods by which programs serve tags. */
import { ApiError, type Implementation, type Result, Served } from '../../api/api.ts'
import { empty } from '../../api/types.ts'
import { patternProblem } from '../../messages/tag.ts'
import type { Programs } from './programs.ts'

const TAGS_AT_MOST = 64
const NAME_AT_MOST = 64

export function serveMethods(programs: () => Programs): Pick<Implementation, 'Serve' | 'Answer'> {
  return {
    Serve: async ({ Tags, Retry, Name }, call) => {
      if (Tags.length === 0 || Tags.length > TAGS_AT_MOST)
        throw new ApiError('InvalidValue', `Serve.Tags: 1 to ${TAGS_AT_MOST}`)
      for (const tag of Tags) {
        const problem = patternProblem(tag)
        if (problem !== '') throw new ApiError('InvalidValue', `Serve.Tags: ${problem}`)
      }
      const over = Promise.withResolvers<void>()
      const end = () => over.resolve()
      call.signal.addEventListener('abort', end, { once: true })
      const wish = { tags: [...new Set(Tags)], retry: Retry, name: Name.slice(0, NAME_AT_MOST) }
      const unregister = await programs().register(wish, message => call.reply(message).catch(end))
      try {
        await call.reply(empty(Served) as Result<'Serve'>)
        if (!call.signal.aborted) await over.promise
      } finally {
        unregister()
      }
    },

    Answer: async ({ Request, Exit, Output, OutputBase64 }) => {
      if (Output !== '' && OutputBase64 !== '')
        throw new ApiError('InvalidValue', 'Answer takes either Output or OutputBase64')
      const output = OutputBase64 === '' ? Buffer.from(Output) : Buffer.from(OutputBase64, 'base64')
      programs().answer(Request, Exit, new Uint8Array(output))
      return {}
    }
  }
}

export const programsOf = (programs: Programs): Result<'Handlers'>['Programs'] =>
  programs.list.map(({ name, tags, retry, busy }) => ({
    Name: name,
    Tags: [...tags],
    Retry: retry,
    Busy: busy
  }))
