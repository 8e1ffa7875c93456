/** Entry of the command line. */
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { paths } from '../paths.ts'

try {
  enableCompileCache(join(paths().cache, 'compile'))
} catch {
  // without usable paths there is no cache; whoever needs a path says what is wrong
}
// A reader that has seen enough (`coterie watch | head -1`) is no fault.
process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1))

const { run } = await import('./program.ts')
process.exitCode = await run(process.argv.slice(2))
