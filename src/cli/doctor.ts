/** `coterie doctor`: what is well on this computer, what is not, and what would mend it. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { json, type Look, lookOf, out, printable, wrapped } from './print.ts'
import { FAILED, withDaemon, withJson } from './run.ts'

type Check = Result<'Doctor'>['Checks'][number]

export function addDoctorCommand(program: Command): void {
  withJson(program.command('doctor'))
    .description('look for what is wrong on this computer; exit code 1 when something is')
    .action(doctor)
}

const doctor = (options: { json?: boolean }) =>
  withDaemon(async client => {
    const result = await client.call('Doctor', {})
    if (options.json) json(result)
    else for (const line of doctorLines(result.Checks, lookOf(process.stdout))) out(line)
    if (result.Checks.some(({ State }) => State === 'failed')) process.exitCode = FAILED
  })

/** A line or more each: mark, name, text; below it what would mend it. */
export function doctorLines(checks: readonly Check[], look: Look): string[] {
  const widest = Math.max(...checks.map(({ Name }) => Name.length))
  return checks.flatMap(({ Name, State, Text, Mend }) => {
    const first = `${mark(State, look)} ${look.bold(printable(Name))}${' '.repeat(widest - Name.length + 2)}`
    const below = `${' '.repeat(widest + 4)}${look.mark('→', '->')} `
    return [
      ...wrapped(printable(Text), look.columns, first),
      ...(Mend === '' ? [] : wrapped(printable(Mend), look.columns, below))
    ]
  })
}

function mark(state: string, look: Look): string {
  if (state === 'ok') return look.green(look.mark('✓', 'ok     '))
  if (state === 'warning') return look.yellow(look.mark('▲', 'warning'))
  return look.red(look.mark('✗', 'failed '))
}
