/** The whole command line; `main.ts` runs it. */
import { Command, CommanderError } from 'commander'
import { VERSION } from '../api/api.ts'
import { addCirclesCommand } from './circles.ts'
import { addDaemonCommands } from './daemon.ts'
import { addDevicesCommand } from './devices.ts'
import { addDoctorCommand } from './doctor.ts'
import { first } from './first.ts'
import { addHandlersCommand } from './handlers.ts'
import { addInitCommand } from './init.ts'
import { addInviteCommand } from './invite.ts'
import { addJoinCommand } from './join.ts'
import { addLeaveCommand } from './leave.ts'
import { addOutboxCommand } from './outbox.ts'
import { addPeerCommands } from './peers.ts'
import { addRecoveryCommand } from './recovery.ts'
import { addRekeyCommand } from './rekey.ts'
import { addRemoveCommand } from './remove.ts'
import { addRenameCommand } from './rename.ts'
import { explain, USAGE, UsageError } from './run.ts'
import { isRecoverySecret } from './secret.ts'
import { addSendCommands } from './send.ts'
import { addServeCommand } from './serve.ts'
import { addTopCommand } from './top.ts'
import { addTrayCommand } from './tray.ts'
import { addWakeCommand } from './wake.ts'
import { addWhyCommand } from './why.ts'

export function makeProgram(): Command {
  const program = new Command('coterie')
    .description('Connects your computers. The daemon, coteried, does the work; this tells it what.')
    .version(VERSION, '--version', 'print the version of this command')
    .helpCommand(true)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'coterie: ')) })
    .addHelpText(
      'after',
      '\n`coterie` alone says what to do next.\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not running, 4 the peer is unreachable.'
    )
  addPeerCommands(program)
  addTopCommand(program)
  addWakeCommand(program)
  addWhyCommand(program)
  addInitCommand(program)
  addInviteCommand(program)
  addJoinCommand(program)
  addDevicesCommand(program)
  addRenameCommand(program)
  addRekeyCommand(program)
  addRemoveCommand(program)
  addLeaveCommand(program)
  addCirclesCommand(program)
  addRecoveryCommand(program)
  addSendCommands(program)
  addOutboxCommand(program)
  addHandlersCommand(program)
  addServeCommand(program)
  addTrayCommand(program)
  addDaemonCommands(program)
  addDoctorCommand(program)
  return program
}

/** Runs one command line (without the program's name); returns the exit code. */
export async function run(words: readonly string[]): Promise<number> {
  try {
    if (words.some(word => word.includes('coterie1:'))) {
      throw new UsageError(
        'a ticket does not belong on the command line, where every program of this computer can read it; ' +
          'put it into a file or on stdin: coterie join -'
      )
    }
    if (words.some(isRecoverySecret)) {
      throw new UsageError(
        'a recovery code does not belong on the command line, where every program of this computer can read it; ' +
          'the command asks for it, or reads it from stdin'
      )
    }
    if (words.length === 0) return await first()
    const program = makeProgram()
    await program.parseAsync(words, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    return explain(error)
  }
}
