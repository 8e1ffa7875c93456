/** Values of the API as dbus-next takes them. */

import { signature } from '../../api/introspection.ts'
import type { Fields, Type } from '../../api/types.ts'
import { Variant } from '../../host/bus.ts'

type Values = { readonly [name: string]: unknown }
export type Dict = { [name: string]: Variant }

/** D-Bus strings hold no NUL; what came from elsewhere may. */
const text = (value: string) => value.replaceAll('\0', '\ufffd')

/**
 * A value of a type of the API; 64-bit integers become BigInt. `inside`: the fields of a free object, if known.
 * Throws TypeError or RangeError when the value is not of the type.
 */
export function toBus(type: Type, value: unknown, inside?: Fields): unknown {
  switch (type.kind) {
    case 'string':
      return text(value as string)
    case 'uint64':
      return BigInt(value as number)
    case 'list':
      return (value as unknown[]).map(item => toBus(type.item, item))
    case 'record':
      return dict(type.fields, value as Values)
    case 'object':
      return inside ? dict(inside, value as Values) : freeDict(value as Values)
    default:
      return value
  }
}

/** Those of the fields that `values` has, as a{sv}. */
export function dict(fields: Fields, values: Values, inside?: Fields): Dict {
  const entries = Object.entries(fields).filter(([name]) => values[name] !== undefined)
  return Object.fromEntries(
    entries.map(([name, { type }]) => [name, new Variant(signature(type), toBus(type, values[name], inside))])
  )
}

/** A free object: t or x for whole numbers, as for lists of strings alone, else av; null is left out. */
function freeDict(values: Values): Dict {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries.map(([name, value]) => [text(name), free(value)]))
}

function free(value: unknown): Variant {
  if (typeof value === 'boolean') return new Variant('b', value)
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return new Variant('d', value)
  if (typeof value === 'number') return new Variant(value < 0 ? 'x' : 't', BigInt(value))
  if (Array.isArray(value)) {
    if (value.every(item => typeof item === 'string')) return new Variant('as', value.map(text))
    return new Variant('av', value.map(free))
  }
  if (typeof value === 'object' && value !== null) return new Variant('a{sv}', freeDict(value as Values))
  return new Variant('s', text(String(value ?? '')))
}
