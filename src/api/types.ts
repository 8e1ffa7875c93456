/**
 * The value types of the API, as data. From one type come its TypeScript type (`Value`), its check,
 * its D-Bus signature and its Varlink IDL. There is no null: '' , 0, false and [] mean "unknown".
 */
export type Type =
  | { readonly kind: 'string' | 'boolean' | 'uint32' | 'uint64' | 'double' }
  /** An object path of D-Bus; a string elsewhere. */
  | { readonly kind: 'path' }
  /** A free JSON object; only where the members depend on another field (an event's `Properties`). */
  | { readonly kind: 'object' }
  | { readonly kind: 'list'; readonly item: Type }
  | RecordType

export interface Field<T extends Type = Type> {
  readonly type: T
  readonly doc: string
  /** As a D-Bus property it never changes (EmitsChangedSignal `const`). */
  readonly const?: boolean
  /** As a parameter it may be left out, then it has the type's empty value. */
  readonly optional?: boolean
}
export type Fields = { readonly [name: string]: Field }
export interface RecordType<F extends Fields = Fields> {
  readonly kind: 'record'
  readonly name: string
  readonly doc: string
  readonly fields: F
}

export type Value<T> = T extends { kind: 'string' | 'path' }
  ? string
  : T extends { kind: 'boolean' }
    ? boolean
    : T extends { kind: 'uint32' | 'uint64' | 'double' }
      ? number
      : T extends { kind: 'object' }
        ? { [name: string]: unknown }
        : T extends { kind: 'list'; item: infer I }
          ? Value<I>[]
          : T extends { kind: 'record'; fields: infer F }
            ? Values<F>
            : never
export type Values<F> = { [K in keyof F]: F[K] extends Field<infer T> ? Value<T> : never }

export const string = { kind: 'string' } as const
export const boolean = { kind: 'boolean' } as const
export const uint32 = { kind: 'uint32' } as const
/** At most 2^53 - 1 in JSON; `t` (a BigInt) on D-Bus. */
export const uint64 = { kind: 'uint64' } as const
export const double = { kind: 'double' } as const
export const object = { kind: 'object' } as const
export const path = { kind: 'path' } as const
export const list = <const T extends Type>(item: T) => ({ kind: 'list', item }) as const
export const record = <const F extends Fields>(name: string, doc: string, fields: F): RecordType<F> => ({
  kind: 'record',
  name,
  doc,
  fields
})
export const field = <const T extends Type>(type: T, doc: string) => ({ type, doc })
export const constant = <const T extends Type>(type: T, doc: string) => ({ type, doc, const: true }) as const
export const optional = <const T extends Type>(type: T, doc: string) =>
  ({ type, doc, optional: true }) as const

/** A value that does not fit its type. The message names the place and what was wanted. */
export class InvalidValue extends Error {
  override name = 'InvalidValue'
}

const describe: { [K in Type['kind']]: string } = {
  string: 'a string',
  boolean: 'true or false',
  uint32: 'a whole number from 0 to 4294967295',
  uint64: 'a whole number from 0 to 9007199254740991',
  double: 'a number',
  path: 'an object path such as /a/b',
  object: 'an object',
  list: 'a list',
  record: 'an object'
}

const PATH = /^\/([A-Za-z0-9_]+(\/[A-Za-z0-9_]+)*)?$/

/** The value that stands for "unknown", and for an optional parameter that was left out. */
export function empty(type: Type): unknown {
  switch (type.kind) {
    case 'string':
      return ''
    case 'boolean':
      return false
    case 'uint32':
    case 'uint64':
    case 'double':
      return 0
    case 'path':
      return '/'
    case 'list':
      return []
    case 'object':
      return {}
    case 'record':
      return Object.fromEntries(Object.entries(type.fields).map(([name, f]) => [name, empty(f.type)]))
  }
}

/** Returns the checked value (a fresh object for records); throws InvalidValue. */
export function check<T extends Type>(type: T, value: unknown, where: string): Value<T> {
  const wrong = (): never => {
    throw new InvalidValue(`${where}: expected ${describe[type.kind]}`)
  }
  const isNumber = (max: number) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max ? value : wrong()
  const any = (): unknown => {
    switch (type.kind) {
      case 'string':
        return typeof value === 'string' ? value : wrong()
      case 'path':
        return typeof value === 'string' && PATH.test(value) ? value : wrong()
      case 'boolean':
        return typeof value === 'boolean' ? value : wrong()
      case 'uint32':
        return isNumber(2 ** 32 - 1)
      case 'uint64':
        return isNumber(Number.MAX_SAFE_INTEGER)
      case 'double':
        return typeof value === 'number' && Number.isFinite(value) ? value : wrong()
      case 'list':
        return Array.isArray(value) ? value.map((v, i) => check(type.item, v, `${where}[${i}]`)) : wrong()
      case 'object':
        return isObject(value) ? value : wrong()
      case 'record':
        return isObject(value) ? checkFields(type.fields, value, where) : wrong()
    }
  }
  return any() as Value<T>
}

const isObject = (value: unknown): value is { [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Checks named values against fields: unknown names are refused, optional ones filled in. */
export function checkFields<F extends Fields>(fields: F, value: unknown, where: string): Values<F> {
  if (!isObject(value)) throw new InvalidValue(`${where}: expected an object`)
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(fields, name)) continue
    throw new InvalidValue(
      `${where}: no such field ${JSON.stringify(name)} (known: ${Object.keys(fields).join(', ') || 'none'})`
    )
  }
  const out: { [name: string]: unknown } = {}
  for (const [name, f] of Object.entries(fields)) {
    if (Object.hasOwn(value, name)) out[name] = check(f.type, value[name], `${where}.${name}`)
    else if (f.optional) out[name] = empty(f.type)
    else throw new InvalidValue(`${where}: the field ${name} is missing`)
  }
  return out as Values<F>
}
