/** Commands about the daemon itself: call, config, version. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { INTERFACE, methods, VERSION } from '../api/api.ts'
import { readInput } from './ask.ts'
import { NotRunning } from './client.ts'
import { json, jsonLine, lookOf, out, printable } from './print.ts'
import { UsageError, withDaemon, withJson } from './run.ts'

export function addDaemonCommands(program: Command): void {
  withJson(program.command('call'))
    .description('call any method of the API; its answer is JSON')
    .argument('<method>', `such as Status, or ${INTERFACE}.Status`)
    .argument('[parameters]', 'a JSON object; - reads it from stdin')
    .action(call)
  const config = withJson(program.command('config'))
    .description('the configuration in force')
    .action(configuration)
  config
    .command('check')
    .description('look for mistakes in the configuration; the daemon need not run')
    .argument('[file]', 'the file to check (default: the one coteried reads)')
    .action(check)
  withJson(program.command('version'))
    .description('versions of this command and of the running daemon')
    .action(version)
}

async function call(method: string, given: string | undefined): Promise<void> {
  const parameters = parseParameters(given === '-' ? await readInput() : (given ?? '{}'))
  const full = method.includes('.') ? method : `${INTERFACE}.${method}`
  const name = full.slice(INTERFACE.length + 1)
  const stream = Object.hasOwn(methods, name) && methods[name as keyof typeof methods].kind === 'stream'
  await withDaemon(async client => {
    for await (const reply of client.raw(full, parameters, stream)) {
      if (!stream) json(reply.parameters)
      else if (reply.continues) jsonLine(reply.parameters)
    }
  })
}

function parseParameters(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (error) {
    throw new UsageError(`the parameters are not good JSON: ${(error as Error).message}`)
  }
  throw new UsageError(`the parameters are a JSON object, such as '{"Peer":"laptop"}'`)
}

const configuration = (options: { json?: boolean }) =>
  withDaemon(async client => {
    const result = await client.call('Config', {})
    if (options.json) return void json(result)
    const look = lookOf(process.stdout)
    out(look.dim(`# ${printable(result.Path)}`))
    for (const line of toml(result.Values)) out(line.startsWith('[') ? look.bold(line) : line)
  })

/** Values as the file would have them: plain keys first, then a section for each object. */
function toml(values: { readonly [name: string]: unknown }, within = ''): string[] {
  const isSection = (v: unknown): v is { [name: string]: unknown } =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
  const isSections = (v: unknown): v is { [name: string]: unknown }[] =>
    Array.isArray(v) && v.length > 0 && v.every(isSection)
  const entries = Object.entries(values)
  return [
    ...entries
      .filter(([, v]) => !isSection(v) && !isSections(v))
      .map(([name, v]) => `${name} = ${JSON.stringify(v)?.replaceAll('","', '", "')}`),
    ...entries.flatMap(([name, v]) => {
      const title = within + name
      if (isSection(v)) return ['', `[${title}]`, ...toml(v, `${title}.`)]
      return isSections(v) ? v.flatMap(each => ['', `[[${title}]]`, ...toml(each, `${title}.`)]) : []
    })
  ]
}

/** The parser is the daemon's, so the daemon's program does it. */
async function check(file: string | undefined): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/coteried', import.meta.url))
  const child = spawn(program, ['--check-config', ...(file === undefined ? [] : [file])], {
    stdio: 'inherit'
  })
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve(code ?? 1))
  })
}

const version = async (options: { json?: boolean }) => {
  if (options.json) return withDaemon(async client => void json(await client.call('Version', {})))
  out(`coterie ${VERSION}`)
  try {
    await withDaemon(async client => {
      out(`coteried ${printable((await client.call('Version', {})).Version)}`)
    })
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
    out('coteried is not running')
  }
}
