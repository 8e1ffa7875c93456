/**
 * The Varlink interface description (varlink.org, "Interface Definition"), made from the API.
 *
 * A job's result has two members more than on D-Bus, `Progress` and `Details`: with `more`, replies on the way
 * carry them, all other members having their empty values; the last reply has the result alone. A stream ends with a reply of empty values that does not continue. So every reply fits the description.
 */
import { errors, INTERFACE, methods } from './api.ts'
import type { Field, Fields, RecordType, Type } from './types.ts'
import { object, optional, string } from './types.ts'

export const SERVICE = 'org.varlink.service'
const COLUMNS = 100

const PROGRESS = {
  Progress: optional(string, 'On the way, with more: a sentence on what it is doing.'),
  Details: optional(object, 'On the way, with more: what a program needs of it, if anything.')
}

const basic = {
  string: 'string',
  boolean: 'bool',
  uint32: 'int',
  uint64: 'int',
  double: 'float',
  path: 'string',
  object: 'object'
}

function typeName(type: Type): string {
  if (type.kind === 'list') return `[]${typeName(type.item)}`
  return type.kind === 'record' ? type.name : basic[type.kind]
}

/** `# …` lines; the text is broken between words. */
function comment(text: string, indent = ''): string[] {
  const lines: string[] = []
  let line = `${indent}#`
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > COLUMNS && line.length > indent.length + 1) {
      lines.push(line)
      line = `${indent}#`
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

function struct(fields: Fields): string {
  const entries = Object.entries(fields)
  if (entries.length === 0) return '()'
  const lines = entries.flatMap(([name, f]: [string, Field], i) => [
    ...comment(f.doc, '  '),
    `  ${name}: ${f.optional ? '?' : ''}${typeName(f.type)}${i < entries.length - 1 ? ',' : ''}`
  ])
  return `(\n${lines.join('\n')}\n)`
}

/** Records that results mention, those a record stands on before it. */
function records(): RecordType[] {
  const found = new Map<string, RecordType>()
  const visit = (type: Type): void => {
    if (type.kind === 'list') visit(type.item)
    if (type.kind !== 'record' || found.has(type.name)) return
    for (const f of Object.values(type.fields)) visit(f.type)
    found.set(type.name, type)
  }
  for (const method of Object.values(methods)) {
    for (const f of Object.values({ ...method.params, ...method.result })) visit(f.type)
  }
  return [...found.values()]
}

function make(): string {
  const blocks = [
    [
      ...comment('Coterie connects the computers of one person. Made from src/api/api.ts.'),
      ...comment(
        'Times end in USec: microseconds since 1970, or a duration where the text says so. Empty values mean unknown.'
      ),
      `interface ${INTERFACE}`
    ],
    ...records().map(r => [...comment(r.doc), `type ${r.name} ${struct(r.fields)}`]),
    ...Object.entries(methods).map(([name, m]) => [
      ...comment(m.doc),
      ...(m.kind === 'stream'
        ? comment('Only with more: each reply is one value, until the caller goes away.')
        : []),
      ...(m.kind === 'job' ? comment('May take long; closing the connection cancels it.') : []),
      `method ${name}${struct(m.params)} -> ${struct(m.kind === 'job' ? { ...m.result, ...PROGRESS } : m.result)}`
    ]),
    ...Object.entries(errors).map(([name, doc]) => [...comment(doc), `error ${name} (Message: string)`])
  ]
  return `${blocks.map(lines => lines.join('\n')).join('\n\n')}\n`
}

let made: string | undefined
/** The description of org.coterie.Coterie1. */
export function idl(): string {
  made ??= make()
  return made
}

/** The description of the interface that every Varlink service has. */
export const serviceIdl = `# What every Varlink service offers.
interface ${SERVICE}

# Who serves here, and which interfaces.
method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

# The description of an interface.
method GetInterfaceDescription(interface: string) -> (description: string)

# There is no such interface here.
error InterfaceNotFound (interface: string)

# The interface has no such method.
error MethodNotFound (method: string)

# The interface describes the method, this service does not have it.
error MethodNotImplemented (method: string)

# A parameter, or a member of the call, has the wrong form.
error InvalidParameter (parameter: string)

# The caller may not do this.
error PermissionDenied ()

# The method answers more than once: call it with more.
error ExpectedMore ()
`
