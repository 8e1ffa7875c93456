/** The command line as data, read from the program itself: what man pages and completions are made of. */
import type { Argument, Command, Option } from 'commander'
import { methods } from '../../src/api/api.ts'
import { makeProgram } from '../../src/cli/program.ts'

export interface Word {
  /** `peer`, `file`, `duration`: what a value is. */
  readonly name: string
  readonly doc: string
  readonly required: boolean
  readonly variadic: boolean
}

export interface Flag {
  /** Such as --level, with its dashes. */
  readonly flag: string
  readonly doc: string
  /** Undefined: it takes none. */
  readonly value: Word | undefined
}

export interface Entry {
  /** Words after the program's name; empty for the program. */
  readonly path: readonly string[]
  readonly doc: string
  readonly flags: readonly Flag[]
  readonly words: readonly Word[]
  readonly below: readonly Entry[]
}

const word = (a: Argument): Word => ({
  name: a.name(),
  doc: a.description,
  required: a.required,
  variadic: a.variadic
})

function flag(option: Option): Flag {
  const value = /[<[](\w+)/.exec(option.flags)?.[1]
  return {
    flag: option.long!,
    doc: option.description,
    value: value ? { name: value, doc: '', required: option.required, variadic: option.variadic } : undefined
  }
}

function entry(command: Command, path: readonly string[]): Entry {
  return {
    path,
    doc: command.description(),
    flags: command.options.filter(o => !o.hidden).map(flag),
    words: command.registeredArguments.map(word),
    below: command
      .createHelp()
      .visibleCommands(command)
      .filter(c => c.name() !== 'help')
      .map(c => entry(c, [...path, c.name()]))
  }
}

export const commands = (): Entry => entry(makeProgram(), [])

/** It and all below it. */
export const every = (top: Entry): Entry[] => [top, ...top.below.flatMap(every)]

/** `<peer> [tag]`, as it is typed. */
export const spelled = ({ name, required, variadic }: Word): string =>
  `${required ? '<' : '['}${name}${variadic ? '...' : ''}${required ? '>' : ']'}`

/** What a value can be, by its name: files, peers, circles, or these words. */
export type Values = 'file' | 'peer' | 'circle' | readonly string[]

export function values(path: readonly string[], name: string): Values {
  switch (name) {
    case 'file':
    case 'from':
      return 'file'
    case 'peer':
    case 'devices':
      return 'peer'
    case 'device':
      // of init, join and create it is the name that this device gets
      return ['wake', 'remove', 'recovery'].includes(path[0]!) ? 'peer' : []
    case 'circle':
      return path[0] === 'init' ? [] : 'circle'
    case 'place':
      return ['file', 'secret-service', 'credential']
    case 'state':
      return ['received', 'started', 'done']
    case 'method':
      return Object.keys(methods)
    default:
      return []
  }
}
