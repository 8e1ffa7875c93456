/** What lies in the clipboard of the desktop, as text. */
import { execFile } from 'node:child_process'
import { Failure } from '../run.ts'

const TIMEOUT_MS = 5_000
const MOST = 1_048_576

/** '' when there is no text in it. Rejects Failure where it cannot be read. */
export async function clipboard(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const ways = [
    ...(env['WAYLAND_DISPLAY'] ? [['wl-paste', '--no-newline', '--type', 'text'] as const] : []),
    ...(env['DISPLAY']
      ? ([
          ['xclip', '-out', '-selection', 'clipboard', '-target', 'UTF8_STRING'],
          ['xsel', '--clipboard', '--output']
        ] as const)
      : [])
  ]
  for (const [program, ...words] of ways) {
    const text = await read(program, words, env)
    if (text !== undefined) return text
  }
  throw new Failure('the clipboard cannot be read: there is no wl-paste (wl-clipboard), xclip or xsel')
}

/** Undefined when there is no such program. */
function read(
  program: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv
): Promise<string | undefined> {
  return new Promise((resolve, reject) =>
    execFile(program, words, { env, timeout: TIMEOUT_MS, maxBuffer: MOST }, (error, stdout) => {
      if (error?.code === 'ENOENT') resolve(undefined)
      else if (error?.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
        reject(new Failure('there is more than 1 MiB in the clipboard'))
      // they fail where it is empty, or holds no text
      else resolve(error ? '' : stdout)
    })
  )
}
