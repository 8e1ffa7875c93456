/** Entry of the command line. */
import { run } from './program.ts'

// A reader that has seen enough (`coterie watch | head -1`) is no fault.
process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1))

run(process.argv.slice(2)).then(code => {
  process.exitCode = code
})
